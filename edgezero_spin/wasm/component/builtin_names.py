"""Names of built-ins of the asynchronous ABI among the imports of a core module.

In: an imported name, as bindings generators spell it: ``[waitable-set-new]``, ``[context-get-0]``,
``[async-lower][stream-read-0]lines``. Out: the built-in with what the name says of it, or
``None`` for a name that is no built-in's. Which functions a module may mean is unknown here.

Streams and futures are numbered within the type of the function that they belong to, those
inside of another one before it; one without values is ``unit``.

Source: wit-component, ``validation`` and ``find_futures_and_streams`` of wit-parser.
"""

import re
from collections.abc import Iterator

import attrs

from edgezero_spin.wasm.component.layout import cases_of, fields_of
from edgezero_spin.wasm.component.linked import Encoding
from edgezero_spin.wasm.component.types import (
    FunctionType,
    FutureType,
    ListType,
    OptionType,
    RecordType,
    ResultType,
    StreamType,
    TupleType,
    ValueType,
    VariantType,
)

__all__ = ["NamedBuiltin", "numbered_transfers", "parse_builtin"]

_NAME = re.compile(r"(\[async-lower\])?(\[cancellable\])?\[([a-z][a-z0-9+-]*)\](.*)", re.DOTALL)
_TRANSFER = re.compile(
    r"(stream|future)-(new|read|write|cancel-read|cancel-write|drop-readable|drop-writable)"
    r"-(unit|\d{1,9})"
)
_CONTEXT = re.compile(r"context-(get|set)-(?:(i32|i64)-)?(\d{1,9})")
_ERROR_CONTEXT = re.compile(r"error-context-(new|debug-message)-(utf8|utf16|latin1\+utf16)")
_WAIT = re.compile(r"waitable-set-(wait|poll)(?:-i32)?")
_THREADS = (
    "index",
    "resume-later",
    "suspend",
    "yield",
    "suspend-then-resume",
    "yield-then-resume",
    "suspend-then-promote",
    "yield-then-promote",
)
_PLAIN = {
    name.replace(".", "-"): name
    for name in (
        "backpressure.inc",
        "backpressure.dec",
        "error-context.drop",
        "subtask.cancel",
        "subtask.drop",
        "task.cancel",
        "waitable-set.new",
        "waitable-set.drop",
        "waitable.join",
        *(f"thread.{name}" for name in _THREADS),
    )
} | {"thread-new-indirect-v0": "thread.new-indirect"}


@attrs.frozen
class NamedBuiltin:
    """A built-in as an import names it.

    Attributes:
        name: Its name in the text format.
        function: The function whose result it takes, or in whose type its stream or future is.
        number: Of the stream or future there; ``None`` for one without values.
        is_async, cancellable: The option is given.
        slot, core_type: Of ``context.get`` and ``context.set``.
        encoding: Of the text that ``error-context.*`` takes or gives.
    """

    name: str
    function: str = ""
    number: int | None = None
    is_async: bool = False
    cancellable: bool = False
    slot: int = 0
    core_type: str = "i32"
    encoding: Encoding = Encoding.UTF8

    @property
    def is_of_exports(self) -> bool:
        """It is about a task of an exported function."""
        return self.name.startswith("task.")

    @property
    def is_transfer(self) -> bool:
        """It is about a stream or future."""
        return self.name.startswith(("stream.", "future."))


def parse_builtin(name: str) -> NamedBuiltin | None:
    """Return the built-in that an import names, ``None`` if it names none."""
    matched = _NAME.fullmatch(name)
    if matched is None:
        return None
    is_async, cancellable, kind, function = matched.groups()
    found = _of_function(kind, function)
    if found is None and not function:
        found = _plain(kind)
    if found is None:
        return None
    return attrs.evolve(found, is_async=bool(is_async), cancellable=bool(cancellable))


def _of_function(kind: str, function: str) -> NamedBuiltin | None:
    if kind == "task-return":
        return NamedBuiltin("task.return", function)
    matched = _TRANSFER.fullmatch(kind)
    if matched is None:
        return None
    what, operation, number = matched.groups()
    return NamedBuiltin(f"{what}.{operation}", function, None if number == "unit" else int(number))


def _plain(kind: str) -> NamedBuiltin | None:
    if kind in _PLAIN:
        return NamedBuiltin(_PLAIN[kind])
    if matched := _CONTEXT.fullmatch(kind):
        access, core_type, slot = matched.groups()
        return NamedBuiltin(f"context.{access}", slot=int(slot), core_type=core_type or "i32")
    if matched := _ERROR_CONTEXT.fullmatch(kind):
        return NamedBuiltin(f"error-context.{matched[1]}", encoding=Encoding(matched[2]))
    if matched := _WAIT.fullmatch(kind):
        return NamedBuiltin(f"waitable-set.{matched[1]}")
    return None


def numbered_transfers(type_: FunctionType) -> list[StreamType | FutureType]:
    """Return the streams and futures in a function's type, in the order of their numbers."""
    return [each for part in type_.types for each in _transfers(part)]


def _transfers(type_: ValueType | None) -> Iterator[StreamType | FutureType]:
    match type_:
        case StreamType(inner) | FutureType(inner):
            yield from _transfers(inner)
            yield type_
        case ListType(inner) | OptionType(inner):
            yield from _transfers(inner)
        case RecordType() | TupleType():
            for part in fields_of(type_)[1]:
                yield from _transfers(part)
        case VariantType() | ResultType():
            for case in cases_of(type_):
                yield from _transfers(case)
