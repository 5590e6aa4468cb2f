"""Images that were pulled, and what of them is in the cache."""

from edgezero_spin.host.registry.cache import ContentCache
from edgezero_spin.host.registry.images import PulledImage, pull_image
from tests.host.registry.oci_server import Registry
from tests.host.support import SCRIPT

__all__ = ["FILES", "GUEST", "LARGE", "kept", "pulled"]

GUEST = SCRIPT.read_bytes()
LARGE = b"<h1>page</h1>" * 40
FILES = {"index.html": LARGE, "a/deep/page": LARGE, "small": b"small", "empty": b""}


def pulled(registry: Registry, cache: ContentCache, version: str = ":1.0") -> PulledImage:
    """An image of the registry."""
    return pull_image(f"{registry.host}/acme/shop{version}", cache, insecure=True)


def kept(cache: ContentCache) -> set[str]:
    """Everything in the cache, relative to it."""
    return {
        path.relative_to(cache.root).as_posix() for path in cache.root.rglob("*") if path.is_file()
    }
