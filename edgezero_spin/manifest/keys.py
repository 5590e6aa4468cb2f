"""The notation of a place in a TOML file in messages: ``component."a b".files[0]``."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["item_key", "join_key", "places_of"]

_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


def join_key(parent: str, name: str) -> str:
    """Return the place of a key in a table; ``parent`` is empty for the root."""
    shown = name if name and _BARE.issuperset(name) else json.dumps(name, ensure_ascii=False)
    return f"{parent}.{shown}" if parent else shown


def item_key(parent: str, index: int) -> str:
    """Return the place of an item of a list, counted from 0."""
    return f"{parent}[{index}]"


def places_of(value: object, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value that is neither table nor list, after its place."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from places_of(item, join_key(place, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places_of(item, item_key(place, index))
    else:
        yield place, value
