"""Checks of a client's arguments, before anything is done with them."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from edgezero_spin.testing.errors import KitError, PreloadError

__all__ = ["check_arguments", "check_names_of_arguments"]

EXAMPLES = {
    "kv": "{'label': {'key': value}}",
    "config": "{'label': {'page': {'size': 20}}}",
    "sqlite": "{'label': 'CREATE TABLE ...'}",
    "secrets": "{'name': 'value'}",
    "variables": "{'name': 'value'}",
    "env": "{'NAME': 'value'}",
    "cookies": "{'name': 'value'}",
}

OF_TEXT = {
    "secrets": "a variable",
    "variables": "a variable",
    "env": "an environment variable",
    "cookies": "a cookie",
}


def check_arguments(
    *, now: Any = None, seed: Any = None, deadline_s: Any = None, **mappings: Any
) -> None:
    """Make sure that arguments of a client are of their kinds, most of them mappings.

    Raises:
        PreloadError: One is not; the message says which, and what would do.
    """
    for name, value in mappings.items():
        if value is None:
            continue
        if not isinstance(value, Mapping):
            raise PreloadError(
                name,
                f"it is given as a mapping, {name}={EXAMPLES[name]}, got the "
                f"{type(value).__name__} {value!r}",
            )
        for key, inner in value.items():
            if not isinstance(key, str):
                raise PreloadError(name, f"names are text, got the {type(key).__name__} {key!r}")
            if name in OF_TEXT and not isinstance(inner, str):
                raise PreloadError(
                    f"{name}[{key!r}]",
                    f"{OF_TEXT[name]} is text, got the {type(inner).__name__} {inner!r}",
                )
    if now is not None and not isinstance(now, datetime):
        raise PreloadError(
            "now", f"a clock says a datetime.datetime, got the {type(now).__name__} {now!r}"
        )
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise PreloadError("seed", f"it is a whole number, got the {type(seed).__name__} {seed!r}")
    if deadline_s is not None and (
        not isinstance(deadline_s, int | float) or isinstance(deadline_s, bool) or deadline_s <= 0
    ):
        raise PreloadError(
            "deadline_s",
            f"it is a number of seconds above 0, or None for no limit, got {deadline_s!r}",
        )


def check_names_of_arguments(given: Any, place: str, clients: Iterable[Callable[..., Any]]) -> None:
    """Make sure that arguments of a client are named as those of a client are.

    Args:
        given: Arguments by name.
        place: Who gives them, for the message.
        clients: The classes of clients.

    Raises:
        KitError: They are not a mapping, or a name cannot be one.
    """
    if not isinstance(given, Mapping):
        raise KitError(
            f"{place} gives the arguments of a client by their names, such as "
            f"{{'kv': {EXAMPLES['kv']}}}, got {given!r}"
        )
    known = dict.fromkeys(
        name
        for client in clients
        for name, parameter in inspect.signature(client).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    )
    for name in given:
        if name not in known:
            raise KitError(
                f"{place}: a client has no argument {name!r} (there are: {', '.join(known)})"
            )
