"""Spans of host functions: how each call that a component makes is named in a trace.

In: a ``HostCall``. Out: a ``CallSpan``: the name that Spin gives it, its kind and its attributes. A
password never becomes one: of an address only host, port and database do.

Source: contract services.md, TEL-23 to TEL-30.
"""

import re
from collections.abc import Callable, Mapping, Set
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs

from edgezero_spin.host.observers import HostCall

__all__ = ["CallSpan", "is_traced", "masked", "problem_of", "span_of"]

Attributes = dict[str, str | int | bool]
Describe = Callable[[str, tuple[Any, ...]], tuple[str, Attributes]]
"""``(operation, arguments) -> name and attributes``; a method has itself as its first argument."""


@attrs.frozen
class CallSpan:
    """How a call is shown.

    Attributes:
        name: Of the span.
        attributes: What the span says.
        produces: It sends a message; other calls ask for something.
        blames: Its errors say whose fault they are.
    """

    name: str
    attributes: Attributes
    produces: bool = False
    blames: bool = False


def _plain(prefix: str) -> Describe:
    return lambda operation, arguments: (f"{prefix}.{operation}", {})


def _keyed(prefix: str) -> Describe:
    def describe(operation: str, arguments: tuple[Any, ...]) -> tuple[str, Attributes]:
        key = {"key": str(arguments[0])} if operation != "get_all" and arguments else {}
        return f"{prefix}.{operation}", dict(key)

    return describe


def _config(operation: str, arguments: tuple[Any, ...]) -> tuple[str, Attributes]:
    return "spin_config.get", {"key": str(arguments[0])}


def _atomics(operation: str, arguments: tuple[Any, ...]) -> tuple[str, Attributes]:
    prefix = "wasi_key_value_cas" if operation in ("new", "current") else "spin_key_value"
    return f"{prefix}.{operation}", {}


def _sqlite(operation: str, arguments: tuple[Any, ...]) -> tuple[str, Attributes]:
    attributes: Attributes = {"db.system.name": "sqlite"}
    operation = operation.removesuffix("_async")
    if operation == "open":
        attributes["database"] = str(arguments[0])
    else:
        attributes["query"] = str(arguments[1])
    return f"spin_sqlite.{operation}", attributes


def _database(prefix: str, system: str, *, named_by_statement: bool = False) -> Describe:
    def describe(operation: str, arguments: tuple[Any, ...]) -> tuple[str, Attributes]:
        attributes: Attributes = {"db.system.name": system}
        name = f"{prefix}.{operation}"
        if operation.startswith("open"):
            attributes |= _address(str(arguments[0]))
        elif operation == "execute_async":
            name = f"{prefix}.execute"
        if operation.startswith(("query", "execute")):
            statement = str(arguments[1])
            attributes["statement"] = statement
            name = statement if named_by_statement else name
        return name, attributes

    return describe


_REDIS = {"incr": "INCRBY"}


def _redis(operation: str, arguments: tuple[Any, ...]) -> tuple[str, Attributes]:
    attributes: Attributes = {"db.system.name": "redis"}
    if operation == "open":
        return "spin_outbound_redis.open_connection", attributes | _address(str(arguments[0]))
    if operation == "execute":
        return str(arguments[1]), attributes
    return _REDIS.get(operation, operation.upper()), attributes


def _mqtt(operation: str, arguments: tuple[Any, ...]) -> tuple[str, Attributes]:
    if operation == "open":
        return "spin_outbound_mqtt.open_connection", {}
    return "spin_outbound_mqtt.publish", {
        "messaging.operation": "publish",
        "messaging.system": "mqtt",
        "messaging.destination.name": str(arguments[1]),
    }


def _llm(operation: str, arguments: tuple[Any, ...]) -> tuple[str, Attributes]:
    return f"spin_llm.{operation}", {"model": str(arguments[0])}


_STORE = frozenset({"open", "get", "set", "delete", "exists", "get_keys"})
_SQL = frozenset({"open", "execute", "query", "open_async", "execute_async", "query_async"})
_REDIS_CALLS = frozenset(
    {"open", "publish", "get", "set", "incr", "del", "sadd", "smembers", "srem", "execute"}
)


@attrs.frozen
class _Family:
    """Interfaces whose calls are shown alike.

    Attributes:
        pattern: What their names begin with.
        operations: Which of their functions are shown.
        describe: How.
        blames: Whether errors say whose fault they are.
        backend: The attribute that says what is behind a call; empty for none.
    """

    pattern: str
    operations: Set[str]
    describe: Describe
    blames: bool = False
    backend: str = ""


_FAMILIES = (
    _Family(
        r"(fermyon:spin|spin:key-value)/key-value@",
        _STORE,
        _plain("spin_key_value"),
        backend="kv.backend",
    ),
    _Family(
        r"wasi:keyvalue/store@", _STORE - {"get_keys"} | {"list_keys"}, _plain("wasi_key_value")
    ),
    _Family(
        r"wasi:keyvalue/batch@", {"get_many", "set_many", "delete_many"}, _plain("spin_key_value")
    ),
    _Family(r"wasi:keyvalue/atomics@", {"increment", "swap", "new", "current"}, _atomics),
    _Family(r"(fermyon:spin|spin:variables)/variables@", {"get"}, _keyed("spin_variables")),
    _Family(r"fermyon:spin/config$", {"get_config"}, _config),
    _Family(r"wasi:config/", {"get", "get_all"}, _keyed("wasi_config")),
    _Family(
        r"(fermyon:spin|spin:sqlite)/sqlite@",
        {"open", "execute", "open_async", "execute_async"},
        _sqlite,
        blames=True,
        backend="sqlite.backend",
    ),
    _Family(
        r"(fermyon:spin|spin:postgres)/postgres(@|$)",
        _SQL,
        _database("spin_outbound_pg", "postgresql"),
        blames=True,
    ),
    _Family(
        r"spin:mysql/mysql@3",
        _SQL,
        _database("spin_outbound_mysql", "mysql", named_by_statement=True),
        blames=True,
    ),
    _Family(
        r"fermyon:spin/mysql(@|$)", _SQL, _database("spin_outbound_mysql", "mysql"), blames=True
    ),
    _Family(r"(fermyon:spin|spin:redis)/redis@", _REDIS_CALLS, _redis, blames=True),
    _Family(r"(fermyon:spin|spin:mqtt)/mqtt@", {"open", "publish"}, _mqtt),
    _Family(
        r"fermyon:spin/llm(@|$)", {"infer", "generate_embeddings"}, _llm, backend="llm.backend"
    ),
)


def _operation(function: str) -> str:
    """``[method]store.get-keys`` is ``get_keys``."""
    return function.rpartition("]")[2].rpartition(".")[2].replace("-", "_")


def _found(interface: str, function: str) -> _Family | None:
    for family in _FAMILIES:
        if re.match(family.pattern, interface):
            return family if _operation(function) in family.operations else None
    return None


def is_traced(interface: str, function: str) -> bool:
    """Whether calls of a function are in traces."""
    return _found(interface, function) is not None


def span_of(call: HostCall) -> CallSpan | None:
    """Return how a call is shown; ``None`` for one that is not traced."""
    found = _found(call.interface, call.function)
    if found is None:
        return None
    name, attributes = found.describe(_operation(call.function), call.arguments)
    if found.backend and call.backend is not None:
        attributes[found.backend] = call.backend
    return CallSpan(name, attributes, name == "spin_outbound_mqtt.publish", found.blames)


def _address(text: str) -> Attributes:
    """Host, port and database of a URL; nothing of what else an address may look like."""
    attributes: Attributes = {}
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return attributes
    if not parts.scheme or not parts.hostname:
        return attributes
    attributes["server.address"] = parts.hostname
    if port is not None:
        attributes["server.port"] = port
    if parts.path.strip("/"):
        attributes["db.namespace"] = unquote(parts.path.strip("/"))
    return attributes


_SECRETS = re.compile(
    r"(?<=://)[^/@\s]*@|(?P<name>\bpass(?:word|wd|phrase)?\s*=\s*)(?:'[^']*'|\S+)", re.IGNORECASE
)
_OF_THE_HOST = frozenset(
    {"connection-failed", "io", "other", "runtime-error", "too-many-connections"}
)


def problem_of(error: BaseException) -> tuple[str, str]:
    """Return how a call failed, in words without credentials, and who is to blame.

    Returns:
        The text, and ``guest`` or ``host``.
    """
    payload: Any = getattr(error, "payload", None)
    case = payload[0] if isinstance(payload, tuple) and payload else payload
    if isinstance(payload, tuple) and len(payload) > 1 and payload[1] is not None:
        text = f"{case}: {_plain_text(payload[1])}"
    else:
        text = str(case) if case is not None else str(error) or type(error).__name__
    blame = "host" if payload is None or case in _OF_THE_HOST else "guest"
    return masked(text), blame


def masked(text: str) -> str:
    """Return a text without the passwords in addresses, of URLs and of the form NAME=VALUE."""
    return _SECRETS.sub(lambda found: f"{found['name']}***" if found["name"] else "***@", text)


def _plain_text(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("message", value))
    if isinstance(value, tuple):
        return ": ".join(_plain_text(part) for part in value if part is not None)
    return str(value)
