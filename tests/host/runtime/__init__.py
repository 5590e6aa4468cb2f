"""The runtime by itself: handles, memory and calls between component instances."""
