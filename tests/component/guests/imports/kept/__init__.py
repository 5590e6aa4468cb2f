"""A package with data, and with modules that nobody imports by a statement."""
