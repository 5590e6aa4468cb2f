"""Event loops, as threads that do not run them see them."""

import asyncio
from collections.abc import Callable

__all__ = ["call_in"]


def call_in(loop: asyncio.AbstractEventLoop, action: Callable[[], object]) -> None:
    """Do something in a loop, from any thread; a loop that is closed has no use for it."""
    try:
        loop.call_soon_threadsafe(action)
    except RuntimeError:
        return
