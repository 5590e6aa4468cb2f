"""Overrides of an app's configuration from the environment.

``MY_APP__SERVICE__TIMEOUT_MS=3000`` replaces ``timeout_ms`` in ``[service]`` of the app
``my-app``. Only values that the file holds can be replaced, each by one of its own type;
nothing is ever added, so a variable that names nothing is ignored.

In: the tree of the file, the app's name, a mapping of variables. Out: a new tree. What is
wrong is noted, all of it.

Source: contract edgezero.md, OVL-1 to OVL-15 and GEN-4.
"""

import datetime
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any, Final

from edgezero_spin.manifest.app_config.secret_words import looks_like_a_secret
from edgezero_spin.manifest.errors import Problem
from edgezero_spin.manifest.keys import join_key

__all__ = ["ascii_upper", "overlay", "variable_prefix"]

_ASCII_UPPER: Final = {lower: lower - 32 for lower in range(ord("a"), ord("z") + 1)}
_INTEGER: Final = re.compile(r"[+-]?0*(?P<digits>[0-9]{1,19})")
_FLOAT: Final = re.compile(
    r"[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|inf|infinity|nan)", re.IGNORECASE | re.ASCII
)
_DATETIME: Final = re.compile(r"[0-9][0-9tTzZ:.+ -]*[0-9zZ]")
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


def ascii_upper(text: str) -> str:
    """Upper-case the letters a to z and leave every other character alone."""
    return text.upper() if text.isascii() else text.translate(_ASCII_UPPER)


def variable_prefix(app_name: str) -> str:
    """Return what the variables of an app start with: ``my-app`` gives ``MY_APP``."""
    return ascii_upper(app_name).replace("-", "_")


def overlay(
    tree: Mapping[str, Any],
    app_name: str,
    environ: Mapping[str, str],
    problems: list[Problem],
    replaced: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Return the tree with the values that variables override.

    Args:
        tree: The root table of the file.
        environ: The variables; names are compared exactly.
        problems: What is wrong is added here. The tree is of no use when something is.
        replaced: The variable of each value that is replaced is added here, by the key's place.
    """
    found = {} if replaced is None else replaced
    return _table(tree, variable_prefix(app_name), "", environ, problems, found)


def _table(
    table: Mapping[str, Any],
    prefix: str,
    place: str,
    environ: Mapping[str, str],
    problems: list[Problem],
    replaced: dict[str, str],
) -> dict[str, Any]:
    _check_keys(table, place, problems)
    found = {}
    for key, value in table.items():
        name = f"{prefix}__{ascii_upper(key)}"
        here = join_key(place, key)
        if isinstance(value, dict):
            found[key] = _table(value, name, here, environ, problems, replaced)
            continue
        found[key] = value
        text = environ.get(name)
        if text is None:
            continue
        if isinstance(value, list):
            reason = f"env var {name} is set, but variables cannot override array / table values"
            problems.append(Problem(here, reason, "Unset it, and change the file."))
            continue
        kind, read, remedy = _reader_for(value)
        try:
            found[key] = read(text)
            replaced[here] = name
        except ValueError:
            shown = "***" if looks_like_a_secret(key) else text
            reason = f"env var {name}={shown} cannot be coerced to {kind}"
            problems.append(Problem(here, reason, remedy))
    return found


def _check_keys(table: Mapping[str, Any], place: str, problems: list[Problem]) -> None:
    segments: dict[str, str] = {}
    for key in table:
        here = join_key(place, key)
        if "__" in key:
            reason = (
                f"the key `{key}` holds `__`, which is reserved as env-overlay segment separator"
            )
            problems.append(Problem(here, reason, "Rename it, or load with --no-env."))
        segment = ascii_upper(key)
        other = segments.setdefault(segment, key)
        if other != key:
            reason = f"the keys `{other}` and `{key}` are both overridden by the segment {segment}"
            problems.append(Problem(here, reason, "Of the two, rename one to disambiguate."))


_Reader = tuple[str, Callable[[str], Any], str]


def _reader_for(value: object) -> _Reader:
    for types, reader in _READERS:
        if isinstance(value, types):
            return reader
    raise TypeError(f"{type(value).__name__} is not a TOML value")


def _integer(text: str) -> int:
    if _INTEGER.fullmatch(text) is None or not -(2**63) <= int(text) < 2**63:
        raise ValueError(text)
    return int(text)


def _float(text: str) -> float:
    if _FLOAT.fullmatch(text) is None:
        raise ValueError(text)
    return float(text)


def _boolean(text: str) -> bool:
    if text not in _BOOLEANS:
        raise ValueError(text)
    return _BOOLEANS[text]


def _datetime(text: str) -> object:
    # The pattern keeps out what would be more than one value, a comment or another key.
    if _DATETIME.fullmatch(text) is None:
        raise ValueError(text)
    value: object = tomllib.loads(f"value = {text}")["value"]
    if not isinstance(value, datetime.date | datetime.time):
        raise ValueError(text)
    return value


_READERS: Final[tuple[tuple[type | tuple[type, ...], _Reader], ...]] = (
    (str, ("string", str, "")),
    # Before integers: a bool is an int to Python.
    (bool, ("boolean (true/false/1/0)", _boolean, "")),
    (int, ("integer", _integer, "Give decimal digits, within 64 bits.")),
    (float, ("float", _float, "Give a decimal number, such as 1.5.")),
    (
        (datetime.date, datetime.time),
        ("datetime", _datetime, "Give a TOML date or time, such as 2026-01-31T08:00:00Z."),
    ),
)
