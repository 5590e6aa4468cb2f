"""OCI registries: who asks, what is in a repository, and the applications that Spin puts there."""

from edgezero_spin.host.oci.image import ImageError
from edgezero_spin.host.oci.pulling import PulledImage, pull_image, resolve_image

__all__ = ["ImageError", "PulledImage", "pull_image", "resolve_image"]
