"""Built-ins of the asynchronous ABI, as far as they need nobody to wait.

Streams, futures and waitable sets work between synchronous tasks: reads and writes meet, events
are polled. What would wait traps, as it must in a task whose function is not ``async``.

Source: ``CanonicalABI.md``, "``canon context.get``" and on; contract wasi03.md, CA-10 to CA-26.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from edgezero_spin.host.errors import LinkError, Trap
from edgezero_spin.host.runtime.converters import Converters
from edgezero_spin.host.runtime.handles import ComponentInstance
from edgezero_spin.host.runtime.layout import Formats, layout_of, slots
from edgezero_spin.host.runtime.native import areas_of
from edgezero_spin.host.runtime.running import running
from edgezero_spin.host.runtime.trampolines import Trampoline
from edgezero_spin.host.runtime.traps import cannot_leave
from edgezero_spin.host.runtime.waitables import (
    BLOCKED,
    MAX_COUNT,
    Buffer,
    Channel,
    CopyState,
    End,
    Event,
    Waitable,
    WaitableSet,
)
from edgezero_spin.wasm.component.linked import Builtin
from edgezero_spin.wasm.component.types import FutureType, StreamType, ValueType

if TYPE_CHECKING:
    from edgezero_spin.host.runtime.instance import Instance

__all__ = ["builtin_call"]

_Work = Callable[["Instance", ComponentInstance, Sequence[Any]], Any]

_ALWAYS = ("context.get", "context.set", "backpressure.inc", "backpressure.dec")
"""What may be called in ``realloc`` and ``post-return``."""


def builtin_call(builtin: Builtin, converters: Converters, number: int) -> Trampoline:
    """Return the trampoline to a built-in.

    Args:
        builtin: The built-in.
        converters: Those of the component.
        number: Index of its context in ``Instance.contexts``.

    Raises:
        LinkError: It is not supported.
    """
    name = builtin.name
    parameters: Formats
    results: Formats
    if name in _SIMPLE:
        parameters, results, work = _SIMPLE[name]
    elif name in ("context.get", "context.set"):
        parameters, results, work = _context(builtin)
    elif name.startswith(("stream.", "future.")):
        parameters, results, work = _channel(builtin, converters, number)
    elif name in ("waitable-set.wait", "waitable-set.poll"):
        parameters, results, work = ("I", "I"), ("I",), _polled(name, number)
    elif name == "task.return":
        flat = () if builtin.type is None else layout_of(builtin.type).flat
        parameters, results, work = ("I",) if flat is None else flat, (), _return
    else:
        raise LinkError(name, "asynchronous functions are not supported")
    instance, leaves = builtin.instance, name not in _ALWAYS
    areas = areas_of(max(len(parameters), len(results), 1))
    unpack, pack = slots(parameters).unpack_from, slots(results).pack_into
    current = running.get

    def callback(_data: int, _caller: int, address: int, _count: int) -> int:
        owner = current()
        try:
            component = owner.components[instance]
            if leaves and not component.may_leave:
                raise cannot_leave()
            area = areas[address]
            result = work(owner, component, unpack(area))
            if result is not None:
                pack(area, 0, result)
        except BaseException as error:
            return owner.keep(error)
        return 0

    return callback, parameters, results


def _find(component: ComponentInstance, index: int, kind: type) -> Any:
    entry = component.entries.get(index)
    if not isinstance(entry, kind):
        raise component.mismatch(index)
    return entry


def _return(owner: "Instance", component: ComponentInstance, flat: Sequence[Any]) -> None:
    # Only asynchronous lifts may call it.
    raise Trap("invalid `task.return` signature")


def _cancel_task(owner: "Instance", component: ComponentInstance, flat: Sequence[Any]) -> None:
    raise Trap("`task.cancel` called by task which has not been cancelled")


def _pressure(step: int) -> _Work:
    def work(owner: "Instance", component: ComponentInstance, flat: Sequence[Any]) -> None:
        component.backpressure += step
        if not 0 <= component.backpressure < 1 << 16:
            raise Trap("backpressure counter overflow")

    return work


def _yield(owner: "Instance", component: ComponentInstance, flat: Sequence[Any]) -> int:
    return 0


def _index(owner: "Instance", component: ComponentInstance, flat: Sequence[Any]) -> int:
    return 1


def _new_set(owner: "Instance", component: ComponentInstance, flat: Sequence[Any]) -> int:
    return component.add(WaitableSet())


def _drop_set(owner: "Instance", component: ComponentInstance, flat: Sequence[Any]) -> None:
    _find(component, flat[0], WaitableSet).check_drop()
    component.remove(flat[0])


def _join(owner: "Instance", component: ComponentInstance, flat: Sequence[Any]) -> None:
    waitable = _find(component, flat[0], Waitable)
    waitable.join(_find(component, flat[1], WaitableSet) if flat[1] else None)


def _no_subtask(owner: "Instance", component: ComponentInstance, flat: Sequence[Any]) -> None:
    # Without asynchronous calls there are no subtasks.
    raise component.mismatch(flat[0])


_SIMPLE: dict[str, tuple[Formats, Formats, _Work]] = {
    "task.cancel": ((), (), _cancel_task),
    "backpressure.inc": ((), (), _pressure(1)),
    "backpressure.dec": ((), (), _pressure(-1)),
    "thread.index": ((), ("I",), _index),
    "thread.yield": ((), ("I",), _yield),
    "waitable-set.new": ((), ("I",), _new_set),
    "waitable-set.drop": (("I",), (), _drop_set),
    "waitable.join": (("I", "I"), (), _join),
    "subtask.cancel": (("I",), ("I",), _no_subtask),
    "subtask.drop": (("I",), (), _no_subtask),
}


def _context(builtin: Builtin) -> tuple[Formats, Formats, _Work]:
    slot = builtin.slot
    kind: Formats = ("I",) if builtin.core_type == "i32" else ("Q",)

    def get(owner: "Instance", component: ComponentInstance, flat: Sequence[Any]) -> int:
        return int(component.storage[slot])

    def put(owner: "Instance", component: ComponentInstance, flat: Sequence[Any]) -> None:
        component.storage[slot] = flat[0]

    return ((), kind, get) if builtin.name == "context.get" else (kind, (), put)


def _polled(name: str, number: int) -> _Work:
    waits = name == "waitable-set.wait"

    def work(owner: "Instance", component: ComponentInstance, flat: Sequence[Any]) -> int:
        event: Event | None = _find(component, flat[0], WaitableSet).poll()
        if event is None:
            if waits:
                raise _cannot_block()
            event = (0, 0, 0)
        cx = owner.contexts[number]
        cx.check(flat[1], 8, 4)
        cx.u32[flat[1] >> 2], cx.u32[(flat[1] >> 2) + 1] = event[1:]
        return event[0]

    return work


def _cannot_block() -> Trap:
    return Trap("wasm trap: cannot block a synchronous task before returning")


def _channel(
    builtin: Builtin, converters: Converters, number: int
) -> tuple[Formats, Formats, _Work]:
    kind, _, operation = builtin.name.partition(".")
    is_future = kind == "future"
    type_ = builtin.type
    if isinstance(type_, StreamType):
        element: ValueType | None = type_.element
    elif isinstance(type_, FutureType):
        element = type_.payload
    else:
        raise LinkError(builtin.name, "has no type")

    def end_of(component: ComponentInstance, index: int, readable: bool) -> End:
        end = component.entries.get(index)
        if (
            not isinstance(end, End)
            or end.readable != readable
            or end.channel.is_future != is_future
            or end.channel.type != element
        ):
            raise component.mismatch(index)
        return end

    def new(owner: "Instance", component: ComponentInstance, flat: Sequence[Any]) -> int:
        channel = Channel(element, is_future)
        ends = End(channel, True), End(channel, False)
        for end in ends:
            end.index = component.add(end)
        return ends[0].index | ends[1].index << 32

    def drop(owner: "Instance", component: ComponentInstance, flat: Sequence[Any]) -> None:
        end_of(component, flat[0], operation == "drop-readable").drop()
        component.remove(flat[0])

    def cancel(owner: "Instance", component: ComponentInstance, flat: Sequence[Any]) -> int:
        end = end_of(component, flat[0], operation == "cancel-read")
        if end.state is not CopyState.COPYING:
            verb = "read" if end.readable else "write"
            raise Trap(f"{kind} {verb} cancelled when no {verb} is pending")
        if end.set is not None and not builtin.is_async:
            raise Trap("waitable cannot be used synchronously while added to a waitable set")
        end.state = CopyState.CANCELLING
        if end.event is None:
            end.channel.cancel()
        return end.take_event()[2]

    match operation:
        case "new":
            return (), ("Q",), new
        case "drop-readable" | "drop-writable":
            return ("I",), (), drop
        case "cancel-read" | "cancel-write":
            return ("I",), ("I",), cancel
    return (
        ("I", "I") if is_future else ("I", "I", "I"),
        ("I",),
        _copy(builtin, converters, number, element, end_of),
    )


def _copy(
    builtin: Builtin,
    converters: Converters,
    number: int,
    element: ValueType | None,
    end_of: Callable[[ComponentInstance, int, bool], End],
) -> _Work:
    """Return what reads or writes elements in the guest's memory."""
    readable = builtin.name.endswith(".read")
    is_async, encoding = builtin.options.is_async, builtin.options.encoding
    run: Any = None
    size, alignment = 0, 1
    if element is not None:
        layout = layout_of(element)
        size, alignment = layout.size, layout.alignment
        if readable:
            lowering = converters.lowering(encoding, builtin.instance, from_host=False)
            run = lowering.run(element)
        else:
            run = converters.lifting(encoding, to_host=False, lends=False).run(element)

    def work(owner: "Instance", component: ComponentInstance, flat: Sequence[Any]) -> int:
        index, at = flat[0], flat[1]
        count = flat[2] if len(flat) > 2 else 1
        end = end_of(component, index, readable)
        end.check_idle(is_async)
        if count > MAX_COUNT:
            raise Trap("stream read/write count too large")
        cx = owner.contexts[number]
        if run is not None and count:
            if at & (alignment - 1):
                raise Trap("pointer not aligned")
            if at + size * count > cx.size:
                cx.extend(at + size * count, f"{builtin.name} pointer out of bounds of memory")
        end.state = CopyState.COPYING
        end.channel.copy(component, Buffer(cx, run, size, at, count), end)
        if end.event is None:
            if is_async:
                return BLOCKED
            raise _cannot_block()
        return end.take_event()[2]

    return work
