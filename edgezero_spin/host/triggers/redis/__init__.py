"""Trigger ``redis``: messages of channels in, calls of components out."""
