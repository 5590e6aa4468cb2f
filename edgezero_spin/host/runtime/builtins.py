"""Built-ins of the asynchronous ABI: the trampolines to them.

Source: ``CanonicalABI.md``, "Canonical Definitions"; contract wasi03.md, CA-10 to CA-23.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.runtime.converters import Converters
from edgezero_spin.host.runtime.handles import ComponentInstance
from edgezero_spin.host.runtime.memory import MAX_CALL_BYTES
from edgezero_spin.host.runtime.native import areas_of
from edgezero_spin.host.runtime.running import running
from edgezero_spin.host.runtime.stream_copies import Copies
from edgezero_spin.host.runtime.tasks import CANCELLED, Cancel, scheduler_of
from edgezero_spin.host.runtime.trampolines import Trampoline
from edgezero_spin.host.runtime.traps import cannot_leave
from edgezero_spin.host.runtime.waitables import (
    BLOCKED,
    NO_EVENT,
    TASK_CANCELLED,
    Subtask,
    Waitable,
    WaitableEvent,
    WaitableSet,
)
from edgezero_spin.wasm.component.layout import Formats, core_signature, slots
from edgezero_spin.wasm.component.linked import Builtin, CoreExport, LiftedFunction
from edgezero_spin.wasm.component.types import FunctionType, StreamType

if TYPE_CHECKING:
    from edgezero_spin.host.runtime.instance import Instance

__all__ = ["builtin_call"]

current = running.get
_MOST_BACKPRESSURE = 0xFFFF

_Body = Callable[..., Any]
"""``(running instance, component instance, *core parameters) -> core result``."""


def builtin_call(builtin: Builtin, converters: Converters, number: int) -> Trampoline:
    """Return the trampoline to a built-in, whose context has this number.

    Raises:
        LinkError: A type cannot cross.
    """
    body, parameters, results = _body(builtin, converters, number)
    leaves = builtin.name not in (
        "context.get",
        "context.set",
        "backpressure.inc",
        "backpressure.dec",
    )
    areas = areas_of(max(len(parameters), len(results), 1))
    unpack, pack = slots(parameters).unpack_from, slots(results).pack_into
    instance, returns = builtin.instance, bool(results)

    def callback(_data: int, _caller: int, address: int, _count: int) -> int:
        owner = current()
        try:
            component = owner.components[instance]
            if leaves and not component.may_leave:
                raise cannot_leave()
            area = areas[address]
            result = body(owner, component, *unpack(area))
            if returns:
                pack(area, 0, result)
        except BaseException as error:
            return owner.keep(error)
        return 0

    return callback, parameters, results


def _body(builtin: Builtin, converters: Converters, number: int) -> tuple[_Body, Formats, Formats]:
    name, type_ = builtin.name, builtin.type
    if name.startswith(("stream.", "future.")):
        copies = Copies(builtin, converters, number)
        match name.split(".")[1]:
            case "new":
                return copies.new, (), ("Q",)
            case "read" | "write":
                count = ("I",) if isinstance(type_, StreamType) else ()
                return copies.copy, ("I", "I", *count), ("I",)
            case "cancel-read" | "cancel-write":
                return copies.cancel, ("I",), ("I",)
        return copies.drop, ("I",), ()
    match name:
        case "task.return":
            return _task_return(builtin, converters, number)
        case "context.get" | "context.set":
            format_ = "I" if builtin.core_type == "i32" else "Q"
            slot = builtin.slot
            if name == "context.get":
                return lambda owner, _: _storage(owner)[slot], (), (format_,)
            return (
                lambda owner, _, value: _storage(owner).__setitem__(slot, value),
                (format_,),
                (),
            )
        case "waitable-set.wait" | "waitable-set.poll":
            take = _wait if name == "waitable-set.wait" else _poll
            cancellable, blocks = builtin.cancellable, take is _wait

            def wait(owner: "Instance", component: ComponentInstance, index: int, at: int) -> int:
                if blocks:
                    scheduler_of(owner).check_block()
                wset = component.entry(index, WaitableSet)
                code, first, second = take(owner, wset, cancellable)
                cx = owner.contexts[number]
                cx.check(at, 8, 4)
                cx.u32[at >> 2] = first
                cx.u32[(at >> 2) + 1] = second
                return code

            return wait, ("I", "I"), ("I",)
        case "subtask.cancel":
            is_async = builtin.is_async
            return (
                lambda owner, component, index: _cancel(owner, component, index, is_async),
                ("I",),
                ("I",),
            )
        case "thread.yield":
            cancellable = builtin.cancellable
            return lambda owner, _: _yield(owner, cancellable), (), ("I",)
    found = _PLAIN.get(name)
    if found is None:
        counts = _REFUSED[name]

        def refuse(owner: "Instance", component: ComponentInstance, *flat: int) -> None:
            raise Trap(f"{name} belongs to a proposal that this host does not run; nor does Spin")

        return refuse, ("I",) * counts[0], ("I",) * counts[1]
    return found


def _storage(owner: "Instance") -> list[int]:
    return scheduler_of(owner).current.storage


def _task_return(
    builtin: Builtin, converters: Converters, number: int
) -> tuple[_Body, Formats, Formats]:
    type_, options = builtin.type, builtin.options
    # The result is taken as parameters are: up to 16 core values, else one pointer.
    parameters = () if type_ is None else (("", type_),)
    signature = core_signature(FunctionType(parameters, None), lowered=False)
    lifts = {
        to_host: converters.lifting(options.encoding, to_host=to_host, lends=False).lift_result(
            type_, signature.parameters, in_memory=signature.spilled
        )
        for to_host in (False, True)
    }
    fitting: list[LiftedFunction] = []

    def fits(given: LiftedFunction) -> bool:
        return (
            given.options.is_async
            and given.type.result == type_
            and not _other(given.options.memory, options.memory)
            and given.options.encoding is options.encoding
        )

    def task_return(owner: "Instance", component: ComponentInstance, *flat: Any) -> None:
        task = scheduler_of(owner).current
        callee = task.callee
        given = None if callee is None else callee.function
        if callee is None or given is None or (given not in fitting and not fits(given)):
            raise Trap("invalid `task.return` signature and/or options for current task")
        if not fitting:
            # Compared once for the function that it is mostly, or only, for.
            fitting.append(given)
        cx = owner.contexts[number]
        cx.held = MAX_CALL_BYTES
        task.finish(lifts[callee.from_host](cx, flat))

    return task_return, signature.parameters, ()


def _other(one: CoreExport | None, other: CoreExport | None) -> bool:
    """Tell whether two memories are given that are not the same."""
    return one is not None and other is not None and one != other


def _task_cancel(owner: "Instance", component: ComponentInstance) -> None:
    task = scheduler_of(owner).current
    if task.resolved:
        raise Trap("`task.return` or `task.cancel` called more than once")
    if task.cancel is not Cancel.DELIVERED:
        raise Trap("`task.cancel` called by task which has not been cancelled")
    task.finish(CANCELLED)


def _backpressure_inc(owner: "Instance", component: ComponentInstance) -> None:
    component.backpressure += 1
    if component.backpressure > _MOST_BACKPRESSURE:
        raise Trap("backpressure counter overflow")


def _backpressure_dec(owner: "Instance", component: ComponentInstance) -> None:
    component.backpressure -= 1
    if component.backpressure < 0:
        raise Trap("backpressure counter overflow")


def _set_new(owner: "Instance", component: ComponentInstance) -> int:
    return component.add(WaitableSet())


def _set_drop(owner: "Instance", component: ComponentInstance, index: int) -> None:
    component.entry(index, WaitableSet).check_drop()
    component.remove(index)


def _join(owner: "Instance", component: ComponentInstance, index: int, to: int) -> None:
    waitable = component.entry(index, Waitable)
    waitable.join(component.entry(to, WaitableSet) if to else None)


def _wait(owner: "Instance", wset: WaitableSet, cancellable: bool) -> WaitableEvent:
    tasks = scheduler_of(owner)
    task = tasks.current
    if cancellable and task.take_cancel():
        return TASK_CANCELLED
    wset.waiting += 1
    tasks.block(lambda: bool(wset.ready) or (cancellable and task.cancel is Cancel.PENDING))
    wset.waiting -= 1
    if cancellable and task.take_cancel():
        return TASK_CANCELLED
    return wset.take()


def _poll(owner: "Instance", wset: WaitableSet, cancellable: bool) -> WaitableEvent:
    if cancellable and scheduler_of(owner).current.take_cancel():
        return TASK_CANCELLED
    return wset.take() if wset.ready else NO_EVENT


def _yield(owner: "Instance", cancellable: bool) -> int:
    tasks = scheduler_of(owner)
    if not (cancellable and tasks.current.take_cancel()):
        tasks.give_way()
        return int(cancellable and tasks.current.take_cancel())
    return 1


def _subtask_drop(owner: "Instance", component: ComponentInstance, index: int) -> None:
    subtask = component.entry(index, Subtask)
    if not subtask.delivered:
        raise Trap("cannot drop a subtask which has not yet resolved")
    component.remove(index)
    subtask.join(None)


def _cancel(owner: "Instance", component: ComponentInstance, index: int, is_async: bool) -> int:
    if not is_async:
        scheduler_of(owner).check_block()
    subtask = component.entry(index, Subtask)
    if subtask.delivered or subtask.cancelling:
        raise Trap("`subtask.cancel` called after terminal status delivered")
    if not is_async:
        subtask.check_alone()
    if not subtask.resolved:
        subtask.cancelling = True
        subtask.cancel()
        if not subtask.resolved:
            if is_async:
                return BLOCKED
            subtask.waited = True
            scheduler_of(owner).block(lambda: subtask.resolved)
            subtask.waited = False
    subtask.take()
    return int(subtask.state)


_PLAIN: dict[str, tuple[_Body, Formats, Formats]] = {
    "task.cancel": (_task_cancel, (), ()),
    "backpressure.inc": (_backpressure_inc, (), ()),
    "backpressure.dec": (_backpressure_dec, (), ()),
    "waitable-set.new": (_set_new, (), ("I",)),
    "waitable-set.drop": (_set_drop, ("I",), ()),
    "waitable.join": (_join, ("I", "I"), ()),
    "subtask.drop": (_subtask_drop, ("I",), ()),
}

_REFUSED = {
    "error-context.new": (2, 1),
    "error-context.debug-message": (2, 0),
    "error-context.drop": (1, 0),
    "thread.index": (0, 1),
    "thread.new-indirect": (2, 1),
    "thread.resume-later": (1, 0),
    "thread.suspend": (0, 1),
    "thread.suspend-then-resume": (1, 1),
    "thread.yield-then-resume": (1, 1),
    "thread.suspend-then-promote": (1, 1),
    "thread.yield-then-promote": (1, 1),
}
"""Parameters and results of built-ins that trap when they are called."""
