"""Images of Spin applications in OCI registries: pulled, pushed and verified."""

from edgezero_spin.host.registry.images.pulling import PulledImage, pull_image, resolve_image
from edgezero_spin.host.registry.images.pushing import PushedImage, push_manifest
from edgezero_spin.host.registry.images.references import ImageError
from edgezero_spin.host.registry.images.signatures import KeySource, SignatureError

__all__ = [
    "ImageError",
    "KeySource",
    "PulledImage",
    "PushedImage",
    "SignatureError",
    "pull_image",
    "push_manifest",
    "resolve_image",
]
