"""What the library costs, measured: instructions, sizes, build times, requests per second."""
