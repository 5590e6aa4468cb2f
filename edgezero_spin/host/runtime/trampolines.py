"""Trampolines: the core functions that the host gives to core modules.

In: a canonical function of the linked component and, for one of the host, the Python function.
Out: a C callback in which the type is already read, with its core type. A call runs closures
only.

A callback knows its instance by the thread: the engine calls it on the thread that is in the
instance (``Instance.run`` and ``lifted_call`` note it), and instances never mix. What a host
function raises is kept in the running instance and reaches the caller of the guest with its
traceback.

Source: ``CanonicalABI.md``, "``canon lower``".
"""

from collections.abc import Callable, Sequence
from typing import Any

from edgezero_spin.host.errors import ValueMismatchError, WitError
from edgezero_spin.host.runtime.converters import Converters, contains, lift_parameters
from edgezero_spin.host.runtime.interface import CoreFunction, Err, HostFunction, Ok
from edgezero_spin.host.runtime.lifted import Invoke
from edgezero_spin.host.runtime.memory import MAX_CALL_BYTES, Context
from edgezero_spin.host.runtime.misfit import misfit
from edgezero_spin.host.runtime.native import areas_of
from edgezero_spin.host.runtime.primitives import Lift, Store
from edgezero_spin.host.runtime.running import running
from edgezero_spin.host.runtime.storing import MISFITS
from edgezero_spin.host.runtime.traps import cannot_leave
from edgezero_spin.wasm.component.layout import (
    CoreSignature,
    Formats,
    Layout,
    cases_of,
    core_signature,
    layout_of,
    payload_offset,
    slots,
)
from edgezero_spin.wasm.component.linked import LoweredFunction
from edgezero_spin.wasm.component.types import (
    BorrowType,
    ListType,
    OwnType,
    ResultType,
    ValueType,
)

__all__ = [
    "LoweredCall",
    "Trampoline",
    "core_call",
    "finish_result",
    "guest_call",
    "host_call",
    "missing",
    "results_of",
    "unfit",
]

Trampoline = tuple[Callable[[int, int, int, int], int], Formats, Formats]
"""What the engine calls, and formats of its parameters and results."""

current = running.get

_Finish = Callable[[Context, Any, Sequence[Any], Any], None]
"""``(context, slots, core parameters, value)``: put a result where the caller expects it."""


class LoweredCall:
    """What the trampolines to lowered functions have in common.

    Attributes:
        areas: The slots of calls, by address.
        unpack: Returns the core parameters in an area.
    """

    def __init__(
        self, lower: LoweredFunction, converters: Converters, *, to_host: bool, lends: bool = True
    ) -> None:
        """Prepare a lowered function; see ``Lifting`` for ``to_host`` and ``lends``.

        Raises:
            UnsupportedTypeError: A type cannot cross.
        """
        type_, options = lower.callee.type, lower.options
        self.signature = core_signature(type_, lowered=True, is_async=options.is_async)
        lifting = converters.lifting(options.encoding, to_host=to_host, lends=lends)
        self.lifts = lift_parameters(lifting, type_, self.signature)
        parameters = self.signature.parameters
        self.areas = areas_of(max(len(parameters), len(self.signature.results), 1))
        self.unpack = slots(parameters).unpack_from


def host_call(
    lower: LoweredFunction, function: HostFunction, converters: Converters, number: int
) -> Trampoline:
    """Return the trampoline to a function of the host.

    Args:
        number: Index of the caller's context in ``Instance.contexts``.

    Raises:
        LinkError: A type cannot cross.
    """
    type_ = lower.callee.type
    kinds = type_.parameter_types
    # Nothing of the guest runs during the call, so a handle can only be lent and taken by
    # two parameters of one call.
    lends = contains(kinds, OwnType) and contains(kinds, BorrowType)
    call = LoweredCall(lower, converters, to_host=True, lends=lends)
    signature, areas, unpack = call.signature, call.areas, call.unpack
    # What is in memory counts; a text among the core values has a bound of its own.
    counts = signature.spilled or contains(kinds, ListType)
    call_function = _invoker(function, call.lifts)
    # The usual case: a method without parameters, or a function with one.
    lift = call.lifts[0] if len(call.lifts) == 1 else None
    finish, finish_error = results_of(lower, converters, signature)
    result_type = type_.result

    def callback(_data: int, _caller: int, address: int, _count: int) -> int:
        owner = current()
        try:
            cx = owner.contexts[number]
            if not cx.instance.may_leave:
                raise cannot_leave()
            area = areas[address]
            flat = unpack(area)
            if counts:
                cx.held = MAX_CALL_BYTES
            try:
                if lift is None:
                    value = call_function(cx, flat)
                else:
                    value = function(cx.state, lift(cx, flat))
            except WitError as error:
                if finish_error is None:
                    raise
                value, put = error.payload, finish_error
            else:
                put = finish
            if lends:
                _give_back(cx)
            try:
                put(cx, area, flat, value)
            except MISFITS as error:
                raise unfit(result_type, value, put is finish_error, converters, error) from error
        except BaseException as error:
            return owner.keep(error)
        return 0

    return callback, signature.parameters, signature.results


def guest_call(
    lower: LoweredFunction, invoke: Invoke, converters: Converters, number: int
) -> Trampoline:
    """Return the trampoline to a function that a component instance lifts; see ``host_call``.

    Raises:
        LinkError: A type cannot cross.
    """
    call = LoweredCall(lower, converters, to_host=False)
    signature, areas, unpack, lifts = call.signature, call.areas, call.unpack, call.lifts
    finish = finish_result(lower, converters, signature, from_host=False)

    def callback(_data: int, _caller: int, address: int, _count: int) -> int:
        owner = current()
        try:
            cx = owner.contexts[number]
            if not cx.instance.may_leave:
                raise cannot_leave()
            area = areas[address]
            flat = unpack(area)
            cx.held = MAX_CALL_BYTES
            values = tuple([lift(cx, flat) for lift in lifts])
            lent, cx.lent = cx.lent, []
            value = invoke(owner, values)
            for handle in lent:
                handle.lends -= 1
            finish(cx, area, flat, value)
        except BaseException as error:
            return owner.keep(error)
        return 0

    return callback, signature.parameters, signature.results


def missing(lower: LoweredFunction, error: Callable[[], BaseException]) -> Trampoline:
    """Return a trampoline that ends the guest: the host does not have the function."""
    signature = core_signature(lower.callee.type, lowered=True, is_async=lower.options.is_async)

    def callback(_data: int, _caller: int, _address: int, _count: int) -> int:
        return current().keep(error())

    return callback, signature.parameters, signature.results


def core_call(function: CoreFunction, number: int) -> Trampoline:
    """Return the trampoline to a core function of the host; see ``host_call``."""
    formats = {"i32": "I", "i64": "Q"}
    parameters: Formats = tuple(formats[each] for each in function.parameters)
    results: Formats = tuple(formats[each] for each in function.results)
    areas = areas_of(max(len(parameters), len(results), 1))
    unpack, pack_into = slots(parameters).unpack_from, slots(results).pack_into
    run = function.run

    def callback(_data: int, _caller: int, address: int, _count: int) -> int:
        owner = current()
        try:
            area = areas[address]
            result = run(owner.contexts[number], *unpack(area))
            if result is not None:
                pack_into(area, 0, result)
        except BaseException as error:
            return owner.keep(error)
        return 0

    return callback, parameters, results


def _invoker(function: HostFunction, lifts: list[Lift]) -> Callable[[Context, Sequence[Any]], Any]:
    """Return ``(context, core values) -> result``, spelt out for the usual counts."""
    match lifts:
        case []:
            return lambda cx, flat: function(cx.state)
        case [lift_0, lift_1]:
            return lambda cx, flat: function(cx.state, lift_0(cx, flat), lift_1(cx, flat))
        case [lift_0, lift_1, lift_2]:
            return lambda cx, flat: function(
                cx.state, lift_0(cx, flat), lift_1(cx, flat), lift_2(cx, flat)
            )
    return lambda cx, flat: function(cx.state, *[lift(cx, flat) for lift in lifts])


def results_of(
    lower: LoweredFunction, converters: Converters, signature: CoreSignature
) -> tuple[_Finish, _Finish | None]:
    """Return what puts a host function's value, and its error where it can have one."""
    result = lower.callee.type.result
    if not isinstance(result, ResultType):
        return finish_result(lower, converters, signature, from_host=True), None
    if signature.returned:
        lowering = converters.lowering(lower.options.encoding, lower.instance, from_host=True)
        size, alignment = layout_of(result).size, layout_of(result).alignment
        offset = payload_offset(cases_of(result))

        def finish_case(case: int, payload: ValueType | None) -> _Finish:
            store = None if payload is None else lowering.store(payload)

            def finish(cx: Context, area: Any, flat: Sequence[Any], value: Any) -> None:
                at = flat[-1]
                if at & (alignment - 1) or at + size > cx.size:
                    cx.check(at, size, alignment)
                cx.u8[at] = case
                if store is not None:
                    store(cx, at + offset, value)
                elif value is not None:
                    raise TypeError("the case has no payload")

            return finish

        return finish_case(0, result.ok), finish_case(1, result.error)
    finish = finish_result(lower, converters, signature, from_host=True)
    return (
        lambda cx, area, flat, value: finish(cx, area, flat, Ok(value)),
        lambda cx, area, flat, value: finish(cx, area, flat, Err(value)),
    )


def finish_result(
    lower: LoweredFunction, converters: Converters, signature: CoreSignature, *, from_host: bool
) -> _Finish:
    result = lower.callee.type.result
    if result is None:

        def nothing(cx: Context, area: Any, flat: Sequence[Any], value: Any) -> None:
            if value is not None:
                raise TypeError("the function has no result")

        return nothing
    lowering = converters.lowering(lower.options.encoding, lower.instance, from_host=from_host)
    if signature.returned:
        return _stored(lowering.store(result), layout_of(result))
    scalar = lowering.scalar(result)
    pack_into = slots(signature.results).pack_into

    def flat_result(cx: Context, area: Any, flat: Sequence[Any], value: Any) -> None:
        pack_into(area, 0, scalar(cx, value))

    return flat_result


def _stored(store: Store, layout: Layout) -> _Finish:
    """Return what stores a value where the last core parameter points."""
    size, alignment = layout.size, layout.alignment

    def finish(cx: Context, area: Any, flat: Sequence[Any], value: Any) -> None:
        at = flat[-1]
        if at & (alignment - 1) or at + size > cx.size:
            cx.check(at, size, alignment)
        store(cx, at, value)

    return finish


def _give_back(cx: Context) -> None:
    for handle in cx.lent:
        handle.lends -= 1
    cx.lent.clear()


def unfit(
    type_: Any, value: Any, is_error: bool, converters: Converters, error: BaseException
) -> BaseException:
    """Return what to raise for a result that could not be lowered."""
    place = "result"
    if isinstance(type_, ResultType):
        place = "result.err" if is_error else "result.ok"
        type_ = type_.error if is_error else type_.ok
    found = misfit(type_, value, converters.class_of)
    if found is None:
        return error
    return ValueMismatchError(place + found.place, found.expected, found.value)
