"""Positions in a TOML text, for edits that leave every other byte alone.

In: a text that a TOML parser has accepted. Out: its sections, each with the keys written
in it, and for every key and value the offsets where it starts and ends. Values are not
converted and rules are not checked: that is the parser's work, done before and after.

Source: TOML 1.0, https://toml.io/en/v1.0.0.
"""

import re
import tomllib
from typing import Literal

import attrs

__all__ = ["TomlEntry", "TomlSection", "TomlValue", "scan_toml"]

_BLANK = re.compile(r"[ \t]*")
_TRIVIA = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
# One quote of either kind up to the same quote, escapes skipped where there are escapes.
_STRINGS = (
    re.compile(r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})', re.DOTALL),
    re.compile(r"'''.*?'''(?:'{0,2})", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)
_SCALAR = re.compile(r"[^,\]}#\r\n]*[^,\]}#\r\n \t]")


@attrs.frozen
class TomlValue:
    """A value, from ``start`` up to but not including ``end``.

    Attributes:
        start: Offset of its first character.
        end: Offset after its last.
        items: The values of an array.
        pairs: The keys of an inline table.
        comma: Offset of a comma after the last item or key, ``None`` without one.
    """

    kind: Literal["array", "table", "scalar"]
    start: int
    end: int
    items: "tuple[TomlValue, ...]" = ()
    pairs: "tuple[TomlEntry, ...]" = ()
    comma: int | None = None


@attrs.frozen
class TomlEntry:
    """A key and its value.

    Attributes:
        path: Names from the root of the document to the value.
        start: Offset of the key.
        part_ends: Offset after each of the dotted parts that are written here; the parts
            before them come from the section or the table around.
    """

    path: tuple[str, ...]
    start: int
    part_ends: tuple[int, ...]
    value: TomlValue


@attrs.frozen
class TomlSection:
    """A header and the keys up to the next one; the first section has no header.

    Attributes:
        path: Names in the header; empty for the first section.
        is_array: Whether it is a ``[[header]]``.
        start: Offset of the header's first bracket.
        end: Offset after its last bracket.
        pairs: The keys, in order.
    """

    path: tuple[str, ...]
    is_array: bool
    start: int
    end: int
    pairs: tuple[TomlEntry, ...]


def scan_toml(text: str) -> tuple[TomlSection, ...]:
    """Return the sections of a document in order.

    Args:
        text: A document that is TOML; a byte order mark may stand first.

    Raises:
        ValueError: It is not TOML after all; the message says where reading stopped.
    """
    return _Scanner(text).document()


class _Scanner:
    """Reads a document once, from the first character to the last."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 1 if text.startswith("\ufeff") else 0

    def document(self) -> tuple[TomlSection, ...]:
        sections = []
        path: tuple[str, ...] = ()
        is_array, start, end = False, self._at, self._at
        pairs: list[TomlEntry] = []
        while True:
            self._skip(_TRIVIA)
            if self._at == len(self._text):
                sections.append(TomlSection(path, is_array, start, end, tuple(pairs)))
                return tuple(sections)
            if not self._sees("["):
                pairs.append(self._pair(path))
                continue
            sections.append(TomlSection(path, is_array, start, end, tuple(pairs)))
            start, is_array, pairs = self._at, self._sees("[["), []
            self._at += 2 if is_array else 1
            path = self._key()[0]
            self._take("]]" if is_array else "]")
            end = self._at

    def _pair(self, base: tuple[str, ...]) -> TomlEntry:
        start = self._at
        names, ends = self._key()
        self._take("=")
        self._skip(_BLANK)
        path = (*base, *names)
        return TomlEntry(path, start, ends, self._value(path))

    def _key(self) -> tuple[tuple[str, ...], tuple[int, ...]]:
        names, ends = [], []
        while True:
            self._skip(_BLANK)
            written = self._match(_BARE_KEY) or self._string()
            quoted = written[0] in "\"'"
            names.append(tomllib.loads(f"k = {written}")["k"] if quoted else written)
            ends.append(self._at)
            self._skip(_BLANK)
            if not self._sees("."):
                return tuple(names), tuple(ends)
            self._at += 1

    def _value(self, path: tuple[str, ...]) -> TomlValue:
        start = self._at
        if self._sees("["):
            return self._array(path)
        if self._sees("{"):
            return self._inline_table(path)
        if self._sees('"') or self._sees("'"):
            self._string()
        elif self._match(_SCALAR) is None:
            raise self._stopped()
        return TomlValue("scalar", start, self._at)

    def _array(self, path: tuple[str, ...]) -> TomlValue:
        start, comma = self._at, None
        items: list[TomlValue] = []
        self._at += 1
        while not self._closes("]"):
            items.append(self._value(path))
            comma = self._comma()
        return TomlValue("array", start, self._at, items=tuple(items), comma=comma)

    def _inline_table(self, path: tuple[str, ...]) -> TomlValue:
        start, comma = self._at, None
        pairs: list[TomlEntry] = []
        self._at += 1
        while not self._closes("}"):
            pairs.append(self._pair(path))
            comma = self._comma()
        return TomlValue("table", start, self._at, pairs=tuple(pairs), comma=comma)

    def _closes(self, bracket: str) -> bool:
        self._skip(_TRIVIA)
        if not self._sees(bracket):
            return False
        self._at += 1
        return True

    def _comma(self) -> int | None:
        self._skip(_TRIVIA)
        if not self._sees(","):
            return None
        self._at += 1
        return self._at - 1

    def _string(self) -> str:
        for pattern in _STRINGS:
            written = self._match(pattern)
            if written is not None:
                return written
        raise self._stopped()

    def _sees(self, expected: str) -> bool:
        return self._text.startswith(expected, self._at)

    def _take(self, expected: str) -> None:
        if not self._sees(expected):
            raise self._stopped()
        self._at += len(expected)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        self._match(pattern)

    def _match(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found[0]

    def _stopped(self) -> ValueError:
        line = self._text.count("\n", 0, self._at) + 1
        return ValueError(f"line {line} cannot be read as TOML")
