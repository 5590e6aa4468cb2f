"""Names of backends: what is behind the store, the database or the model that a call is about.

In: a function of an interface. Out: what finds the name in the state of the calling instance and
in the arguments; nothing for functions that are about no backend. A name holds no credentials.

Source: contract services.md, TEL-23, TEL-25, TEL-30.
"""

from collections.abc import Callable, Sequence
from typing import Any

from edgezero_spin.host.factors.instance import InstanceState

__all__ = ["NameBackend", "backend_namer"]

NameBackend = Callable[[InstanceState, Sequence[Any]], str]


def _store(state: InstanceState, arguments: Sequence[Any]) -> str:
    return getattr(state.grants.key_value.get(arguments[0]), "summary", "unknown")


def _database(state: InstanceState, arguments: Sequence[Any]) -> str:
    return getattr(state.grants.databases.get(arguments[0]), "summary", "unknown")


def _database_of(state: InstanceState, arguments: Sequence[Any]) -> str:
    database = getattr(arguments[0].native, "database", None)
    return getattr(database, "summary", "unknown")


def _model(state: InstanceState, arguments: Sequence[Any]) -> str:
    # Spin runs what is not configured on an engine of that name.
    return getattr(state.grants.llm, "summary", "noop model")


def backend_namer(interface: str, function: str) -> NameBackend | None:
    """Return what names the backend of each call of a function; ``None`` for none."""
    if "/key-value@" in interface and function.endswith(".open"):
        return _store
    if "/sqlite@" in interface:
        if function.endswith((".open", ".open-async")):
            return _database
        return _database_of if function.endswith((".execute", ".execute-async")) else None
    return _model if interface.startswith("fermyon:spin/llm") else None
