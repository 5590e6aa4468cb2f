"""Digest of the sources of this package, for keys of what it makes.

What is linked and fused is kept between runs, and another version of these modules would make
something else of the same component, or could not read what was kept.
"""

import hashlib
from functools import cache
from pathlib import Path

__all__ = ["digest_of", "sources_digest"]


@cache
def sources_digest() -> str:
    """Return the digest of the package ``wasm``."""
    return digest_of(Path(__file__).parent)


def digest_of(folder: Path) -> str:
    """Return the SHA-256 of all modules below a folder and their names, in hex."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder)} {len(content)}\n".encode() + content)
    return digest.hexdigest()
