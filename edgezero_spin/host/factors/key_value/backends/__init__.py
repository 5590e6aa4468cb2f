"""Backends of key-value stores."""
