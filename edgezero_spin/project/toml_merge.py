"""Put whole tables and keys of one TOML text into another, and leave every byte of it alone.

In: a text, and a text with what is to be in it as well. Out: the first with the second in
it. What both have is an error: nothing is replaced. As in ``toml_edit``, the result is
parsed again and compared with what was wanted.

Source: contract spin-host.md, TPL-4 and TPL-13.
"""

from collections.abc import Mapping
from typing import Any

from edgezero_spin.manifest.decoding import decode_toml
from edgezero_spin.manifest.keys import join_key
from edgezero_spin.project.toml_edit import TomlEditError, insert_value, parse_document
from edgezero_spin.project.toml_positions import scan_toml
from edgezero_spin.project.toml_writing import inline_toml

__all__ = ["append_tables", "merge_into_table"]


def append_tables(text: str, added: str) -> str:
    """Return a document with the tables of another one at its end.

    Arrays of tables that both have become longer.

    Raises:
        TomlEditError: One of the two is not TOML, both have a value at the same place, or
            the first is written in a way that tables cannot be added to at its end.
    """
    wanted = _merged(parse_document(text), _parsed(added), "")
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = added.replace("\r\n", "\n").strip("\n").replace("\n", newline)
    gap = newline if text.endswith("\n") else newline * 2 if text.strip("\ufeff") else ""
    edited = f"{text}{gap}{lines}{newline}"
    try:
        if parse_document(edited) == wanted:
            return edited
    except TomlEditError:
        pass
    raise TomlEditError(
        f"tables cannot be added at its end, as it is written. Add by hand:\n{added.strip()}"
    )


def merge_into_table(text: str, table: str, added: str) -> str:
    """Return a document in which a table of the root has the keys of another one as well.

    A key that is there with the same value stays as it is.

    Raises:
        TomlEditError: One of the two is not TOML, a key is there with another value, or the
            document cannot be edited safely.
    """
    wanted = _parsed(added)
    written = {
        pair.path[0]: added[pair.value.start : pair.value.end]
        for section in scan_toml(added)
        for pair in section.pairs
        if not section.path and len(pair.path) == 1
    }
    for key, value in wanted.items():
        there = parse_document(text).get(table, {})
        if not isinstance(there, dict) or not (key in written or isinstance(value, dict)):
            raise TomlEditError(f"{join_key(table, key)} cannot be added to [{table}]")
        if key not in there:
            text = insert_value(text, (table,), key, written.get(key) or _inline(added, key))
        elif there[key] != value:
            raise TomlEditError(f"{join_key(table, key)} is there already, with another value")
    return text


def _parsed(added: str) -> dict[str, Any]:
    try:
        return parse_document(added)
    except TomlEditError as error:
        raise TomlEditError(f"what the template adds cannot be used: {error}") from error


def _merged(before: Mapping[str, Any], added: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return both trees as one."""
    merged = dict(before)
    for key, value in added.items():
        here = join_key(place, key)
        if key not in merged:
            merged[key] = value
        elif isinstance(merged[key], dict) and isinstance(value, dict):
            merged[key] = _merged(merged[key], value, here)
        elif _is_tables(merged[key]) and _is_tables(value):
            merged[key] = [*merged[key], *value]
        else:
            raise TomlEditError(
                f"{here} is there already, and what the template adds cannot join it"
            )
    return merged


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _inline(text: str, key: str) -> str:
    """Return a table of the root on one line, however the text has it."""
    return inline_toml(decode_toml(text)[key])
