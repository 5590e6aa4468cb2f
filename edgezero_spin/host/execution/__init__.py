"""Execution: the threads and instances that answer requests."""
