"""Component tasks: the calls of an instance's exports, and what they wait for.

The host calls an export, and later its callback with one event at a time; each answer says
EXIT, YIELD, or WAIT with a waitable set. ``start`` and ``callback`` are these two entries. A
component task has a set of its own and a queue of what is ready to run, because
``task.return`` counts for the task that is being called; what becomes ready for another task
wakes that one up.

An operation that its caller gave up (a cancelled coroutine, a timer that was not needed) stays
in the instance until it completes, because componentize-py 0.25 has no way to cancel one. When
its task ends, such an operation is left to the tasks after it.

Source: ``CanonicalABI.md`` and ``Concurrency.md`` of the component model; contract wasi03.md,
CA-30 to CA-35, PY-12 to PY-32.
"""

import sys
from asyncio import Handle, Task, TimerHandle
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from heapq import heappop
from typing import Any

import attrs
import componentize_py_async_support as support
import componentize_py_runtime as runtime
from componentize_py_types import Ok
from wit_world import byte_stream
from wit_world.imports import monotonic_clock

__all__ = [
    "ComponentTask",
    "await_result",
    "callback",
    "current",
    "enqueue",
    "install",
    "now_ns",
    "owner",
    "spawn",
    "start",
    "watch",
]

_EXIT, _YIELD, _WAIT = 0, 1, 2
_NONE, _SUBTASK, _CANCELLED = 0, 1, 6
_RETURNED = 2

_TURNS = 100
"""Turns of a task's queue before other tasks of the instance have their chance."""

_ADOPTED = 8
"""Operations without a task that one wait takes along."""

now_ns = monotonic_clock.now


class ComponentTask:
    """One call of an export, from its start to EXIT.

    Attributes:
        context: Where the variables of this call live.
        ready: Callbacks to run, in order.
        holds: What keeps the task from EXIT: the handler, the body, background work.
        children: Python tasks of this call that are not done.
        operations: What the host does for it.
        timers: ``(due, number, handle)`` of ``call_at``, a heap; ``due`` in nanoseconds.
    """

    __slots__ = (
        "_alarm",
        "children",
        "context",
        "ended",
        "holds",
        "operations",
        "ready",
        "timers",
        "waitables",
        "woken",
    )

    def __init__(self, context: Context) -> None:
        self.context = context
        self.ready: deque[Handle] = deque()
        self.holds = 0
        self.children: set[Task[Any]] = set()
        self.timers: list[tuple[int, int, TimerHandle]] = []
        self.waitables = 0
        self.operations: set[_Operation] = set()
        self.woken = False
        self.ended = False
        self._alarm = 0

    def _run(self) -> int:
        """Run what is ready; return the callback code."""
        global _running
        _running = self
        self.woken = False
        ready = self.ready
        turns = _TURNS
        while True:
            if self.timers:
                self._collect_due()
            while ready:
                if not turns:
                    return self._suspend(_YIELD)
                turns -= 1
                try:
                    for _ in range(len(ready)):
                        handle = ready.popleft()
                        if not handle._cancelled:
                            handle._run()
                except BaseException:
                    # SystemExit and KeyboardInterrupt pass through a handle.
                    sys.excepthook(*sys.exc_info())
                if self.timers:
                    self._collect_due()
            if self.holds:
                break
            if not self.children:
                return self._exit()
            for child in self.children:
                child.cancel()
            if not ready:
                break
        if self.timers:
            self._set_alarm()
        return self._suspend(_WAIT)

    def _suspend(self, code: int) -> int:
        global _running
        if code == _WAIT:
            for _ in range(min(len(_orphans), _ADOPTED)):
                _orphans.popleft().join(self)
            if not self.waitables:
                self.waitables = runtime.waitable_set_new()
            code |= self.waitables << 4
        runtime.context_set(self)
        _running = None
        return code

    def _exit(self) -> int:
        global _running
        self.ended = True
        for operation in list(self.operations):
            operation.leave()
            _orphans.append(operation)
        if self.waitables:
            runtime.waitable_set_drop(self.waitables)
        _running = None
        return _EXIT

    def _collect_due(self) -> None:
        now = now_ns()
        timers = self.timers
        while timers and (timers[0][0] <= now or timers[0][2]._cancelled):
            handle = heappop(timers)[2]
            handle._scheduled = False  # type: ignore[attr-defined]
            self.ready.append(handle)
        if self._alarm <= now:
            self._alarm = 0

    def _set_alarm(self) -> None:
        """Have the host wake this task when its first timer is due."""
        due = self.timers[0][0]
        if self._alarm and self._alarm <= due:
            return
        self._alarm = due
        waiting = monotonic_clock.wait_until(due)
        try:
            waiting.send(None)
        except StopIteration:
            self._alarm = 0
        # What was begun is an operation of this task by now; its result is of no interest.
        waiting.close()


@attrs.define(eq=False)
class _Operation:
    """An operation of the host that has not completed.

    Attributes:
        waitable: Its handle.
        promise: What componentize-py lifts the result from.
        done: Called with the result.
        task: Whose set it is in, ``None`` for none.
    """

    waitable: int
    promise: int
    done: Callable[[Any], None]
    task: ComponentTask | None = None

    def join(self, task: ComponentTask) -> None:
        """Put it into the set of a task, which is made if need be."""
        if not task.waitables:
            task.waitables = runtime.waitable_set_new()
        runtime.waitable_join(self.waitable, task.waitables)
        self.task = task
        task.operations.add(self)

    def leave(self) -> None:
        """Take it out of the set that it is in."""
        runtime.waitable_join(self.waitable, 0)
        if self.task is not None:
            self.task.operations.discard(self)
            self.task = None


_operations: dict[int, _Operation] = {}
_orphans: deque[_Operation] = deque()
_running: ComponentTask | None = None
_current: ContextVar[ComponentTask] = ContextVar("component_task")
_base = copy_context()


def current() -> ComponentTask:
    """Return the component task that is being called.

    Raises:
        RuntimeError: None is, because the component is being built.
    """
    if _running is None:
        raise RuntimeError("nothing can be awaited while the component is being built")
    return _running


def owner(context: Context | None) -> ComponentTask:
    """Return the task that a callback with this context belongs to.

    Raises:
        RuntimeError: There is none, because the component is being built.
    """
    found = _current.get(None) if context is None else context.get(_current)
    return current() if found is None or found.ended else found


def enqueue(task: ComponentTask, handle: Handle) -> None:
    """Have a task run a callback; one that waits is woken up."""
    task.ready.append(handle)
    if task is not _running and not task.woken:
        task.woken = True
        _wake(task)


def start(
    coroutine: Coroutine[Any, Any, Any], loop: Any, finish: Callable[[Task[Any]], None]
) -> int:
    """Begin a call: run a coroutine, and ``finish`` with the Python task when it is done.

    Returns:
        The callback code.
    """
    global _running
    context = _base.copy()
    task = ComponentTask(context)
    context.run(_current.set, task)
    _running = task
    task.holds = 1
    # The bundled interpreter is 3.14; the checker is told of 3.11.
    main = Task(coroutine, loop=loop, context=context, eager_start=True)  # type: ignore[call-arg]

    def returned(main: Task[Any]) -> None:
        finish(main)
        task.holds -= 1

    if main.done():
        context.run(returned, main)
    else:
        main.add_done_callback(returned, context=context)
    return task._run()


def callback(event: int, waitable: int, payload: int) -> int:
    """Take one event for the task that waited, and run on.

    Returns:
        The callback code.
    """
    global _running
    task: ComponentTask = runtime.context_get()
    runtime.context_set(None)
    _running = task
    if event == _CANCELLED:
        for child in task.children:
            child.cancel()
    elif event != _NONE and (event != _SUBTASK or payload >= _RETURNED):
        operation = _operations.pop(waitable)
        operation.leave()
        if event == _SUBTASK:
            runtime.subtask_drop(waitable)
        operation.done(runtime.promise_get_result(payload, operation.promise))
    return task._run()


def watch(task: ComponentTask, pending: tuple[int, int], done: Callable[[Any], None]) -> None:
    """Call ``done`` with the result of an operation when it completes.

    Args:
        task: Who waits for it.
        pending: Waitable and promise, as componentize-py gives them.
        done: Runs in a callback of the task.
    """
    operation = _operations[pending[0]] = _Operation(*pending, done)
    operation.join(task)


async def await_result(result: Any) -> Any:
    """Wait for what an import answered, if it has not answered yet."""
    if type(result) is Ok:
        return result.value
    future = support._loop.create_future()

    def done(value: Any) -> None:
        if future.done():
            _discard(value)
        else:
            future.set_result(value)

    watch(current(), result.value, done)
    return await future


def spawn(coroutine: Coroutine[Any, Any, Any]) -> "Task[Any]":
    """Run a coroutine of the present call that may outlive its response."""
    task = current()
    task.holds += 1
    spawned = Task(coroutine, loop=support._loop)

    def done(spawned: Task[Any]) -> None:
        task.holds -= 1
        if not spawned.cancelled() and (error := spawned.exception()) is not None:
            sys.excepthook(type(error), error, error.__traceback__)

    spawned.add_done_callback(done)
    return spawned


def install(loop: Any) -> None:
    """Put this module in the place of componentize-py's own, while the component is built."""
    support.callback = callback
    support.await_result = await_result
    support.spawn = spawn
    support._loop = loop


# Streams of one byte that wake a task: both ends are this instance's. One that was used can
# be used again.
_alarms: deque[tuple[Any, Any]] = deque()


def _wake(task: ComponentTask) -> None:
    """Give a waiting task an event: a read in its set that completes at once."""
    writer, reader = pair = _alarms.popleft() if _alarms else byte_stream()
    pending = runtime.stream_read(reader.type_, reader.handle, 1).value
    watch(task, pending, lambda _: _alarms.append(pair))
    runtime.stream_write(writer.type_, writer.handle, b"\0")


def _discard(value: Any) -> None:
    """Drop a resource that nobody waits for any more."""
    inner = getattr(value, "value", value)
    for each in inner if isinstance(inner, tuple) else (inner,):
        leave = getattr(each, "__exit__", None)
        if leave is not None:
            leave(None, None, None)
