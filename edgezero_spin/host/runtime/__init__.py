"""Runtime: components as core modules, with the canonical ABI in Python."""
