"""OCI registries: who asks, and what is in a repository."""
