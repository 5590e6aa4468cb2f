"""Triggers: what starts components. The seam, and the kinds that are not HTTP."""
