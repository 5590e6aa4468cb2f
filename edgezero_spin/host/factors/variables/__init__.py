"""Variables: providers, templates, and what a component gets to read."""
