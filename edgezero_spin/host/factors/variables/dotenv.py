"""Reader of ``.env`` files.

An entry is ``NAME=value``, with ``export`` in front if one likes, and ends with its line
unless a quote is open. ``#`` starts a comment at the beginning of a line, of a value or
after a blank. Single quotes keep everything as it is. In double quotes and without quotes a
backslash takes the next character as it is (``\\n`` is a new line; at the end of a line it
is nothing), and ``$NAME`` or ``${NAME}`` stands for a value; without braces a name ends at an
underscore.

What Spin reads means the same here. Some of what it refuses is read all the same, ``"$NAME"``
for one.

Source: contract spin-host.md, VAR-22: an entry of another form is an error.
"""

import re
from collections.abc import Callable, Mapping

__all__ = ["DotenvError", "parse_dotenv"]

_NAME = re.compile(r"[^\S\n]*(?:export[^\S\n]+)?(?P<name>[A-Za-z_][A-Za-z0-9_.]*)[^\S\n]*=[^\S\n]*")
_NOTHING = re.compile(r"[^\S\n]*(?:\#[^\n]*)?(?:\n|\Z)")
_END = re.compile(r"[^\S\n]*(?:(?<=\s)\#[^\n]*)?(?:\n|\Z)")
_REFERENCE = r"\$\{(?P<braced>[^}\n]*)\} | \$(?!\{)(?P<name>[^\W_]*)"
_PIECE = re.compile(
    rf"""
    '(?P<raw>[^']*)'
    | "(?P<quoted>(?:[^"\\]|\\.)*)"
    | \\(?P<last>[^\S\n]*(?=\n|\Z))
    | \\(?P<escaped>[^\n])
    # Spin takes what ends a name without braces for a part of the value.
    | (?:{_REFERENCE}) (?P<behind>(?<!\}})(?:\\|[ \t](?![^\S\n]*(?:\#|\n|\Z))))?
    | (?P<plain>[^'"\\$ \t\n])
    """,
    re.VERBOSE | re.DOTALL,
)
_IN_QUOTES = re.compile(rf"\\(?P<escaped>.) | {_REFERENCE}", re.VERBOSE | re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_FAULTS = {
    "'": "the quote ' is not closed",
    '"': 'the quote " is not closed',
    "$": "the brace behind $ is not closed",
}


class DotenvError(ValueError):
    """A line is not an assignment. ``str`` names it, counted from 1."""


def parse_dotenv(text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return names and values; the last entry for a name counts.

    Args:
        environ: What ``$NAME`` means; the entries above count only for other names.

    Raises:
        DotenvError: An entry is not an assignment.
    """
    text = text.removeprefix("\ufeff")
    values: dict[str, str] = {}

    def look_up(name: str) -> str:
        return environ.get(name, values.get(name, ""))

    index = 0
    while index < len(text):
        nothing = _NOTHING.match(text, index)
        if nothing is not None:
            index = nothing.end()
            continue
        start = _NAME.match(text, index)
        if start is None:
            raise DotenvError(f"line {_line(text, index)} is not of the form NAME=value")
        try:
            values[start["name"]], index = _read_value(text, start.end(), look_up)
        except ValueError as err:
            raise DotenvError(f"line {_line(text, index)}: {err}") from None
    return values


def _line(text: str, index: int) -> int:
    return text.count("\n", 0, index) + 1


def _read_value(text: str, index: int, look_up: Callable[[str], str]) -> tuple[str, int]:
    """Return the value that starts there, and where the next entry does."""
    end = _NOTHING.match(text, index)
    value = ""
    while end is None:
        piece = _PIECE.match(text, index)
        if piece is None:
            raise ValueError(_FAULTS.get(text[index], "a value with blanks has to stand in quotes"))
        value += _meaning(piece, look_up)
        index = piece.end()
        end = _END.match(text, index)
    return value, end.end()


def _meaning(piece: re.Match[str], look_up: Callable[[str], str]) -> str:
    """What a piece of a value stands for."""
    parts = piece.groupdict()
    if parts["quoted"] is not None:
        return _IN_QUOTES.sub(lambda part: _filled(part.groupdict(), look_up), parts["quoted"])
    if parts["last"] is not None:
        return ""
    return parts["raw"] or parts["plain"] or _filled(parts, look_up) + (parts["behind"] or "")


def _filled(parts: Mapping[str, str | None], look_up: Callable[[str], str]) -> str:
    """What an escape or a reference stands for."""
    escaped = parts["escaped"]
    if escaped is not None:
        return _ESCAPES.get(escaped, escaped)
    return look_up(parts["braced"] or parts["name"] or "")
