"""Parts that are imported by their names."""
