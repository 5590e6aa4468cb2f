"""Parallel transfers: several at a time, stopped soon when one fails.

The threads are daemons: one that waits for a silent registry holds up neither Ctrl-C nor the
end of the process, as those of an executor would.

Source: contract spin-host.md, OCI-25.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from typing import TypeVar

from edgezero_spin.manifest.spin import FetchError

__all__ = ["PARALLEL", "PiecesUntilStopped", "each"]

PARALLEL = 16
"""Layers that are sent or fetched at once."""

GRACE_S = 2.0
"""Seconds for what is under way to stop by itself."""

T = TypeVar("T")

PiecesUntilStopped = Callable[[Iterable[bytes]], Iterator[bytes]]
"""Passes bytes on until everything is to stop."""


def each(work: Callable[[T, PiecesUntilStopped], object], items: Iterable[T]) -> None:
    """Call a function with each of some items, in any order.

    Args:
        work: The function. It takes bytes through its second argument, so that it ends when
            another one fails.
        items: What to call it with.

    Raises:
        BaseException: The first that a call raises, or that comes to whoever waits; nothing
            is begun after it.
    """
    stopped = threading.Event()
    waiting: SimpleQueue[T] = SimpleQueue()
    done: SimpleQueue[BaseException | None] = SimpleQueue()
    count = 0
    for item in items:
        waiting.put(item)
        count += 1

    def pass_on(pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            if stopped.is_set():
                raise FetchError("another layer failed")
            yield piece

    def run() -> None:
        while not stopped.is_set():
            try:
                item = waiting.get_nowait()
            except Empty:
                return
            try:
                work(item, pass_on)
                done.put(None)
            except BaseException as error:
                # In this order: what it breaks off comes after it.
                done.put(error)
                stopped.set()

    threads = [threading.Thread(target=run, daemon=True) for _ in range(min(count, PARALLEL))]
    for thread in threads:
        thread.start()
    try:
        for _ in range(count):
            error = done.get()
            if error is not None:
                raise error
    finally:
        stopped.set()
        end = time.monotonic() + GRACE_S
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
