"""Contents of stores, from the values that a test writes.

In: ``bytes``, text or a JSON-able value. Out: ``bytes``. Bytes and text are taken as they
are, everything else is written as the JSON that ``KeyValueStore.put`` would write; a text
that an app reads with ``get`` is therefore preloaded as ``as_json("text")``.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from edgezero_spin.manifest import Problem
from edgezero_spin.manifest.app_config import flatten, json_ready, tree_of
from edgezero_spin.stores import envelope_text, secret_fields
from edgezero_spin.stores.json_values import JsonValueError, encode
from edgezero_spin.stores.secret_places import without_secrets
from edgezero_spin.testing.errors import PreloadError

__all__ = ["as_json", "config_entries", "entry_of", "store_entries"]


_WRITTEN_AT: Final = "2026-01-01T00:00:00Z"


def as_json(value: Any) -> bytes:
    """Return the JSON that a store holds for a value: ``as_json("text") == b'"text"'``.

    Raises:
        JsonValueError: The value has no JSON form.
    """
    return encode(value)


def entry_of(value: Any, place: str) -> bytes:
    """Return the bytes that stand for a value.

    Args:
        value: What the test wrote.
        place: The argument that it stands in, for the message.

    Raises:
        PreloadError: It is neither bytes nor text and has no JSON form.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    try:
        return value.encode() if isinstance(value, str) else encode(value)
    except (JsonValueError, UnicodeEncodeError, TypeError) as error:
        raise PreloadError(
            place,
            f"a {type(value).__name__} cannot be stored ({error}); give bytes, text or a "
            f"value that JSON can hold",
        ) from None


def store_entries(label: str, entries: Any, argument: str = "kv") -> dict[str, bytes]:
    """Return the bytes by key of one preloaded store.

    Raises:
        PreloadError: It is not a mapping of keys, or a key or value is of a wrong kind.
    """
    place = f"{argument}[{label!r}]"
    if not isinstance(entries, Mapping):
        raise PreloadError(
            place,
            f"a store is given as a mapping of its keys, {{'key': value}}, got a "
            f"{type(entries).__name__}",
        )
    found: dict[str, bytes] = {}
    for key, value in entries.items():
        if not isinstance(key, str):
            raise PreloadError(place, f"keys are text, got the {type(key).__name__} {key!r}")
        found[key] = entry_of(value, f"{place}[{key!r}]")
    return found


def config_entries(label: str, table: Any) -> dict[str, bytes]:
    """Return the entries of one config store: nested tables become dotted keys, and all of them
    are written once more as a whole, for ``AppConfig[T]``.

    The model of a configuration, an attrs class, is written without its secret fields, which hold
    names. Of a table nobody knows which values are secret.

    Values are text as ``config push`` writes it: ``true`` and ``20`` for booleans and numbers,
    compact JSON for lists, TOML's text for dates and times. ``None`` has no entry.

    Raises:
        PreloadError: It is not a mapping, or a value is of another kind.
    """
    place = f"config[{label!r}]"
    if not isinstance(table, type) and attrs.has(type(table)):
        return _model_entries(label, table, place)
    if not isinstance(table, Mapping):
        raise PreloadError(
            place,
            f"a config store is given as a mapping, {{'page.size': '20'}}, got a "
            f"{type(table).__name__}",
        )
    found = dict(_flattened(table, "", place))
    try:
        whole = envelope_text(json_ready(tree_of(table)), _WRITTEN_AT, len(found))
    except (JsonValueError, TypeError):
        # Bytes are in it, which no configuration file has.
        return found
    return {label: whole.encode(), **found}


def _flattened(table: Mapping[Any, Any], prefix: str, place: str) -> Iterator[tuple[str, bytes]]:
    for name, value in table.items():
        if not isinstance(name, str):
            raise PreloadError(place, f"keys are text, got the {type(name).__name__} {name!r}")
        key = prefix + name
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{key}.", place)
        elif isinstance(value, str | bytes):
            yield key, entry_of(value, f"{place}[{key!r}]")
        else:
            yield from _pushed(key, value, f"{place}[{key!r}]")


def _model_entries(label: str, model: Any, place: str) -> dict[str, bytes]:
    problems: list[Problem] = []
    try:
        tree = tree_of(model)
        entries = flatten(without_secrets(tree, secret_fields(type(model))), problems)
        whole = envelope_text(json_ready(tree), _WRITTEN_AT, len(entries))
    except (JsonValueError, TypeError) as error:
        raise PreloadError(place, str(error)) from None
    if problems:
        raise PreloadError(place, problems[0].reason)
    found = {entry.key: entry.value.encode() for entry in entries}
    return {**found, label: whole.encode()}


def _pushed(key: str, value: Any, place: str) -> Iterator[tuple[str, bytes]]:
    """Yield the entry that ``config push`` would write; none for ``None``."""
    problems: list[Problem] = []
    try:
        entries = flatten({key: tree_of(value)}, problems)
    except JsonValueError as error:
        raise PreloadError(place, str(error)) from None
    if problems:
        raise PreloadError(place, problems[0].reason)
    for entry in entries:
        yield entry.key, entry.value.encode()
