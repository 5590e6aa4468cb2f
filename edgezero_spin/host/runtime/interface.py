"""Descriptions of WIT interfaces, as factors give them to the runtime.

A capability is a table of plain functions. Each takes the state of the calling instance
and then the WIT parameters in Python form, and returns the WIT result in Python form:

| WIT | Python |
|---|---|
| ``bool``, integers, ``f32`` and ``f64`` | ``bool``, ``int``, ``float`` |
| ``char``, ``string`` | ``str`` of one character, ``str`` |
| ``list<u8>`` | ``bytes`` (any buffer of bytes is accepted from the host) |
| ``list<T>`` | ``list`` (a tuple is accepted from the host) |
| ``tuple<..>`` | ``tuple`` |
| ``record`` | ``dict`` with the WIT field names (``status-code``) |
| ``variant`` | ``(case, payload)``, payload ``None`` where the case has none |
| ``list<variant>`` | a ``list`` of these (``Variants`` is accepted from the host) |
| ``enum`` | the case name |
| ``flags`` | ``frozenset`` of names (any set is accepted from the host) |
| ``option<T>`` | ``None`` or the value; ``Some(value)`` where ``T`` is itself an option |
| ``result<T, E>`` as a function's result | return ``T``, or raise ``WitError(E)`` |
| ``result<T, E>`` anywhere else | ``Ok(value)`` or ``Err(value)`` |
| ``own<R>``, ``borrow<R>`` | the object itself |

An ``own`` argument leaves the instance's table, a ``borrow`` stays in it, and a resource
that is returned enters it. When the guest drops its handle the object leaves the table
and its ``drop(state)`` is called if it has one; the same happens to every object left
when the instance closes.

Any exception but ``WitError`` stops the guest and reaches the caller of ``Instance.call``
with its traceback.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, overload

import attrs
import wasmtime

from edgezero_spin.host.errors import Trap, WitError
from edgezero_spin.host.runtime.resources import ResourceTable

__all__ = [
    "CoreFunction",
    "CoreInterface",
    "Err",
    "HostFunction",
    "HostState",
    "Interface",
    "Ok",
    "ResourceTable",
    "Some",
    "Trap",
    "Variants",
    "WitError",
]

HostFunction = Callable[..., Any]
"""``f(state, *parameters) -> result``, in the Python forms above."""


class HostState(Protocol):
    """What one instance needs to know of its state; capabilities add their own."""

    table: ResourceTable


# Not frozen: one is made at each request, which would take four times as long.
@attrs.define(unsafe_hash=True)
class Ok:
    """The ``ok`` case of a ``result`` that is nested in another type."""

    value: Any = None


@attrs.define(unsafe_hash=True)
class Err:
    """The ``err`` case of a ``result`` that is nested in another type."""

    value: Any = None


@attrs.frozen
class Some:
    """The ``some`` case of an ``option`` whose payload is itself an option.

    Attributes:
        value: The payload, possibly ``None``.
    """

    value: Any = None


class Variants(Sequence[tuple[str, Any]]):
    """A ``list<variant>``, its cases and its payloads apart; equal to the list of both.

    A table whose rows have the same cases returns them without a tuple for each value.
    """

    __slots__ = ("cases", "payloads")
    __hash__ = None  # type: ignore[assignment] # as of any list

    def __init__(self, cases: tuple[str, ...], payloads: Sequence[Any]) -> None:
        self.cases = cases
        self.payloads = payloads

    def __len__(self) -> int:
        return len(self.cases)

    @overload
    def __getitem__(self, index: int) -> tuple[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> "Variants": ...
    def __getitem__(self, index: int | slice) -> "tuple[str, Any] | Variants":
        if isinstance(index, slice):
            return Variants(self.cases[index], self.payloads[index])
        return self.cases[index], self.payloads[index]

    def __eq__(self, other: object) -> bool:
        return list(self) == (list(other) if isinstance(other, Variants) else other)

    def __repr__(self) -> str:
        return repr(list(self))


@attrs.frozen
class Interface:
    """The host's side of one WIT interface.

    Attributes:
        name: The interface without its version, ``wasi:io/streams``.
        functions: WIT item name to function: ``get-stdin``,
            ``[method]input-stream.read``, ``[static]outgoing-body.finish``,
            ``[constructor]fields``.
        resources: WIT resource name to the Python class of its objects. Two names with
            the same class are the same resource type, in this interface or another:
            ``headers`` and ``fields``, or ``pollable`` wherever it is used.
    """

    name: str
    functions: Mapping[str, HostFunction] = attrs.field(factory=dict)
    resources: Mapping[str, type] = attrs.field(factory=dict)


@attrs.frozen
class CoreFunction:
    """A core function that the host provides by itself.

    Attributes:
        parameters, results: Their core types: ``i32`` or ``i64``.
        run: ``f(context, *core parameters) -> core result``; the context is that of the guest's
            memory (``runtime.memory.Context``).
    """

    parameters: tuple[str, ...]
    results: tuple[str, ...]
    run: Callable[..., int | None]


@attrs.frozen
class CoreInterface(Interface):
    """The host's side of WASI 0.1, whose functions core modules import by themselves.

    Attributes:
        core_functions: Those that are not the engine's, by name.
        configure: Returns what the engine's functions may use, for one instance.
    """

    core_functions: Mapping[str, CoreFunction] = attrs.field(factory=dict)
    configure: Callable[[Any], wasmtime.WasiConfig] = lambda state: wasmtime.WasiConfig()
