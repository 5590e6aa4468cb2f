"""Offers: what an app has for the parameters of its handlers, beside what a request brings.

In: the annotation of a parameter, when the app is compiled. Out: nothing, or a ``TypeError`` that
says which store, database or state the app does not declare, or which event does not start the
handler.

Source: contract edgezero.md, EXT-9 to EXT-13; the refusals are our own.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_args

import attrs

from edgezero_spin.core.annotations import Config, Kv, Secrets, marker_of
from edgezero_spin.core.app_config import app_config_reader
from edgezero_spin.core.callables import spelled
from edgezero_spin.core.headers import Headers
from edgezero_spin.core.request import Request
from edgezero_spin.core.scalars import without_none
from edgezero_spin.stores.declaration import DATABASE_CLASSES

__all__ = ["STORE_KINDS", "Offers", "check_event", "check_offered", "is_event", "kind_of"]

# Databases by their kind: their classes are loaded by the apps that use them.
STORE_KINDS: Any = (
    (Kv, "kv", "key-value store"),
    (Config, "config", "config store"),
    (Secrets, "secrets", "secret store"),
    ("sqlite", "sqlite", "SQLite database"),
    ("redis", "redis", "Redis server"),
    ("postgres", "postgres", "PostgreSQL database"),
    ("mysql", "mysql", "MySQL database"),
)


@attrs.frozen
class Offers:
    """What the app has for its handlers, beside what a request brings.

    Attributes:
        stores: The kinds of store and database that it declares: ``kv``, ``sqlite``.
        states: The types of its state.
        event: What starts the handler; ``None`` for a request.
        overrides: What is called in place of a dependency.
    """

    stores: frozenset[str]
    states: frozenset[type]
    event: type | None = None
    overrides: Mapping[Callable[..., Any], Callable[..., Any]] = attrs.Factory(dict)


def check_offered(hint: Any, default: Any, offers: Offers) -> None:
    """Refuse a store or state that the app does not have, unless the handler can do without.

    Args:
        hint: The annotation of the parameter.
        default: Its default; ``inspect.Parameter.empty`` for none.
        offers: What the app has.

    Raises:
        TypeError: The app does not have it.
    """
    hint, nullable = without_none(hint)
    if nullable or default is not inspect.Parameter.empty:
        return
    marker = marker_of(hint)
    wanted = [attribute for kind, attribute, _ in STORE_KINDS if kind_of(hint) == kind]
    if marker is not None and marker.source == "app_config":
        wanted = ["config"]
        if app_config_reader(get_args(hint)[0]).secrets:
            wanted.append("secrets")
    for _, attribute, noun in STORE_KINDS:
        if attribute in wanted and attribute not in offers.stores:
            raise TypeError(
                f"the app declares no {noun}; write App({attribute}=[...]) or "
                f"[{_table_of(attribute)}] in edgezero.toml"
            )
    if marker is not None and marker.source == "state":
        kind = get_args(hint)[0]
        if kind not in offers.states:
            raise TypeError(
                f"the app has no state of type {spelled(kind)}; write App(state=[...]) or "
                f"app.with_state(...)"
            )


def check_event(hint: Any, event: type | None) -> None:
    """Refuse what the start of a handler does not bring.

    Args:
        hint: The annotation of the parameter.
        event: What starts the handler; ``None`` for a request.

    Raises:
        TypeError: It is another event, or part of a request where there is none.
    """
    hint, _ = without_none(hint)
    if is_event(hint) and hint is not event:
        started = "a request" if event is None else f"a {event.__name__}"
        raise TypeError(f"the handler is started by {started}, not by a {hint.__name__}")
    if event is not None and hint in (Request, Headers):
        raise TypeError(f"the handler is started by a {event.__name__}, not by a request")


def _table_of(attribute: str) -> str:
    kind = "stores" if attribute in ("kv", "config", "secrets") else "databases"
    return f"{kind}.{attribute}"


def kind_of(hint: Any) -> Any:
    """Return the kind of a database, any other annotation as it is."""
    return next((kind for kind, class_ in DATABASE_CLASSES.items() if class_ is hint), hint)


def is_event(hint: Any) -> bool:
    """Whether an annotation is an event: a message of Redis or MQTT, a moment of cron.

    Told by the module, because an app without handlers of events does not load it.
    """
    return isinstance(hint, type) and hint.__module__ == "edgezero_spin.events"
