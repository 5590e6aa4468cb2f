"""Registries: images and packages, and the cache of what came from them."""
