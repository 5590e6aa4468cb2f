"""Exchanges: one request and its response between an event loop and a guest's thread."""
