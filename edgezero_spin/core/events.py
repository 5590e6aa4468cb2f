"""Server-sent events: the stream of events that a page reads with ``EventSource``.

In: an iterator or async iterator of events, text or JSON-able values. Out: the bytes of
``text/event-stream``. Where the program has an event loop, a comment goes out whenever nothing has
happened for a while, so that nobody in between takes the connection for dead.

Source: HTML, 9.2, "Server-sent events".
"""

import re
import sys
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any, TypeAlias

import attrs

from edgezero_spin.stores.json_values import encode

__all__ = ["Event", "EventSource", "event_chunks"]

EventSource: TypeAlias = Iterable[Any] | AsyncIterable[Any]
"""Sources of events: ``Event``s, text, or values that JSON can hold."""

_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_COMMENT = b":\n\n"
_NOTHING: Any = object()


def _one_line(event: "Event", attribute: Any, value: str | None) -> None:
    if value is not None and not {"\n", "\r", "\0"}.isdisjoint(value):
        raise ValueError(f"the {attribute.name} of an event is one line, got {value!r}")


@attrs.frozen
class Event:
    """One server-sent event.

    Attributes:
        data: Text of any number of lines, or a value that is sent as JSON.
        event: Its type, which the page listens for; ``message`` when not given.
        id: What the browser sends as ``last-event-id`` when it connects again.
        retry: Milliseconds that the browser then waits before it does.

    Raises:
        ValueError: ``event`` or ``id`` is more than one line, or ``retry`` is negative.
    """

    data: Any = ""
    event: str | None = attrs.field(default=None, validator=_one_line, kw_only=True)
    id: str | None = attrs.field(default=None, validator=_one_line, kw_only=True)
    retry: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.ge(0)), kw_only=True
    )

    def encode(self) -> bytes:
        """Return its bytes.

        Raises:
            JsonValueError: ``data`` is not text and has no JSON form.
        """
        data = self.data if isinstance(self.data, str) else encode(self.data).decode()
        lines = [f"{name}: {value}" for name, value in self._fields() if value is not None]
        lines += [f"data: {line}" for line in _LINE_ENDS.split(data)]
        return ("\n".join(lines) + "\n\n").encode()

    def _fields(self) -> tuple[tuple[str, object], ...]:
        return ("event", self.event), ("id", self.id), ("retry", self.retry)


async def event_chunks(source: EventSource, keep_alive_s: float) -> AsyncIterator[bytes]:
    """Encode events as they come, and end the source when the client is gone."""
    # hasattr and not isinstance: an abstract class's first answer is dear in a component.
    events: Any = source.__aiter__() if hasattr(source, "__aiter__") else _as_async(source)
    waited: Any = (_waiting() or _without_waiting)(events, keep_alive_s)
    try:
        async for event in waited:
            if event is _NOTHING:
                yield _COMMENT
            else:
                yield (event if isinstance(event, Event) else Event(event)).encode()
    finally:
        await waited.aclose()
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()


async def _as_async(events: Iterable[Any]) -> AsyncIterator[Any]:
    try:
        for event in events:
            yield event
    finally:
        close = getattr(events, "close", None)
        if close is not None:
            close()


def _waiting() -> Any:
    """What waits with an event loop; ``None`` where there is none.

    A program without asyncio has none, and is not to carry it for this.
    """
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or asyncio._get_running_loop() is None:
        return None

    async def wait(events: AsyncIterator[Any], keep_alive_s: float) -> AsyncIterator[Any]:
        """Give events, and ``_NOTHING`` at the start and whenever none came in time."""
        task = None
        # The head goes out at once, unless the first event or an error is there already.
        timeout: float | None = 0
        try:
            while True:
                task = task or asyncio.ensure_future(_next(events))
                await asyncio.wait((task,), timeout=timeout)
                timeout = keep_alive_s or None
                if not task.done():
                    yield _NOTHING
                    continue
                found, task = task.result(), None
                if not found:
                    return
                yield found[0]
        finally:
            if task is not None:
                task.cancel()
                await asyncio.wait((task,))

    return wait


async def _next(events: AsyncIterator[Any]) -> tuple[Any, ...]:
    async for event in events:
        return (event,)
    return ()


async def _without_waiting(events: AsyncIterator[Any], _: float) -> AsyncIterator[Any]:
    async for event in events:
        yield event
