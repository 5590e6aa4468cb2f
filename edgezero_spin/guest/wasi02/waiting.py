"""Wait for the host: beside the other tasks where there is an event loop, else blocking.

In: a pollable, fresh from ``subscribe``. It is dropped before the wait returns, however it
ends, because a pollable is a child of what it was made of.

Source: ``wasi:io/poll@0.2.0``.
"""

from collections.abc import Awaitable
from typing import Protocol

from wit_world.imports import poll

__all__ = ["PollableLoop", "has_loop", "until_ready", "use_loop"]


class PollableLoop(Protocol):
    """An event loop that waits for pollables."""

    def when_ready(self, pollable: poll.Pollable) -> Awaitable[None]:
        """Return what ends when the pollable is ready."""


_loop: PollableLoop | None = None


def use_loop(loop: PollableLoop) -> None:
    """Have coroutines of this component wait on a loop. Called while it is built."""
    global _loop
    _loop = loop


def has_loop() -> bool:
    """Whether coroutines of this component run beside each other."""
    return _loop is not None


async def until_ready(pollable: poll.Pollable) -> None:
    """Wait for a pollable and drop it."""
    try:
        if _loop is None:
            pollable.block()
        else:
            await _loop.when_ready(pollable)
    finally:
        pollable.__exit__(None, None, None)
