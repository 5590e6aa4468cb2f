"""The embedded host beside a real Spin: the same components, manifests and bytes."""
