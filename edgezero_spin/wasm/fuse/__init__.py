"""Fuser: the core modules of a component instance as one core module."""
