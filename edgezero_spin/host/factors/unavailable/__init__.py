"""Interfaces that this host knows and does not provide."""
