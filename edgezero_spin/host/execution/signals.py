"""SIGINT, SIGTERM and SIGHUP for a server, whichever thread runs its loop.

Where the main thread runs the server's loop, the loop takes a signal. Where it waits for the
threads that do, Python would call a handler only once the main thread wakes up. There a signal is
a byte in a socket that the loop reads (``signal.set_wakeup_fd``), for which nobody has to wake up.

Source: contract spin-host.md, LIFE-10.
"""

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType

__all__ = [
    "Handling",
    "MainThreadSignals",
    "SignalHandler",
    "ending_signals",
    "loop_signals",
    "no_signals",
]

SignalHandler = Callable[[int, FrameType | None], None]

Handling = Callable[[SignalHandler], contextlib.AbstractContextManager[None]]
"""Has signals handled while its block runs; called in the loop."""


def no_signals(handler: SignalHandler) -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()


@contextlib.contextmanager
def loop_signals(handler: SignalHandler) -> Iterator[None]:
    """Handle signals in the loop, which the main thread runs."""
    loop = asyncio.get_running_loop()
    handled = []
    for number in ending_signals():
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
    """Signals of the process for a loop that another thread than the main thread runs."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._arrivals: socket.socket | None = None

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Take them while the block runs. Without effect on another than the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        arrivals, written = socket.socketpair()
        with arrivals, written, contextlib.ExitStack() as restored:
            arrivals.setblocking(False)
            written.setblocking(False)
            before = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
            restored.callback(signal.set_wakeup_fd, before)
            for number in ending_signals():
                handler = signal.signal(number, _leave_to_loop)
                # None is one that was not set from Python, which cannot be set again.
                if handler is not None:
                    restored.callback(signal.signal, number, handler)
            self._arrivals = arrivals
            try:
                yield
            finally:
                self._arrivals = None

    @contextlib.contextmanager
    def handling(self, handler: SignalHandler) -> Iterator[None]:
        """Handle those that came and those that come; in the loop."""
        arrivals = self._arrivals
        if arrivals is None:
            yield
            return

        ending = ending_signals()

        def read() -> None:
            for number in _numbers(arrivals):
                if number in ending:
                    handler(number, None)

        read()
        self._loop.add_reader(arrivals, read)
        try:
            yield
        finally:
            self._loop.remove_reader(arrivals)


def ending_signals() -> list[signal.Signals]:
    """Return the signals that end a server: SIGHUP, too, unless it is ignored, as by ``nohup``."""
    hangup = getattr(signal, "SIGHUP", None)
    ends = hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([hangup] if ends else ())]


def _leave_to_loop(number: int, frame: FrameType | None) -> None:
    """Be a handler in Python, without which no byte is written for a signal."""


def _numbers(arrivals: socket.socket) -> bytes:
    """Return the numbers of the signals that came, in their order."""
    try:
        return arrivals.recv(4096)
    except BlockingIOError:
        return b""
