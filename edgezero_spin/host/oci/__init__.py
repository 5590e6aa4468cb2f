"""OCI registries: who asks, what is in a repository, and the applications that Spin puts there."""

from edgezero_spin.host.oci.asking import ImageError
from edgezero_spin.host.oci.pulling import PulledImage, pull_image, resolve_image
from edgezero_spin.host.oci.pushing import PushedImage, push_manifest

__all__ = [
    "ImageError",
    "PulledImage",
    "PushedImage",
    "pull_image",
    "push_manifest",
    "resolve_image",
]
