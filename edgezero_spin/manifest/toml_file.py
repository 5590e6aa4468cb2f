"""TOML files, read with errors that say where and what to do.

In: a path. Out: the tables as plain Python values, in the order of the file.

Source: TOML 1.0. Integers that do not fit in 64 bits with a sign are refused
(contract edgezero.md, GEN-9).
"""

import re
import tomllib
from pathlib import Path
from typing import Any, Final

from edgezero_spin.manifest.decoding import decode_toml
from edgezero_spin.manifest.errors import InvalidManifestError, ManifestUnreadableError, Problem
from edgezero_spin.manifest.keys import places_of

__all__ = ["load_toml", "parse_toml", "read_text"]

_BARE_RETURN: Final = re.compile(r"\r(?!\n)")
_WHERE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


def load_toml(path: Path) -> dict[str, Any]:
    """Return the root table of a file.

    Raises:
        ManifestUnreadableError: The file is missing, or is not readable UTF-8 text.
        InvalidManifestError: It is not TOML.
    """
    return parse_toml(read_text(path), path)


def read_text(path: Path, *, heading: str = "") -> str:
    """Return the text of a file, with its own line ends.

    Args:
        heading: What could not be done, for the error's text.

    Raises:
        ManifestUnreadableError: The file is missing, or is not readable UTF-8 text.
    """
    missing = False
    try:
        return path.read_bytes().decode("utf-8")
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
        path: Names it in errors.
        heading: What could not be done, for the error's text.

    Raises:
        InvalidManifestError: The text is not TOML, a number is too large, or it nests too deeply.
    """
    try:
        root = decode_toml(text)
    except tomllib.TOMLDecodeError as err:
        raise InvalidManifestError(path, [_syntax_problem(str(err), text)], heading) from None
    except ValueError as err:
        raise InvalidManifestError(path, [Problem("", str(err))], heading) from None
    problems = [
        Problem(place, "this number does not fit in 64 bits")
        for place, value in places_of(root)
        if isinstance(value, int) and not -(2**63) <= value < 2**63
    ]
    if problems:
        raise InvalidManifestError(path, problems, heading)
    return root


def _syntax_problem(message: str, text: str) -> Problem:
    bare_return = _BARE_RETURN.search(text)
    if bare_return is not None:
        line = text.count("\n", 0, bare_return.start()) + 1
        remedy = "Save the file with the line ends of Unix or Windows."
        return Problem("", "a carriage return without a line feed", remedy, line)
    where = _WHERE.search(message)
    if where is None:
        return Problem("", f"this is not TOML: {message}")
    reason = f"this is not TOML: {message[: where.start()]}"
    if where["line"] is None:
        return Problem("", f"{reason} at the end of the file", line=text.count("\n") + 1)
    return Problem("", f"{reason} in column {where['column']}", line=int(where["line"]))
