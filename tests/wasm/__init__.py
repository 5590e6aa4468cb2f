"""WebAssembly binaries, read and rewritten."""
