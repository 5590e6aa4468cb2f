"""YAML documents as text, for values that this package made.

In: mappings, lists, texts, whole numbers and booleans. Out: block style, two blanks a level.
Each text is quoted as JSON quotes it, which every version of YAML reads as that text; only a
``Word`` of our own stands bare. A library would decide by the rules of its YAML what needs no
quotes: PyYAML leaves ``1e3`` bare, which the parser of Kubernetes takes for a number.

Source: YAML 1.2.2, 5.7 (escapes) and 7.3.1 (double-quoted style).
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["Word", "yaml_documents"]

# JSON leaves these as they are, and YAML calls them not printable or line breaks.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9./-]*")
# What YAML 1.1 reads as something else than a text.
_NOT_PLAIN = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})


class Word(str):
    """A text of this package that no YAML parser reads as anything else: ``SpinApp``."""

    __slots__ = ()


def yaml_documents(documents: Iterable[Mapping[str, Any]]) -> str:
    """Return documents, each after a line ``---`` but the first."""
    return "---\n".join(
        "".join(f"{line}\n" for line in _mapping(document)) for document in documents
    )


def _mapping(value: Mapping[str, Any]) -> Iterator[str]:
    for key, inner in value.items():
        plain = _PLAIN_KEY.fullmatch(key) and key.lower() not in _NOT_PLAIN
        name = key if plain else _quoted(key)
        if isinstance(inner, Mapping):
            yield f"{name}:"
            yield from (f"  {line}" for line in _mapping(inner))
        elif isinstance(inner, list | tuple):
            yield f"{name}:"
            yield from _items(inner)
        else:
            yield f"{name}: {_scalar(inner)}"


def _items(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        lines = _mapping(value) if isinstance(value, Mapping) else iter((_scalar(value),))
        yield f"- {next(lines)}"
        yield from (f"  {line}" for line in lines)


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return value if isinstance(value, Word) else _quoted(str(value))


def _quoted(text: str) -> str:
    written = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", written)
