"""Redis servers: keys, counters, sets, messages and commands.

Source: contract spin-host.md, DB-4; ``spin:redis@3.0.0``.
"""

from typing import Any, ClassVar, TypeVar, overload

from edgezero_spin.stores.databases.backend import DatabaseFailure, RedisBackend
from edgezero_spin.stores.databases.connecting import DatabaseHandle
from edgezero_spin.stores.declaration import DatabaseKind
from edgezero_spin.stores.json_values import decode, encode
from edgezero_spin.stores.structuring import structurer

__all__ = ["Redis"]

T = TypeVar("T")

Reply = None | str | int | bytes


class Redis(DatabaseHandle[RedisBackend]):
    """A Redis server.

    The address is a variable, ``redis://:password@host``. Values are bytes; a text is stored as
    UTF-8, every other value as JSON.

    Every method may raise ``DatabaseOpenError`` and ``QueryError``.
    """

    kind: ClassVar[DatabaseKind] = "redis"

    __slots__ = ()

    @overload
    async def get(self, key: str) -> bytes | None: ...
    @overload
    async def get(self, key: str, to: type[T]) -> T | None: ...
    @overload
    async def get(self, key: str, to: Any) -> Any: ...
    async def get(self, key: str, to: Any = None) -> Any:
        """Return a value, ``None`` where there is none.

        Args:
            key: The key.
            to: What the value is JSON of; ``str`` decodes it. Bytes unless given.

        Raises:
            JsonValueError: It is not JSON of that type.
        """
        value: bytes | None = await self._call("get", key)
        if value is None or to is None or to is bytes:
            return value
        return value.decode() if to is str else structurer(to)(decode(value))

    async def set(self, key: str, value: Any) -> None:
        """Store a value: bytes and text as they are, everything else as JSON."""
        await self._call("set", key, _bytes_of(value))

    async def delete(self, *keys: str) -> int:
        """Remove keys; return how many were there."""
        count: int = await self._call("del", list(keys)) if keys else 0
        return count

    async def incr(self, key: str) -> int:
        """Add one to a number, which is 0 where there is none; return the new one."""
        number: int = await self._call("incr", key)
        return number

    async def sadd(self, key: str, *members: str) -> int:
        """Put members into a set; return how many are new."""
        count: int = await self._call("sadd", key, list(members)) if members else 0
        return count

    async def smembers(self, key: str) -> frozenset[str]:
        """Return the members of a set."""
        return frozenset(await self._call("smembers", key))

    async def srem(self, key: str, *members: str) -> int:
        """Take members out of a set; return how many were in it."""
        count: int = await self._call("srem", key, list(members)) if members else 0
        return count

    async def publish(self, channel: str, payload: Any) -> None:
        """Send a message to a channel; its value as in ``set``."""
        await self._call("publish", channel, _bytes_of(payload))

    async def execute(self, command: str, *arguments: str | bytes | int) -> list[Reply]:
        """Send any command: ``execute("HGETALL", "cart:7")``.

        Returns:
            The parts of the reply, lists in lists made flat: ``bytes`` for values, ``str`` for a
            status such as ``OK``, ``int``, and ``None`` for nil.

        Raises:
            TypeError: An argument is of another type.
        """
        parameters = [_parameter(argument) for argument in arguments]
        replies: list[tuple[str, Any]] = await self._call(
            "execute", command, parameters, shown=command
        )
        return [payload for _, payload in replies]

    async def _call(self, function: str, *arguments: Any, shown: str = "") -> Any:
        statement = shown or function.upper()
        connection = await self._connected(statement)
        try:
            return await connection.call(function, *arguments)
        except DatabaseFailure as failure:
            raise self._error_of(failure, statement) from None


def _bytes_of(value: Any) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    return value.encode() if isinstance(value, str) else encode(value)


def _parameter(value: Any) -> tuple[str, Any]:
    if isinstance(value, str):
        return "binary", value.encode()
    if isinstance(value, bytes | bytearray | memoryview):
        return "binary", bytes(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return "int64", value
    raise TypeError(
        f"an argument of a Redis command is str, bytes or int, not {type(value).__name__}"
    )
