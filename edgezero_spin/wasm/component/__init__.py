"""Components: their types and definitions, read from the binary format."""
