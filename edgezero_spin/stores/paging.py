"""Pages over the keys of a store that can only list all of them.

In: every key, in any order. Out: one page in order, and an opaque cursor for the next. The
cursor is bound to its prefix, so it cannot continue another listing.

Source: contract edgezero.md, KV-21 to KV-26. Python compares text by code point, which is the
order of its UTF-8 bytes (GEN-6).
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from heapq import nsmallest

import attrs

from edgezero_spin.stores.errors import KeyValueLimitError, KeyValueValidationError
from edgezero_spin.stores.json_values import JsonValueError, decode, encode_text

__all__ = [
    "KeyPage",
    "collect_keys",
    "decode_cursor",
    "encode_cursor",
    "keys_with_prefix",
    "page_of",
]


_KEPT = 4
"""Pages of keys that a listing without a cap holds before it sorts them."""


@attrs.frozen
class KeyPage:
    """Some keys in order, and how to go on.

    Attributes:
        keys: The keys of this page.
        cursor: What to pass for the next page; ``None`` exactly when there is none.
    """

    keys: list[str]
    cursor: str | None


def encode_cursor(prefix: str, last_key: str) -> str:
    """Return the text that stands for "after this key, under this prefix"."""
    return encode_text({"cursor": last_key, "prefix": prefix})


def decode_cursor(prefix: str, cursor: str | None) -> str | None:
    """Return the key that a cursor continues after, or ``None`` for a first page.

    Raises:
        KeyValueValidationError: The text is not a cursor of ours, or one of another prefix.
    """
    if cursor is None:
        return None
    try:
        envelope = decode(cursor)
    except JsonValueError:
        envelope = None
    after = envelope.get("cursor") if type(envelope) is dict else None
    bound_to = envelope.get("prefix") if type(envelope) is dict else None
    if not (isinstance(after, str) and isinstance(bound_to, str)):
        raise KeyValueValidationError("list cursor is invalid or corrupted")
    if bound_to != prefix:
        raise KeyValueValidationError("list cursor does not match the requested prefix")
    if not after:
        raise KeyValueValidationError("list cursor payload cannot be empty")
    return after


def page_of(
    keys: Iterable[str], *, prefix: str, after: str | None, limit: int, cap: int
) -> tuple[list[str], str | None]:
    """Return one page of the keys with a prefix, and its last key when more follow.

    Keeps no more than ``limit`` keys and one while it looks at them all.

    Args:
        keys: Every key of the store, in any order, without repeats.
        prefix: What the keys have to start with; empty for all.
        after: Only keys greater than this one, or ``None``.
        limit: Most keys to return. At least 1.
        cap: Most keys that may match the prefix, wherever the page begins; 0 for any number.

    Raises:
        KeyValueLimitError: More keys match than ``cap``.
    """
    matched = 0

    def following() -> Iterator[str]:
        nonlocal matched
        for key in keys:
            if key.startswith(prefix):
                matched += 1
                if after is None or key > after:
                    yield key

    page = nsmallest(limit + 1, following())
    _check_cap(matched, prefix, cap)
    if len(page) <= limit:
        return page, None
    page.pop()
    return page, page[-1]


async def collect_keys(
    batches: AsyncIterator[list[str]],
    *,
    prefix: str,
    after: str | None = None,
    limit: int | None = None,
    cap: int,
) -> list[str]:
    """Return the keys with a prefix, as far as a listing needs them, from batches of all keys.

    Stops as soon as more keys match than may. Without such a cap, only the first keys of the
    page are kept.

    Args:
        batches: Every key of the store, in any order, without repeats. Closed at the end.
        prefix, after, cap: As for ``page_of``.
        limit: Keys of the page; ``None`` keeps all that match.

    Raises:
        KeyValueLimitError: More keys match than ``cap``.
        BackendError: The listing broke off.
    """
    matching: list[str] = []
    try:
        async for batch in batches:
            matching += [key for key in batch if key.startswith(prefix)]
            if cap:
                _check_cap(len(matching), prefix, cap)
            elif limit is not None and len(matching) > _KEPT * limit:
                matching = nsmallest(
                    limit + 1, (key for key in matching if after is None or key > after)
                )
    finally:
        await batches.aclose()  # type: ignore[attr-defined]  # an async generator
    return matching


def keys_with_prefix(keys: Iterable[str], *, prefix: str, cap: int) -> list[str]:
    """Return all keys with a prefix in order.

    Raises:
        KeyValueLimitError: More keys match than ``cap``, if that is not 0.
    """
    matching = sorted(key for key in keys if key.startswith(prefix))
    _check_cap(len(matching), prefix, cap)
    return matching


def _check_cap(matched: int, prefix: str, cap: int) -> None:
    if 0 < cap < matched:
        raise KeyValueLimitError(
            f"{matched} keys match prefix {encode_text(prefix)}, exceeding max_list_keys={cap}"
        )
