"""Read the text of a ``.env`` file.

A line is ``NAME=value``, with ``export`` in front if one likes. ``#`` starts a comment at
the beginning of a line or after a blank. Single quotes keep everything as it is; in double
quotes and without quotes a backslash takes the next character as it is (``\\n`` is a new
line in double quotes), and ``$NAME`` or ``${NAME}`` stands for a value.

Source: contract spin-host.md, VAR-22: a line that is none of this is an error.
"""

import re
from collections.abc import Mapping

__all__ = ["DotenvError", "parse_dotenv"]

_NAME = re.compile(r"\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_.]*)\s*=[ \t]*")
_REFERENCE = re.compile(r"\$(?:\{(?P<braced>[A-Za-z_]\w*)\}|(?P<plain>[A-Za-z_]\w*))", re.ASCII)
_BLANK = re.compile(r"\s*(?:#.*)?")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


class DotenvError(ValueError):
    """A line is no assignment. ``str`` names it, counted from 1."""


def parse_dotenv(text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return names and values; the last line for a name counts.

    Args:
        text: The text of the file.
        environ: What ``$NAME`` means when no line above has set it.

    Raises:
        DotenvError: A line is no assignment.
    """
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if _BLANK.fullmatch(line):
            continue
        start = _NAME.match(line)
        if start is None:
            raise DotenvError(f"line {number} is not of the form NAME=value")
        try:
            values[start["name"]] = _read_value(line[start.end() :], {**environ, **values})
        except ValueError as err:
            raise DotenvError(f"line {number}: {err}") from None
    return values


def _read_value(text: str, known: Mapping[str, str]) -> str:
    value = ""
    quote = ""
    index = 0
    while index < len(text):
        letter = text[index]
        if quote == "'":
            if letter == "'":
                quote = ""
            else:
                value += letter
        elif letter == "\\":
            index += 1
            if index == len(text):
                raise ValueError("nothing follows the backslash")
            value += _ESCAPES.get(text[index], text[index]) if quote else text[index]
        elif letter == "$" and (reference := _REFERENCE.match(text, index)):
            value += known.get(reference["braced"] or reference["plain"], "")
            index = reference.end() - 1
        elif letter == quote:
            quote = ""
        elif not quote and letter in "'\"":
            quote = letter
        elif not quote and letter.isspace():
            if not _BLANK.fullmatch(text, index):
                raise ValueError("a value with blanks has to stand in quotes")
            return value
        else:
            value += letter
        index += 1
    if quote:
        raise ValueError(f"the quote {quote} is not closed")
    return value
