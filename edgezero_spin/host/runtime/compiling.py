"""Compilation on a thread of its own: Ctrl-C is heard, and after a second a line says what runs.

The engine compiles in one call of many seconds, in which Python handles no signal. So it
compiles on a thread of its own, and whoever asked waits.

In: what compiles. Out: what it returns or raises.
"""

import atexit
import logging
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from pathlib import Path
from typing import Final, TypeVar

__all__ = ["LOGGER", "compiling", "end_process", "on_thread"]

LOGGER: Final = "edgezero_spin.host.runtime.compiling"
"""Where the line goes, at the level INFO; a program that talks to people shows it."""

_log = logging.getLogger(LOGGER)

_THREAD = "edgezero-compile"
_QUIET_S = 1.0
# On Windows a wait without an end cannot be interrupted.
_WAIT_S = 0.2

_Result = TypeVar("_Result")


def compiling(path: Path, compile_: Callable[[], _Result]) -> _Result:
    """Return what a compilation returns.

    Args:
        path: What is compiled, for the line.
        compile_: Compiles; called on another thread.

    Raises:
        KeyboardInterrupt: In the main thread, on Ctrl-C. The compilation goes on, but does not
            keep the process from ending.
    """
    future = on_thread(compile_)
    told = False
    while True:
        try:
            return future.result(_WAIT_S if told else _QUIET_S)
        except NotYet:
            if future.done():
                return future.result()
            if not told:
                _log.info(
                    "compiling %s; this takes a while, once for each version of it", path.name
                )
            told = True


def on_thread(run: Callable[[], _Result]) -> "Future[_Result]":
    """Run something on a thread that does not keep the process from ending."""
    future: Future[_Result] = Future()
    future.set_running_or_notify_cancel()

    def attempt() -> None:
        try:
            future.set_result(run())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=attempt, name=_THREAD, daemon=True).start()
    return future


def end_process(status: int) -> None:
    """End this process at once if a compilation is still running, else return.

    The end of an interpreter waits for the engine's threads, for more than a second. What is
    registered with ``atexit`` is done, and nothing else.
    """
    if any(thread.name == _THREAD for thread in threading.enumerate()):
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
