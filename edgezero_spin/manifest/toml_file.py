"""Read one TOML file from disk, with errors that say where and what to do.

In: a path. Out: the tables as plain Python values, in the order of the file.

Source: TOML 1.0. Integers that do not fit in 64 bits with a sign are refused
(contract edgezero.md, GEN-9).
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from edgezero_spin.manifest.errors import InvalidManifestError, ManifestUnreadableError, Problem
from edgezero_spin.manifest.keys import item_key, join_key

__all__ = ["load_toml", "parse_toml", "read_text"]

MAX_LEVELS: Final = 128
"""Tables and lists inside one another that a file may have, the root included."""

_WIDE: Final = "this number does not fit in 64 bits"
_DEEP: Final = f"more than {MAX_LEVELS} tables and lists inside one another"
_WHERE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


def load_toml(path: Path) -> dict[str, Any]:
    """Return the root table of a file.

    Raises:
        ManifestUnreadableError: The file is missing, or is not readable UTF-8 text.
        InvalidManifestError: It is not TOML.
    """
    return parse_toml(read_text(path), path)


def read_text(path: Path, *, heading: str = "") -> str:
    """Return the text of a file.

    Args:
        path: The file.
        heading: What could not be done, for the error's text.

    Raises:
        ManifestUnreadableError: The file is missing, or is not readable UTF-8 text.
    """
    missing = False
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        missing = True
        reason, remedy = "there is no such file", "Check the name and the folder."
    except IsADirectoryError:
        reason, remedy = "this is a folder", "Name a file in it."
    except OSError as err:
        reason = f"the file cannot be read ({err.strerror or err})"
        remedy = "Check its permissions."
    except UnicodeDecodeError as err:
        reason, remedy = f"the file is not UTF-8 text (byte {err.start})", "Save it as UTF-8."
    raise ManifestUnreadableError(path, reason, remedy, missing=missing, heading=heading)


def parse_toml(text: str, path: Path, *, heading: str = "") -> dict[str, Any]:
    """Return the root table of a text.

    Args:
        text: The text.
        path: Names it in errors.
        heading: What could not be done, for the error's text.

    Raises:
        InvalidManifestError: The text is not TOML, a number is too large, or it nests too deeply.
    """
    try:
        # A byte order mark is no part of the document; editors on Windows write one.
        root = tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as err:
        raise InvalidManifestError(path, [_syntax_problem(str(err), text)], heading) from None
    except ValueError as err:
        # Python refuses to read numbers of thousands of digits.
        raise InvalidManifestError(path, [Problem("", f"{_WIDE}: {err}")], heading) from None
    except RecursionError:
        raise InvalidManifestError(path, [Problem("", _DEEP)], heading) from None
    faults = list(_faults(root, "", MAX_LEVELS))
    if faults:
        raise InvalidManifestError(path, faults, heading)
    return root


def _syntax_problem(message: str, text: str) -> Problem:
    where = _WHERE.search(message)
    if where is None:
        return Problem("", f"this is not TOML: {message}")
    reason = f"this is not TOML: {message[: where.start()]}"
    if where["line"] is None:
        return Problem("", f"{reason} at the end of the file", line=text.count("\n") + 1)
    return Problem("", f"{reason} in column {where['column']}", line=int(where["line"]))


def _faults(value: object, key: str, levels: int) -> Iterator[Problem]:
    if isinstance(value, dict | list) and not levels:
        yield Problem(key, _DEEP)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _faults(item, join_key(key, name), levels - 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _faults(item, item_key(key, index), levels - 1)
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield Problem(key, _WIDE)
