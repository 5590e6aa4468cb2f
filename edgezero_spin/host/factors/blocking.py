"""Blocking calls of host functions: databases and servers that take their time.

A guest's thread that waits for a server should not keep another guest from computing, and
should notice when its own time is up. A guest of WASI 0.3 does not even wait: other requests
of its instance go on while a thread of the host's does.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from threading import Thread
from typing import TypeVar

from edgezero_spin.host.errors import DeadlineExceeded, Trap
from edgezero_spin.host.factors.instance import InstanceState

__all__ = ["blocking_if_remote", "in_thread", "is_live", "on_own_thread", "with_service_threads"]

MAX_THREADS = 64
"""Calls of services in progress, of all instances of a host with asynchronous functions."""

T = TypeVar("T")


def is_live(state: InstanceState) -> bool:
    """Whether ``state.check`` would raise nothing."""
    try:
        state.check()
    except (DeadlineExceeded, Trap):
        return False
    return True


def blocking_if_remote(state: InstanceState, service: object) -> AbstractContextManager[None]:
    """``state.asleep`` while a service is asked that says of itself that it is ``remote``."""
    return state.asleep() if getattr(service, "remote", False) else nullcontext()


def on_own_thread(state: InstanceState, name: str, work: Callable[[], T]) -> T:
    """Return what a call returns, unless the guest's time is up before, whatever the call does.

    Args:
        name: Of the thread, which does not keep the process from ending.
        work: The call.
    """
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(work())
        except BaseException as error:  # the guest's thread raises it
            answer.set_exception(error)
        state.wake()

    Thread(target=run, name=name, daemon=True).start()
    state.wait(answer.done)
    return answer.result()


def with_service_threads(loop: asyncio.AbstractEventLoop) -> None:
    """Give a loop threads of its own for ``in_thread``; they end with it.

    So calls that one application waits for keep no other one from its services.
    """
    loop.set_default_executor(ThreadPoolExecutor(MAX_THREADS, "edgezero-service"))


async def in_thread(work: Callable[[], T], undo: Callable[[T], None] | None = None) -> T:
    """Return what a blocking call returns, which runs on a thread of the loop's meanwhile.

    Args:
        work: The call. It must not change the state of the instance.
        undo: Called with a result that nobody waits for any more.
    """
    call = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(call)
    except asyncio.CancelledError:
        call.add_done_callback(lambda done: _abandon(done, undo))
        raise


def _abandon(call: "asyncio.Future[T]", undo: Callable[[T], None] | None) -> None:
    # Looked at in any case, or asyncio complains that nobody did.
    if not call.cancelled() and call.exception() is None and undo is not None:
        undo(call.result())
