"""Trigger ``cron``: moments in, calls of components out."""
