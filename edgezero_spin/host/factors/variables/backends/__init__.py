"""Servers that keep variables."""
