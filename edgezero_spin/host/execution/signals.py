"""How SIGINT and SIGTERM reach a server, whichever thread runs its loop.

Python hands a signal to the main thread alone. Where that runs the server's loop, the loop takes
it; where it waits for the threads that do, it passes it on.

Source: contract spin-host.md, LIFE-10.
"""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from edgezero_spin.host.exchange.loops import call_in

__all__ = ["Handling", "MainThreadSignals", "SignalHandler", "loop_signals", "no_signals"]

SignalHandler = Callable[[int, FrameType | None], None]

Handling = Callable[[SignalHandler], contextlib.AbstractContextManager[None]]
"""Has signals handled while its block runs; called in the loop."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def no_signals(handler: SignalHandler) -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()


@contextlib.contextmanager
def loop_signals(handler: SignalHandler) -> Iterator[None]:
    """Handle signals in the loop, which the main thread runs."""
    loop = asyncio.get_running_loop()
    handled = []
    for number in SIGNALS:
        try:
            loop.add_signal_handler(number, handler, number, None)
        except (NotImplementedError, RuntimeError, ValueError):
            # Not in the main thread, or not on this system: whoever called stops us.
            continue
        handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


class MainThreadSignals:
    """Signals that the main thread takes and passes on to a loop of another thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._came: list[int] = []
        self._handler: SignalHandler | None = None

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Take them while the block runs. Without effect on another than the main thread."""
        before = {}
        if threading.current_thread() is threading.main_thread():
            before = {number: signal.signal(number, self._take) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                # None is one that was not set from Python, which cannot be set again.
                if handler is not None:
                    signal.signal(number, handler)

    @contextlib.contextmanager
    def handling(self, handler: SignalHandler) -> Iterator[None]:
        """Handle those that came and those that come; in the loop."""
        self._handler = handler
        self._pass_on()
        try:
            yield
        finally:
            self._handler = None

    def _take(self, number: int, frame: FrameType | None) -> None:
        self._came.append(number)
        call_in(self._loop, self._pass_on)

    def _pass_on(self) -> None:
        while self._handler is not None and self._came:
            self._handler(self._came.pop(0), None)
