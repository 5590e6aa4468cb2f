"""Triggers: their tables, their servers, and the components that they call."""
