"""Names of built-ins of the asynchronous ABI among the imports of a core module.

In: an imported name, as bindings generators spell it: ``[waitable-set-new]``, ``[context-get-0]``,
``[async-lower][stream-read-0]lines``. Out: the built-in with what the name says of it, or
``None`` for a name that is no built-in's; and with what the module may mean, its type.

Streams and futures are numbered within the type of the function that they belong to, those
inside of another one before it; one without values is ``unit``.

Source: wit-component, ``validation`` and ``find_futures_and_streams`` of wit-parser.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from edgezero_spin.wasm.component.definitions import Sort
from edgezero_spin.wasm.component.layout import cases_of, fields_of
from edgezero_spin.wasm.component.linked import Builtin, Encoding, Options
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

__all__ = ["Items", "NamedBuiltin", "parse_builtin", "type_of"]

Items = Mapping[str, tuple[Sort | None, Any, Encoding]]
"""Sort, item and encoding of texts of each item of an interface, by name."""

_WITH_OPTIONS = (
    "stream.read",
    "stream.write",
    "future.read",
    "future.write",
    "task.return",
    "waitable-set.wait",
    "waitable-set.poll",
    "error-context.new",
    "error-context.debug-message",
)

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
    def takes_options(self) -> bool:
        """Text, memory and ``async`` matter to it."""
        return self.name in _WITH_OPTIONS

    def builtin(self, instance: int, type_: ValueType | None, options: Options) -> Builtin:
        """Return the built-in, as an instance calls it."""
        return Builtin(
            self.name,
            instance,
            type_,
            options,
            is_async=self.is_async and ".cancel" in self.name,
            cancellable=self.cancellable,
            slot=self.slot,
            core_type=self.core_type,
        )

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


def type_of(named: NamedBuiltin, items: Items) -> tuple[ValueType | None, Encoding] | None:
    """Return the type of a built-in, and the encoding of texts.

    Args:
        named: The built-in.
        items: What there is in the interface that it is imported for.

    Returns:
        ``None`` where its function, stream or future is not there.
    """
    if named.is_transfer and named.number is None:
        kind = StreamType if named.name.startswith("stream") else FutureType
        return kind(None), named.encoding
    if not named.function:
        return None, named.encoding
    sort, item, encoding = items.get(named.function, (None, None, Encoding.UTF8))
    if sort != Sort.FUNCTION:
        return None
    if named.number is None:
        return item.type.result, encoding
    found = _numbered_transfers(item.type)
    return (found[named.number], encoding) if named.number < len(found) else None


def _numbered_transfers(type_: FunctionType) -> list[StreamType | FutureType]:
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
