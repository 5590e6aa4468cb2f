"""Loading: from a manifest, image or lock to an application that is ready to run."""
