"""``fermyon:spin/redis@2.0.0`` and ``spin:redis@3.0.0``: connections to Redis servers.

An address that the manifest does not allow is ``invalid-address``, as is one that cannot be read.
What the server says of a type that does not fit is ``type-error``, everything else ``other``.
Version 3 has the same functions, asynchronous: while a server is asked, other requests of the
instance go on.

Source: contract spin-host.md, DB-4, NET-22, CONF-5 to CONF-7; contract wasi03.md, SK-30.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from edgezero_spin.host.factors.blocking import in_thread
from edgezero_spin.host.factors.bounds import MAX_RESULT_BYTES, claim, release
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_networking.allowed_hosts import may_connect
from edgezero_spin.host.factors.outbound_networking.connection_slots import ConnectionSlots
from edgezero_spin.host.factors.redis.address import RedisAddress, parse_redis_address
from edgezero_spin.host.factors.redis.client import RedisConnection
from edgezero_spin.host.factors.redis.replies import RedisError, RedisReplyError, Status
from edgezero_spin.host.runtime.interface import HostFunction, Interface, WitError

__all__ = ["REDIS", "REDIS_3", "RedisConnectionResource"]

_KIND = "redis connection"

MAX_COUNT = 2**32 - 1

Result = tuple[str, Any]


class RedisConnectionResource:
    """One open handle; calls of several requests take turns.

    Attributes:
        slots: Where it counts.
    """

    def __init__(self, native: RedisConnection, slots: ConnectionSlots) -> None:
        self.native = native
        self.slots = slots
        self._lock = threading.Lock()
        self._dropped = False

    @contextmanager
    def used(self) -> Iterator[None]:
        """Hold the connection during one call."""
        try:
            with self._lock:
                yield
        finally:
            if self._dropped:
                self.native.close()

    def drop(self, state: InstanceState) -> None:
        """Close it, or leave that to the call that still uses it; make room for another."""
        self._dropped = True
        if self._lock.acquire(blocking=False):
            self.native.close()
            self._lock.release()
        self.slots.release()
        release(state, _KIND)


def _other(message: str) -> WitError:
    return WitError(("other", message))


def _address(state: InstanceState, address: str, *, apart: bool) -> RedisAddress:
    if not may_connect(state, address, "redis", apart=apart):
        raise WitError(("invalid-address", None))
    try:
        return parse_redis_address(address)
    except ValueError:
        raise WitError(("invalid-address", None)) from None


@contextmanager
def _place(state: InstanceState) -> Iterator[ConnectionSlots]:
    """Take a place for one more connection, and give it back where that fails."""
    slots = state.grants.network.redis_slots
    if not claim(state, _KIND):
        raise WitError(("too-many-connections", None))
    if not slots.claim():
        slots.report_rejection()
        release(state, _KIND)
        raise WitError(("too-many-connections", None))
    try:
        yield slots
    except BaseException as error:
        slots.release()
        release(state, _KIND)
        if isinstance(error, RedisError):
            raise _other(error.message) from error
        raise


def _connect(state: InstanceState, server: RedisAddress) -> RedisConnection:
    blocked = state.grants.network.blocked.blocks
    return RedisConnection(server, check=state.check, blocked=blocked)


def _open(state: InstanceState, address: str) -> RedisConnectionResource:
    server = _address(state, address, apart=False)
    with _place(state) as slots, state.asleep():
        return RedisConnectionResource(_connect(state, server), slots)


async def _open_3(state: InstanceState, address: str) -> RedisConnectionResource:
    server = await in_thread(lambda: _address(state, address, apart=True))
    with _place(state) as slots:
        native = await in_thread(lambda: _connect(state, server), RedisConnection.close)
        return RedisConnectionResource(native, slots)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except RedisReplyError as error:
        if error.code == "WRONGTYPE" or "not an integer" in error.message:
            raise WitError(("type-error", None)) from error
        raise _other(error.message) from error
    except RedisError as error:
        raise _other(error.message) from error


def _call(connection: RedisConnectionResource, *command: bytes | str | int) -> Any:
    with _errors(), connection.used():
        return connection.native.call(*command, max_bytes=MAX_RESULT_BYTES)


def _value_of(reply: Any) -> bytes | None:
    if reply is None or isinstance(reply, bytes):
        return reply
    if isinstance(reply, Status):
        return reply.encode()
    raise WitError(("type-error", None))


def _number_of(reply: Any, most: int = 2**63 - 1) -> int:
    # In a transaction the server says QUEUED to everything.
    if not isinstance(reply, int) or reply > most:
        raise WitError(("type-error", None))
    return reply


def _count_of(reply: Any) -> int:
    return _number_of(reply, MAX_COUNT)


def _texts_of(reply: Any) -> list[str]:
    if not isinstance(reply, list):
        raise WitError(("type-error", None))
    try:
        return [(_value_of(member) or b"").decode() for member in reply]
    except UnicodeDecodeError:
        raise WitError(("type-error", None)) from None


# Name of a function to the command that it sends and what makes its result of the reply.
_COMMANDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "publish": ("PUBLISH", lambda reply: None),
    "get": ("GET", _value_of),
    "set": ("SET", lambda reply: None),
    "incr": ("INCR", _number_of),
    "del": ("DEL", _count_of),
    "sadd": ("SADD", _count_of),
    "smembers": ("SMEMBERS", _texts_of),
    "srem": ("SREM", _count_of),
}


def _method(command: str, result_of: Callable[[Any], Any]) -> Callable[..., Any]:
    def call(state: InstanceState, connection: RedisConnectionResource, *arguments: Any) -> Any:
        # A list is the last parameter, and its values are parts of the command.
        *first, last = arguments
        values = last if isinstance(last, list | tuple) else [last]
        return result_of(_call(connection, command, *first, *values))

    return call


def _execute(
    state: InstanceState, connection: RedisConnectionResource, command: str, arguments: list[Result]
) -> list[Result]:
    reply = _call(connection, command, *[value for _, value in arguments])
    with _errors():
        return list(_flat(reply))


def _flat(reply: Any) -> Iterator[Result]:
    """Yield the parts of a reply, lists in lists included, as Spin does."""
    if isinstance(reply, list):
        for part in reply:
            yield from _flat(part)
    elif isinstance(reply, RedisReplyError):
        raise reply
    elif reply is None:
        yield "nil", None
    elif isinstance(reply, Status):
        yield "status", str(reply)
    elif isinstance(reply, int):
        yield "int64", reply
    else:
        yield "binary", reply


_METHODS: dict[str, Callable[..., Any]] = {
    **{name: _method(*command) for name, command in _COMMANDS.items()},
    "execute": _execute,
}


def _asleep(function: Callable[..., Any]) -> HostFunction:
    def call(state: InstanceState, *arguments: Any) -> Any:
        with state.asleep():
            return function(state, *arguments)

    return call


def _in_thread(function: Callable[..., Any]) -> HostFunction:
    return lambda *arguments: in_thread(partial(function, *arguments))


REDIS = Interface(
    "fermyon:spin/redis@2.0.0",
    {
        "[static]connection.open": _open,
        **{f"[method]connection.{name}": _asleep(call) for name, call in _METHODS.items()},
    },
    {"connection": RedisConnectionResource},
)
"""The interface of version 2."""

REDIS_3 = Interface(
    "spin:redis/redis@3.0.0",
    {
        "[static]connection.open": _open_3,
        **{f"[method]connection.{name}": _in_thread(call) for name, call in _METHODS.items()},
    },
    {"connection": RedisConnectionResource},
)
"""The interface of version 3."""
