"""Scheduler: the event loop of one instance.

Guest code of an instance runs on one thread at a time, the one that pumps. ``pump`` runs tasks
until none is ready. What other threads have for the instance, the results of the host's
coroutines above all, they ``post``; the embedder is told by ``on_wake`` and pumps again.

A call that blocks in guest code (a synchronous lower of an asynchronous function,
``waitable-set.wait``) pumps where it stands, on top of the stack: other tasks go on, but what
lies below it cannot until it returns. A function that was called asynchronously, and blocks
while nothing but its caller could go on, is a deadlock here. A stack of its own would help, and
there is none to have: the engine runs one stack per store, its fibers one call at a time, and
a second thread inside a store would find another thread's stack limit and frames in it.

Source: ``CanonicalABI.md``, "Embedding API" (``Store.tick``) and "Threads"; contract
wasi03.md, IL-25, CA-30 to CA-38.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future as ThreadFuture
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from edgezero_spin.host.errors import InstanceError, Trap

if TYPE_CHECKING:
    from edgezero_spin.host.runtime.instance import Instance
    from edgezero_spin.host.runtime.tasks import Task

__all__ = ["Completion", "Frame", "Scheduler", "is_coroutine", "loop_of_this_thread"]

Done = Callable[[Any, BaseException | None], None]
"""``(result, error)``: called on the instance's thread."""
Frame = tuple[Sequence[int], bool]
"""Component instances that a call entered, and whether its caller would go on if it blocked."""


class Completion:
    """The result of a call in progress, for its caller outside.

    Attributes:
        done: There is a result or an error.
    """

    __slots__ = ("_callbacks", "_error", "_value", "done")

    def __init__(self) -> None:
        self.done = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Completion], None]] = []

    def result(self) -> Any:
        """Return what the function returned.

        Raises:
            InstanceError: It has not returned yet.
            BaseException: What ended the call: a trap, or an error of the host.
        """
        if not self.done:
            raise InstanceError("the call has not returned yet")
        if self._error is not None:
            raise self._error
        return self._value

    def when_done(self, callback: "Callable[[Completion], None]") -> None:
        """Call this with the completion as soon as it is done, on the instance's thread."""
        if self.done:
            callback(self)
        else:
            self._callbacks.append(callback)

    def finish(self, value: Any, error: BaseException | None = None) -> None:
        """Set the result; the first one counts."""
        if self.done:
            return
        self.done, self._value, self._error = True, value, error
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)


class Scheduler:
    """Runs the tasks of one instance.

    Attributes:
        live: Tasks from their call to their end, also after ``task.return``.
        loop: Where coroutines of the host run; needed as soon as one has to.
        on_wake: Called, from any thread, when something was posted.
        on_turn: Called before a task goes on.
        sleep: Waits until a condition holds that something posted may change; ``None`` waits as
            long as it takes.
        operations: Coroutines of the host that have not come to an end.
        readers: Ends of streams and futures that the host has.
    """

    __slots__ = (
        "_arrived",
        "_coroutines",
        "_frames",
        "_owner",
        "_posted",
        "_queue",
        "_waiting",
        "current",
        "live",
        "loop",
        "on_turn",
        "on_wake",
        "operations",
        "readers",
        "sleep",
    )

    def __init__(self, owner: "Instance", current: "Task") -> None:
        self._owner = owner
        self._queue: deque[Task] = deque()
        self._posted: deque[Callable[[], None]] = deque()
        self._arrived = threading.Event()
        self._frames: list[Frame] = []
        self._waiting: dict[Completion, None] = {}
        self._coroutines: set[Any] = set()
        self.current = current
        self.live: set[Task] = set()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.on_wake: Callable[[], None] | None = None
        self.on_turn: Callable[[], None] | None = None
        self.sleep: Callable[[Callable[[], bool]], None] | None = None
        self.operations = 0
        self.readers = 0

    @property
    def idle(self) -> bool:
        """Whether there is no task left."""
        return not self.live

    @property
    def is_due(self) -> bool:
        """Whether something was posted, or a task stands in the queue."""
        return bool(self._posted or self._queue)

    def expect(self, completion: Completion) -> None:
        """Note a completion that a trap of any task has to end."""
        self._waiting[completion] = None
        completion.when_done(self._waiting.pop)

    def post(self, work: Callable[[], None]) -> None:
        """Have this run on the instance's thread. Safe to call from any thread.

        What it raises ends the instance, also where a call of the guest blocks.
        """
        self._posted.append(work)
        self._arrived.set()
        if self.on_wake is not None:
            self.on_wake()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until something was posted; tell whether it was."""
        return self._arrived.wait(timeout_s)

    def pump(self) -> None:
        """Run tasks until none is ready.

        Raises:
            GuestTrapped: A task trapped: the instance ended, and every call in it.
            BaseException: What a host function raised.
        """
        self._owner.enter(self.run)

    def run(self) -> None:
        """Do the same within the instance."""
        try:
            while self._step():
                pass
        except BaseException as error:
            self.fail(error)
            raise

    def run_until(self, completion: Completion) -> None:
        """Run tasks until a call is done, waiting for the host where nothing is ready.

        Raises:
            Trap: Nothing is left that could go on.
        """
        try:
            while not completion.done:
                if not self._step():
                    self._await()
        except BaseException as error:
            self.fail(error)
            raise

    def fail(self, error: BaseException) -> None:
        """End every call in progress: the instance cannot go on."""
        self._owner.trapped = True
        self.on_wake = None
        for completion in list(self._waiting):
            completion.finish(None, error)
        self.live.clear()
        self._queue.clear()
        self.cancel_coroutines()

    def cancel_coroutines(self) -> None:
        """Cancel what runs in the host for this instance."""
        for coroutine in list(self._coroutines):
            coroutine.cancel()

    def enqueue(self, task: "Task") -> None:
        """Let a task run when its turn comes."""
        self._queue.append(task)

    def _step(self) -> bool:
        """Do what was posted, or run one task; tell whether there was anything to do."""
        if self._posted:
            self._arrived.clear()
            while self._posted:
                self._posted.popleft()()
            return True
        queue = self._queue
        for _ in range(len(queue)):
            task = queue.popleft()
            if task.runnable():
                if self.on_turn is not None:
                    self.on_turn()
                task.turn()
                return True
            if task.queued:
                queue.append(task)
        return False

    def _may_be_woken(self) -> bool:
        """Whether the host may still have something for the guest."""
        if self.operations:
            return True
        return self.readers > 0 and (self.loop is not None or self.on_wake is not None)

    def _await(self) -> None:
        """Wait for the host."""
        if not self._may_be_woken():
            raise Trap("wasm trap: deadlock detected: event loop cannot make further progress")
        if self.loop is not None and self.loop is loop_of_this_thread():
            raise InstanceError(
                "a call of the guest waits for a host function and blocks the event loop that "
                "this function runs on; run the instance on a thread of its own"
            )
        if self.sleep is None:
            self._arrived.wait()
        else:
            self.sleep(self._arrived.is_set)

    def enter(self, frame: Frame, task: "Task") -> "Task":
        """Note that a task's code begins to run; return the one before it."""
        self._frames.append(frame)
        previous, self.current = self.current, task
        return previous

    def leave(self, previous: "Task") -> None:
        """Note that it ended."""
        self._frames.pop()
        self.current = previous

    def block(self, until: Callable[[], bool]) -> None:
        """Run other tasks until a condition holds, within the guest's call that waits for it.

        Raises:
            Trap: The call may not block, or nothing is left that could go on.
        """
        if until():
            return
        self.check_block()
        freed, under_caller = self._suspend()
        while not until():
            if self._step():
                continue
            if under_caller and not self._may_be_woken():
                raise Trap(
                    "wasm trap: deadlock detected: event loop cannot make further progress (a "
                    "function that was called asynchronously blocks, and its caller, which "
                    "could go on, waits below it on the stack)"
                )
            self._await()
        self._resume(freed)

    def check_block(self) -> None:
        """Check that the task whose code runs may wait for something.

        Raises:
            Trap: Its function is of synchronous type and has not returned.
        """
        if self.current.must_not_block:
            raise Trap("cannot block a synchronous task before returning")

    def give_way(self) -> None:
        """Let tasks run that are ready, within a guest's call of ``thread.yield``."""
        if self.current.must_not_block:
            return
        freed, _ = self._suspend()
        for _ in range(len(self._queue)):
            if not self._step():
                break
        self._resume(freed)

    def _suspend(self) -> tuple[list[int], bool]:
        """Let other calls enter what the waiting call is in.

        Returns:
            The component instances, and whether a caller below could go on.
        """
        components = self._owner.components
        freed = []
        under_caller = False
        for entered, under_caller in reversed(self._frames):
            for index in entered:
                if not components[index].may_enter:
                    components[index].may_enter = True
                    freed.append(index)
            if under_caller:
                break
        return freed, under_caller

    def _resume(self, freed: list[int]) -> None:
        for index in freed:
            self._owner.components[index].may_enter = False

    def start_coroutine(self, work: Coroutine[Any, Any, Any], done: Done) -> Callable[[], None]:
        """Run a coroutine on the host's loop; return what cancels it.

        Args:
            done: Called once, on the instance's thread; not after it was cancelled.

        Raises:
            InstanceError: The instance has no loop.
        """
        loop = self.loop
        if loop is None:
            work.close()
            raise InstanceError(
                "a host function is a coroutine and the instance has no event loop to run it on"
            )
        future: asyncio.Task[Any] | ThreadFuture[Any]
        if loop is loop_of_this_thread():
            future = loop.create_task(work)
        else:
            future = asyncio.run_coroutine_threadsafe(work, loop)
        self._coroutines.add(future)
        self.operations += 1
        open_ = [True]

        def end() -> bool:
            was, open_[0] = open_[0], False
            if was:
                self.operations -= 1
                self._coroutines.discard(future)
            return was

        def arrived() -> None:
            if not end():
                return
            if future.cancelled():
                done(None, InstanceError("a host function was cancelled"))
                return
            error = future.exception()
            done(None if error is not None else future.result(), error)

        def cancel() -> None:
            if end():
                future.cancel()

        future.add_done_callback(lambda _: self.post(arrived))
        return cancel


def is_coroutine(value: Any) -> bool:
    """Tell whether a host function answers later."""
    return value.__class__ is CoroutineType


def loop_of_this_thread() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that this thread runs, if any."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
