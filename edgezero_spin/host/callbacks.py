"""The C callbacks that lead from the engine to host functions.

In: the type of an imported function and the capability's Python function. Out: a ctypes
callback in which the type is already read: a call runs closures only. A callback finds its
instance by the address of the store's context, so it does not depend on the thread that
it runs on, and instances never mix.

Source: ``wasmtime/component/linker.h`` of wasmtime 50.
"""

import ctypes
from collections.abc import Callable
from typing import Any

from wasmtime import component as wit

from edgezero_spin.host.errors import ValueMismatchError, WitError
from edgezero_spin.host.interface import HostFunction
from edgezero_spin.host.values import (
    Lift,
    Lower,
    ResourceTypes,
    Scope,
    behind_length,
    prepare_bulk_lifts,
    prepare_case,
    prepare_lift,
    prepare_lower,
)
from edgezero_spin.host.values.raw import VALUE_SIZE, Size, error_new
from edgezero_spin.wasm.bulk_names import SIZED, plain_name

__all__ = ["Callback", "Destructor", "host_callback", "resource_destructor", "scopes"]

Callback = ctypes.CFUNCTYPE(Size, Size, Size, Size, Size, Size, Size, Size)
"""``(data, context, type, arguments, count, results, room) -> error or 0``."""

Destructor = ctypes.CFUNCTYPE(Size, Size, Size, ctypes.c_uint32)
"""``(data, context, rep) -> error or 0``."""

scopes: dict[int, Scope] = {}
"""Running instances by the address of their store's context."""


def host_callback(
    name: str, type_: wit.FuncType, function: HostFunction, resources: ResourceTypes
) -> Any:
    """Return the C callback that runs a host function of this type.

    Args:
        name: What the component imports it by; a bulk function is known by it
            (``values/bulk.py``).
        type_: The type as the component imports it.
        function: What it runs.
        resources: The host resources that the type may mention.
    """
    if plain_name(name) != name:
        resources = resources.of_bulk_function()
        lifts = prepare_bulk_lifts(type_.params, resources)
    else:
        lifts = [prepare_lift(part, resources) for _, part in type_.params]
    invoke = _invoker(function, lifts)
    result = type_.result
    sized = name.endswith(SIZED)
    if sized and isinstance(result, wit.TupleType):
        result = result.elements[1]
    lower: Lower
    lower_error: Lower | None = None
    if isinstance(result, wit.ResultType):
        lower = prepare_case(result.ok, True, resources)
        lower_error = prepare_case(result.err, False, resources)
    else:
        lower = _lower_nothing if result is None else prepare_lower(result, resources)
    if sized:
        lower = behind_length(lower)
        lower_error = None if lower_error is None else behind_length(lower_error)

    def callback(
        _data: int, context: int, _type: int, args: int, _count: int, results: int, _room: int
    ) -> int:
        scope = scopes[context]
        try:
            try:
                lower(scope, results, invoke(scope, args))
            except WitError as error:
                if lower_error is None:
                    raise
                lower_error(scope, results, error.payload)
        except ValueMismatchError as error:
            error.place = f"result{error.place}"
            return _keep_error(scope, error)
        except BaseException as error:
            return _keep_error(scope, error)
        return 0

    return Callback(callback)


def _lower_nothing(scope: Scope, address: int, value: Any) -> None:
    if value is not None:
        raise ValueMismatchError("", "nothing (None)", value)


def _invoker(function: HostFunction, lifts: list[Lift]) -> Callable[[Scope, int], Any]:
    """Return ``invoke(scope, address of the arguments)``, spelt out for the usual counts."""
    match lifts:
        case []:
            return lambda scope, args: function(scope.state)
        case [lift_0]:
            return lambda scope, args: function(scope.state, lift_0(scope, args))
        case [lift_0, lift_1]:
            return lambda scope, args: function(
                scope.state, lift_0(scope, args), lift_1(scope, args + VALUE_SIZE)
            )
        case [lift_0, lift_1, lift_2]:
            return lambda scope, args: function(
                scope.state,
                lift_0(scope, args),
                lift_1(scope, args + VALUE_SIZE),
                lift_2(scope, args + 2 * VALUE_SIZE),
            )
    parts = [(lift, index * VALUE_SIZE) for index, lift in enumerate(lifts)]
    return lambda scope, args: function(
        scope.state, *[lift(scope, args + offset) for lift, offset in parts]
    )


def resource_destructor(class_: type) -> Any:
    """Return the C callback for a handle of this class that the guest drops."""
    has_drop = hasattr(class_, "drop")
    has_children = hasattr(class_, "check_childless")

    def destructor(_data: int, context: int, rep: int) -> int:
        scope = scopes.get(context)
        if scope is None:
            return 0
        try:
            if has_children:
                scope.table.get(rep).check_childless("a resource is dropped")
            resource = scope.table.take(rep)
            if has_drop:
                resource.drop(scope.state)
        except BaseException as error:
            return _keep_error(scope, error)
        return 0

    return Destructor(destructor)


def _keep_error(scope: Scope, error: BaseException) -> int:
    """Keep what a host function raised, and return the engine error that ends the guest."""
    if scope.error is None:
        scope.error = error
    problem: int = error_new(b"a host function raised")
    return problem
