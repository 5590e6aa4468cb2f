"""Configuration envelope: a whole configuration in one entry of a config store.

In: the tree of a configuration. Out: the JSON text of its envelope, which EdgeZero reads and
writes, too; or the tree of such a text, its version and hash verified.

The hash is of the canonical text of ``data``: keys sorted, no blanks, the shortest floats.
``entries`` is a member of ours that other readers pass over: how many entries of single keys were
written beside the envelope.

Source: contract edgezero.md, BLB-1 to BLB-3.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from edgezero_spin.stores.errors import ConfigInternalError
from edgezero_spin.stores.json_values import JsonValueError, decode, encode_text

__all__ = ["VERSION", "envelope_text", "has_entries", "hash_of", "is_envelope", "read_envelope"]

VERSION: Final = 1
"""The version that is written and read."""

_MEMBERS: Final = ('"data"', '"sha256"', '"version"')
_WITH_ENTRIES: Final = re.compile(
    r',"entries":[0-9]+,"generated_at":"[^"]*","sha256":"[0-9a-f]*","version":[0-9]+}'
)


def envelope_text(data: Mapping[str, Any], generated_at: str, entries: int | None = None) -> str:
    """Return the envelope of a configuration.

    Args:
        data: The tree, of JSON values.
        generated_at: RFC 3339, in UTC.
        entries: How many entries of single keys are written with it.

    Raises:
        JsonValueError: The tree holds something else than JSON values.
    """
    members = {
        "data": data,
        "generated_at": generated_at,
        "sha256": hash_of(data),
        "version": VERSION,
    }
    return encode_text(members if entries is None else {**members, "entries": entries})


def hash_of(data: Any) -> str:
    """Return the hash of a tree: SHA-256 in lower-case hexadecimal digits."""
    return hashlib.sha256(encode_text(data).encode()).hexdigest()


def is_envelope(text: str) -> bool:
    """Tell whether the text of an entry looks like an envelope."""
    return text[:1] == "{" and all(member in text for member in _MEMBERS)


def has_entries(text: str) -> bool:
    """Tell whether entries of single keys were written with an envelope."""
    return _WITH_ENTRIES.fullmatch(text, max(text.rfind(',"entries":'), 0)) is not None


def read_envelope(text: str) -> dict[str, Any]:
    """Return the tree of an envelope.

    Raises:
        ConfigInternalError: It is not one, is of another version, or was changed.
    """
    try:
        members = decode(text)
    except JsonValueError as error:
        raise ConfigInternalError(f"envelope parse failed: {error}") from None
    data = members.get("data") if isinstance(members, dict) else None
    if not isinstance(data, dict) or not isinstance(members.get("sha256"), str):
        raise ConfigInternalError("envelope parse failed: `data` or `sha256` is missing")
    version = members.get("version")
    if version != VERSION or isinstance(version, bool):
        raise ConfigInternalError(
            f"envelope verification failed: unknown version {version!r}, expected {VERSION}"
        )
    if hash_of(data) != members["sha256"]:
        raise ConfigInternalError("envelope verification failed: sha256 mismatch")
    return data
