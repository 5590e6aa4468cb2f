"""Factors: what a component can import, one folder each."""
