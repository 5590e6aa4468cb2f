"""WebAssembly binaries, read and rewritten without running them."""
