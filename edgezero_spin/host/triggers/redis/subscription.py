"""A subscription to channels of a Redis server, in an event loop.

In: an address and channels. Out: the messages, one after the other, or what is wrong with the
server. What is not read yet is bounded; a message that is too large is skipped with a line in the
log. A server that says nothing is asked every few seconds whether it is there.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/ and
https://redis.io/docs/latest/develop/pubsub/; contract services.md, RDT-3, RDT-4, RDT-9.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any, Self

from edgezero_spin.host.factors.redis.address import RedisAddress
from edgezero_spin.host.factors.redis.client import encoded
from edgezero_spin.host.triggers.reconnecting import ServerGoneError
from edgezero_spin.host.triggers.trigger import TriggerFailedError

__all__ = ["MAX_MESSAGE_BYTES", "Subscription"]

logger = logging.getLogger("edgezero_spin.host")

CONNECT_TIMEOUT_S = 10.0
LOOK_S = 15.0
"""Seconds of silence after which the server is asked, and as many for its answer."""

READ_AHEAD_BYTES = 8 * 1024 * 1024
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Bytes of a payload past which a message is skipped."""

PIECE_BYTES = 65_536

# Answers that another attempt would get, too.
REFUSALS = ("WRONGPASS", "NOAUTH", "NOPERM", "ERR")


class Subscription:
    """A connection that is subscribed. Use it in ``async with``."""

    def __init__(self, address: RedisAddress, channels: Sequence[str]) -> None:
        """Connect to nothing yet.

        Args:
            address: The server.
            channels: What to subscribe to; no patterns.
        """
        self._address = address
        self._channels = channels
        self._heard = True
        self._silent = False

    async def __aenter__(self) -> Self:
        """Connect, log in and subscribe.

        Raises:
            ServerGoneError: The server cannot be reached.
            TriggerFailedError: It refuses.
        """
        address = self._address
        context = ssl.create_default_context() if address.tls else None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                self._reader, self._writer = await asyncio.open_connection(
                    address.host, address.port, ssl=context, limit=READ_AHEAD_BYTES
                )
        except (OSError, UnicodeError) as error:
            reason = str(error) or "timed out"
            raise ServerGoneError(
                f"Redis trigger failed to connect to {address}: {reason}"
            ) from error
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._log_in()
                for channel in self._channels:
                    await self._call("SUBSCRIBE", channel.encode())
        except TimeoutError as error:
            self.close()
            raise ServerGoneError(
                f"Redis trigger failed to connect to {address}: the server does not answer"
            ) from error
        except BaseException:
            self.close()
            raise
        self._watch = asyncio.get_running_loop().call_later(LOOK_S, self._look)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._watch.cancel()
        self.close()

    def close(self) -> None:
        """Close the connection. Twice is harmless."""
        self._writer.transport.abort()

    async def messages(self) -> AsyncIterator[tuple[str, bytes]]:
        """Yield channel and payload of each message. Ends by an error only.

        Raises:
            ServerGoneError: The connection is lost.
        """
        while True:
            self._heard = False
            reply = await self._reply()
            self._silent = False
            # Whoever takes the message may need long; the server is not silent meanwhile.
            self._heard = True
            if isinstance(reply, list) and len(reply) == 3 and reply[0] == b"message":
                if not isinstance(reply[1], bytes) or not isinstance(reply[2], bytes | None):
                    raise self._nonsense()
                channel, payload = reply[1].decode("utf-8", "replace"), reply[2]
                if payload is None:
                    logger.error(
                        "a message on %r of %s has more than %d bytes and was skipped",
                        channel,
                        self._address,
                        MAX_MESSAGE_BYTES,
                    )
                else:
                    yield channel, payload

    def _look(self) -> None:
        """Ping a silent server; close the connection of one that did not answer."""
        if self._heard:
            self._silent = False
        elif self._silent:
            self.close()
            return
        else:
            self._silent = True
            self._writer.write(encoded(("PING",)))
        self._watch = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    async def _log_in(self) -> None:
        address = self._address
        if address.password is not None:
            user = () if address.username is None else (address.username,)
            await self._call("AUTH", *user, address.password)
        if address.database:
            await self._call("SELECT", address.database)

    async def _call(self, *command: bytes | str | int) -> None:
        self._writer.write(encoded(command))
        reply = await self._reply()
        if isinstance(reply, str):
            verb = "subscribe" if command[0] == "SUBSCRIBE" else "connect"
            problem = f"Redis trigger failed to {verb} to {self._address}: {reply}"
            if reply.partition(" ")[0] in REFUSALS:
                raise TriggerFailedError(problem)
            # It is still loading its data, or is about to be replaced.
            raise ServerGoneError(problem)

    async def _reply(self, depth: int = 0) -> Any:
        """Return a reply: bytes, a list, ``None``, or a ``str`` that is an error."""
        try:
            line = (await self._reader.readuntil(b"\r\n"))[:-2]
        except (OSError, EOFError) as error:
            raise ServerGoneError(f"disconnected from {self._address}") from error
        except asyncio.LimitOverrunError as error:
            raise self._nonsense() from error
        kind, text = line[:1], line[1:]
        if kind == b"*" and depth < 2:
            length = self._number(text)
            if length > 16:
                raise self._nonsense()
            return [await self._reply(depth + 1) for _ in range(length)]
        if kind == b"$":
            return await self._bulk(self._number(text))
        if kind == b"-":
            return text[:200].decode("utf-8", "replace")
        if kind in (b"+", b":"):
            return text
        raise self._nonsense()

    async def _bulk(self, length: int) -> bytes | None:
        if length < 0:
            return None
        try:
            if length <= MAX_MESSAGE_BYTES:
                return (await self._reader.readexactly(length + 2))[:-2]
            left = length + 2
            while left:
                left -= len(await self._reader.readexactly(min(left, PIECE_BYTES)))
        except (OSError, EOFError) as error:
            raise ServerGoneError(f"disconnected from {self._address}") from error
        return None

    def _number(self, text: bytes) -> int:
        with suppress(ValueError):
            return int(text)
        raise self._nonsense()

    def _nonsense(self) -> TriggerFailedError:
        return TriggerFailedError(
            f"the server at {self._address} does not speak the Redis protocol"
        )
