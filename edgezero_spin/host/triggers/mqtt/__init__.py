"""Trigger ``mqtt``: messages of topics in, calls of components out."""
