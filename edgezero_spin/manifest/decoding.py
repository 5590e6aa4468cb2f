"""TOML and JSON documents, decoded within limits.

In: a text. Out: its values, or one ``ValueError`` that says what is wrong. The parsers of the
standard library take a time that grows with the square of a dotted key's length, and overflow
the stack where values nest deeply; a file that somebody else wrote must cause neither.

Source: TOML 1.0 and RFC 8259; the limit is our own.
"""

import datetime
import json
import re
import tomllib
from collections.abc import Callable
from typing import Any, Final

__all__ = ["MAX_LEVELS", "datetime_text", "decode_json", "decode_toml"]

MAX_LEVELS: Final = 128
"""Tables and lists inside one another that a document may have, the root included."""

_DEEP: Final = f"more than {MAX_LEVELS} tables and lists inside one another"

# Strings and comments; an unfinished one reaches as far as it can.
_STRING_OR_COMMENT = re.compile(
    r'"""(?:\\.|[^\\"]|"(?!""))*+(?:"{3,5}+|\Z)'
    r"|'''(?:[^']|'(?!''))*+(?:'{3,5}+|\Z)"
    r'|"(?:\\.|[^"\\\n])*+"?'
    r"|'[^'\n]*+'?"
    r"|#[^\n]*+",
    re.DOTALL,
)
_LONG_KEY = re.compile(rf"(?:[A-Za-z0-9_-]++[ \t]*+\.[ \t]*+){{{MAX_LEVELS}}}")


def decode_toml(text: str, *, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """Return the root table of a document; a byte order mark may stand first.

    Args:
        text: The document, with its own line ends.
        parse_float: Makes a value of the digits of a float.

    Raises:
        tomllib.TOMLDecodeError: It is not TOML.
        ValueError: It nests too deeply, or a number has too many digits to be read.
    """
    text = text.removeprefix("\ufeff")
    _refuse_long_keys(text)
    try:
        root = tomllib.loads(text, parse_float=parse_float)
    except RecursionError:
        raise ValueError(_DEEP) from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError as error:
        # Python refuses to read numbers of thousands of digits.
        raise ValueError(f"this number does not fit in 64 bits: {error}") from None
    _refuse_depth(root)
    return root


def decode_json(text: str | bytes) -> Any:
    """Return the value of a document.

    Raises:
        ValueError: It is not JSON (``NaN`` and ``Infinity`` are not), nests too deeply, or a
            number has too many digits to be read.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError(_DEEP) from None
    _refuse_depth(value)
    return value


def datetime_text(value: datetime.date | datetime.time) -> str:
    """Return the TOML text of a date or time: ``2026-01-31T08:00:00.5Z``."""
    text = value.isoformat()
    if isinstance(value, datetime.datetime | datetime.time) and value.microsecond:
        fraction = f".{value.microsecond:06}"
        text = text.replace(fraction, fraction.rstrip("0"), 1)
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


def _refuse_long_keys(text: str) -> None:
    if all(line.count(".") < MAX_LEVELS for line in text.split("\n")):
        return
    bare = _STRING_OR_COMMENT.sub(lambda found: "s" + "\n" * found[0].count("\n"), text)
    found = _LONG_KEY.search(bare)
    if found is not None:
        line = bare.count("\n", 0, found.start()) + 1
        raise ValueError(f"the key in line {line} has {_DEEP}")


def _refuse_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_LEVELS):
        level = [
            item
            for outer in level
            if isinstance(outer, dict | list)
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, dict | list)
        ]
        if not level:
            return
    raise ValueError(_DEEP)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")
