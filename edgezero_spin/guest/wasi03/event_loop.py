"""An asyncio event loop for component tasks.

Callbacks go to the component task whose context they have; timers are waited for with
``wasi:clocks/monotonic-clock``. There are no threads, sockets or signals in a component, so
what needs them says so.

Source: ``asyncio.AbstractEventLoop``; contract wasi03.md, PY-10 to PY-13.
"""

import asyncio
import sys
from asyncio import Future, Handle, Task, TimerHandle, events
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from heapq import heappush
from typing import Any, NoReturn, TypeVar, TypeVarTuple

from edgezero_spin.guest.wasi03.tasks import enqueue, install, now_ns, owner

__all__ = ["EventLoop", "loop"]


_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


class EventLoop(asyncio.AbstractEventLoop):
    """The loop of one instance, shared by all of its requests."""

    def __init__(self) -> None:
        self._timer_number = 0
        self._factory: Any = None

    def call_soon(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> Handle:
        """Run a callback in the next turn of the task that its context belongs to."""
        handle = Handle(callback, args, self, context)
        enqueue(owner(context), handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> TimerHandle:
        """Run a callback after ``delay`` seconds."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> TimerHandle:
        """Run a callback when ``time()`` has reached ``when``."""
        timer = TimerHandle(when, callback, args, self, context)
        self._timer_number += 1
        # Rounded up: a task that wakes must find its timer due.
        due = -int(-when * 1_000_000_000 // 1)
        heappush(owner(context).timers, (due, self._timer_number, timer))
        return timer

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        """The heap is looked through when its first timer is due."""

    def time(self) -> float:
        """Seconds of the host's monotonic clock."""
        nanoseconds: int = now_ns()
        return nanoseconds / 1_000_000_000

    def create_future(self) -> "Future[Any]":
        """Return a future of this loop."""
        return Future(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, _T] | Coroutine[Any, Any, _T],
        *,
        name: str | None = None,
        context: Context | None = None,
        eager_start: bool | None = None,
    ) -> "Task[_T]":
        """Run a coroutine beside the present one; it is cancelled when the request ends."""
        if self._factory is not None:
            task: Task[_T] = self._factory(self, coro, name=name, context=context)
        else:
            more: dict[str, Any] = {} if eager_start is None else {"eager_start": eager_start}
            task = Task(coro, loop=self, name=name, context=context, **more)
        if not task.done():
            children = owner(context).children
            children.add(task)
            task.add_done_callback(children.discard)
        return task

    def set_task_factory(self, factory: Any) -> None:
        """Have ``create_task`` use a factory, such as ``asyncio.eager_task_factory``."""
        self._factory = factory

    def get_task_factory(self) -> Any:
        """Return what ``set_task_factory`` was given."""
        return self._factory

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Report what nobody waits for on standard error; no request ends by it."""
        error = context.get("exception")
        if error is not None:
            sys.excepthook(type(error), error, error.__traceback__)
        else:
            print(context.get("message", "error in the event loop"), file=sys.stderr)

    default_exception_handler = call_exception_handler

    def get_debug(self) -> bool:
        """Debug mode is off."""
        return False

    def is_running(self) -> bool:
        """It always runs."""
        return True

    def is_closed(self) -> bool:
        """It is never closed."""
        return False

    async def shutdown_asyncgens(self) -> None:
        """Nothing is kept that would have to be shut down."""

    async def shutdown_default_executor(self, _: float | None = None) -> None:
        """There is no executor."""


def _refusal(reason: str) -> Callable[..., NoReturn]:
    def refuse(self: EventLoop, *args: Any, **options: Any) -> NoReturn:
        raise RuntimeError(reason)

    return refuse


_THREADS = (
    "a component has no threads, so asyncio.to_thread and run_in_executor do not work: call the "
    "function directly"
)
_RUNNING = (
    "the event loop of a component runs already: await the coroutine instead of asyncio.run or "
    "run_until_complete"
)
_REASONS = {
    "call_soon_threadsafe": _THREADS,
    "run_in_executor": _THREADS,
    "set_default_executor": _THREADS,
    "run_forever": _RUNNING,
    "run_until_complete": _RUNNING,
}


def _why_not(name: str) -> str:
    if "signal" in name:
        return "a component gets no signals"
    if "subprocess" in name:
        return "a component starts no processes"
    return f"a component has no {name}: requests go out with Outbound"


for _name, _method in vars(asyncio.AbstractEventLoop).items():
    if callable(_method) and not _name.startswith("_") and _name not in vars(EventLoop):
        setattr(EventLoop, _name, _refusal(_REASONS.get(_name) or _why_not(_name)))


loop = EventLoop()  # type: ignore[abstract]  # what it lacks, the base class refuses
install(loop)
asyncio.set_event_loop(loop)
events._set_running_loop(loop)
