"""Measurements of the library: instructions, sizes, build times, requests per second."""
