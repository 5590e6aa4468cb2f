"""Compatibility: programs of earlier generations, as Spin runs them."""
