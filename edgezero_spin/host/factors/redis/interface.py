"""``fermyon:spin/redis@2.0.0``: connections of a guest to Redis servers.

An address that the manifest does not allow is ``invalid-address``, just as one that is none.
What the server says of a type that does not fit is ``type-error``, everything else ``other``.

Source: contract spin-host.md, DB-4, NET-22, CONF-5 to CONF-7.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edgezero_spin.host.factors.blocking import away, check
from edgezero_spin.host.factors.bounds import MAX_RESULT_BYTES, claim, release
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_networking.addresses import may_connect
from edgezero_spin.host.factors.outbound_networking.connection_slots import ConnectionSlots
from edgezero_spin.host.factors.redis.client import (
    RedisConnection,
    RedisError,
    RedisReplyError,
    Status,
    parse_redis_address,
)
from edgezero_spin.host.runtime.interface import Interface, WitError

__all__ = ["REDIS", "RedisConnectionResource"]

_KIND = "redis connection"

MAX_COUNT = 2**32 - 1

Result = tuple[str, Any]


class RedisConnectionResource:
    """One open handle.

    Attributes:
        native: The connection.
        slots: Where it counts.
    """

    __slots__ = ("native", "slots")

    def __init__(self, native: RedisConnection, slots: ConnectionSlots) -> None:
        self.native = native
        self.slots = slots

    def drop(self, state: InstanceState) -> None:
        """Close it, and make room for another."""
        self.native.close()
        self.slots.release()
        release(state, _KIND)


def _other(message: str) -> WitError:
    return WitError(("other", message))


def _open(state: InstanceState, address: str) -> RedisConnectionResource:
    if not may_connect(state, address, "redis"):
        raise WitError(("invalid-address", None))
    try:
        server = parse_redis_address(address)
    except ValueError:
        raise WitError(("invalid-address", None)) from None
    rules = state.grants.network
    slots = rules.redis_slots
    if not claim(state, _KIND):
        raise WitError(("too-many-connections", None))
    if not slots.claim():
        release(state, _KIND)
        raise WitError(("too-many-connections", None))
    try:
        with away(state):
            native = RedisConnection(
                server, check=lambda: check(state), blocked=rules.blocked.blocks
            )
    except BaseException as error:
        slots.release()
        release(state, _KIND)
        if isinstance(error, RedisError):
            raise _other(error.message) from error
        raise
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


def _call(
    state: InstanceState, connection: RedisConnectionResource, *command: bytes | str | int
) -> Any:
    with _errors(), away(state):
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


def _texts_of(reply: Any) -> list[str]:
    if not isinstance(reply, list):
        raise WitError(("type-error", None))
    try:
        return [(_value_of(member) or b"").decode() for member in reply]
    except UnicodeDecodeError:
        raise WitError(("type-error", None)) from None


def _publish(
    state: InstanceState, connection: RedisConnectionResource, channel: str, payload: bytes
) -> None:
    _call(state, connection, "PUBLISH", channel, payload)


def _get(state: InstanceState, connection: RedisConnectionResource, key: str) -> bytes | None:
    return _value_of(_call(state, connection, "GET", key))


def _set(state: InstanceState, connection: RedisConnectionResource, key: str, value: bytes) -> None:
    _call(state, connection, "SET", key, value)


def _incr(state: InstanceState, connection: RedisConnectionResource, key: str) -> int:
    return _number_of(_call(state, connection, "INCR", key))


def _del(state: InstanceState, connection: RedisConnectionResource, keys: list[str]) -> int:
    return _number_of(_call(state, connection, "DEL", *keys), MAX_COUNT)


def _sadd(
    state: InstanceState, connection: RedisConnectionResource, key: str, values: list[str]
) -> int:
    return _number_of(_call(state, connection, "SADD", key, *values), MAX_COUNT)


def _smembers(state: InstanceState, connection: RedisConnectionResource, key: str) -> list[str]:
    return _texts_of(_call(state, connection, "SMEMBERS", key))


def _srem(
    state: InstanceState, connection: RedisConnectionResource, key: str, values: list[str]
) -> int:
    return _number_of(_call(state, connection, "SREM", key, *values), MAX_COUNT)


def _execute(
    state: InstanceState, connection: RedisConnectionResource, command: str, arguments: list[Result]
) -> list[Result]:
    reply = _call(state, connection, command, *[value for _, value in arguments])
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


REDIS = Interface(
    "fermyon:spin/redis@2.0.0",
    {
        "[static]connection.open": _open,
        "[method]connection.publish": _publish,
        "[method]connection.get": _get,
        "[method]connection.set": _set,
        "[method]connection.incr": _incr,
        "[method]connection.del": _del,
        "[method]connection.sadd": _sadd,
        "[method]connection.smembers": _smembers,
        "[method]connection.srem": _srem,
        "[method]connection.execute": _execute,
    },
    {"connection": RedisConnectionResource},
)
"""The interface, version included."""
