"""Trigger ``command``: one run of a program."""
