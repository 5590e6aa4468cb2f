"""Lowers of asynchronous functions, the host's and other component instances'.

Lowered ``async``, a call returns at once: its result, or a subtask that becomes ready later.
Lowered synchronously, it blocks the guest until the result is there. Parameters are lifted when
the call starts, results stored before the caller is told.

A function of the host may return a coroutine, which runs on the instance's loop, or a
``Promise``, settled by what the host posts; every other result is there at once and costs no
suspension.

Source: ``CanonicalABI.md``, "``canon lower``"; contract wasi03.md, CA-3, CA-4, CA-26, CA-31,
CA-40, CA-41, SK-43.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from edgezero_spin.host.errors import WitError
from edgezero_spin.host.runtime.callees import Callee
from edgezero_spin.host.runtime.converters import Converters
from edgezero_spin.host.runtime.host_sources import Promise
from edgezero_spin.host.runtime.interface import HostFunction
from edgezero_spin.host.runtime.memory import MAX_CALL_BYTES, Context
from edgezero_spin.host.runtime.running import running
from edgezero_spin.host.runtime.scheduler import Scheduler, is_coroutine
from edgezero_spin.host.runtime.storing import MISFITS
from edgezero_spin.host.runtime.tasks import CANCELLED, scheduler_of
from edgezero_spin.host.runtime.trampolines import (
    LoweredCall,
    Trampoline,
    finish_result,
    results_of,
    unfit,
)
from edgezero_spin.host.runtime.traps import cannot_leave
from edgezero_spin.host.runtime.waitables import Subtask, SubtaskState
from edgezero_spin.wasm.component.layout import slots
from edgezero_spin.wasm.component.linked import LoweredFunction

if TYPE_CHECKING:
    from edgezero_spin.host.runtime.instance import Instance

__all__ = ["async_guest_call", "async_host_call"]

current = running.get
pack_state = slots(("I",)).pack_into

_Put = Callable[[Context, Any, Sequence[Any], Any], None]


class _Call:
    """One call in progress, on its caller's side."""

    __slots__ = ("cx", "flat", "lifts", "subtask")

    def __init__(self, cx: Context, flat: Sequence[Any], lifts: list[Any]) -> None:
        self.cx = cx
        self.flat = flat
        self.lifts = lifts
        self.subtask = Subtask()

    def arguments(self) -> tuple[Any, ...]:
        """Lift the parameters: the call starts."""
        cx, flat, subtask = self.cx, self.flat, self.subtask
        cx.held = MAX_CALL_BYTES
        lent, cx.lent = cx.lent, []
        try:
            values = tuple([lift(cx, flat) for lift in self.lifts])
        finally:
            subtask.lent, cx.lent = cx.lent, lent
        subtask.advance(SubtaskState.STARTED)
        return values

    def answer(self) -> int:
        """Return the result of a call that is lowered ``async``."""
        subtask = self.subtask
        if subtask.resolved:
            subtask.deliver()
            return int(subtask.state)
        subtask.index = self.cx.instance.add(subtask)
        return subtask.state | subtask.index << 4


def async_guest_call(
    lower: LoweredFunction,
    callee: Callee,
    converters: Converters,
    number: int,
    entered: Sequence[int],
) -> Trampoline:
    """Return the trampoline to a function that a component instance lifts.

    Args:
        number: Index of the caller's context in ``Instance.contexts``.
        entered: The component instances that the call enters.

    Raises:
        LinkError: A type cannot cross.
    """
    is_async = lower.options.is_async
    lowered = LoweredCall(lower, converters, to_host=False)
    signature, areas, unpack = lowered.signature, lowered.areas, lowered.unpack
    finish = finish_result(lower, converters, signature, from_host=False)

    def callback(_data: int, _caller: int, address: int, _count: int) -> int:
        owner = current()
        try:
            cx = owner.contexts[number]
            if not cx.instance.may_leave:
                raise cannot_leave()
            if not is_async:
                scheduler_of(owner).check_block()
            area = areas[address]
            flat = unpack(area)
            call = _Call(cx, flat, lowered.lifts)
            subtask = call.subtask

            def resolve(value: Any) -> None:
                if value is not CANCELLED:
                    finish(cx, area if not is_async else None, flat, value)
                    subtask.advance(SubtaskState.RETURNED)
                elif subtask.state is SubtaskState.STARTING:
                    subtask.advance(SubtaskState.CANCELLED_BEFORE_STARTED)
                else:
                    subtask.advance(SubtaskState.CANCELLED_BEFORE_RETURNED)

            task = callee.task(owner, call.arguments, resolve)
            subtask.cancel = lambda: task.request_cancel(entered)
            task.start((entered, is_async))
            if is_async:
                pack_state(area, 0, call.answer())
            else:
                _wait(owner, subtask)
        except BaseException as error:
            return owner.keep(error)
        return 0

    return callback, signature.parameters, signature.results


def _wait(owner: "Instance", subtask: Subtask) -> None:
    if not subtask.resolved:
        scheduler_of(owner).block(lambda: subtask.resolved)
    subtask.deliver()


def async_host_call(
    lower: LoweredFunction, function: HostFunction, converters: Converters, number: int
) -> Trampoline:
    """Return the trampoline to an asynchronous function of the host; see ``host_call``.

    Raises:
        LinkError: A type cannot cross.
    """
    is_async = lower.options.is_async
    lowered = LoweredCall(lower, converters, to_host=True)
    signature, areas, unpack = lowered.signature, lowered.areas, lowered.unpack
    finish, finish_error = results_of(lower, converters, signature)
    result_type = lower.callee.type.result

    def callback(_data: int, _caller: int, address: int, _count: int) -> int:
        owner = current()
        try:
            cx = owner.contexts[number]
            if not cx.instance.may_leave:
                raise cannot_leave()
            if not is_async:
                scheduler_of(owner).check_block()
            area = areas[address]
            flat = unpack(area)
            call = _Call(cx, flat, lowered.lifts)
            subtask = call.subtask

            def done(value: Any, error: BaseException | None) -> None:
                put: _Put = finish
                if error is not None:
                    if finish_error is None or not isinstance(error, WitError):
                        raise error
                    value, put = error.payload, finish_error
                try:
                    put(cx, area if not is_async else None, flat, value)
                except MISFITS as misfit:
                    wrong = put is finish_error
                    raise unfit(result_type, value, wrong, converters, misfit) from misfit
                subtask.advance(SubtaskState.RETURNED)

            try:
                value = function(cx.state, *call.arguments())
            except WitError as error:
                done(None, error)
            else:
                if is_coroutine(value):
                    stop = scheduler_of(owner).start_coroutine(value, done)
                    subtask.cancel = lambda: _cancel(subtask, stop)
                elif value.__class__ is Promise:
                    _await(scheduler_of(owner), value, subtask, done)
                else:
                    done(value, None)
            if is_async:
                pack_state(area, 0, call.answer())
            else:
                _wait(owner, subtask)
        except BaseException as error:
            return owner.keep(error)
        return 0

    return callback, signature.parameters, signature.results


def _await(
    tasks: Scheduler,
    promise: Promise,
    subtask: Subtask,
    done: Callable[[Any, BaseException | None], None],
) -> None:
    """Have the call end with the value of a promise."""
    tasks.operations += 1

    def came(value: Any) -> None:
        tasks.operations -= 1
        if subtask.resolved:
            return
        if isinstance(value, BaseException):
            done(None, value)
        else:
            done(value, None)

    def stop() -> None:
        if promise.cancel is not None:
            promise.cancel()

    subtask.cancel = lambda: _cancel(subtask, stop)
    promise.when(came)


def _cancel(subtask: Subtask, stop: Callable[[], None]) -> None:
    subtask.advance(SubtaskState.CANCELLED_BEFORE_RETURNED)
    stop()
