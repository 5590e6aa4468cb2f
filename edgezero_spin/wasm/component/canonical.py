"""Canonical definitions: their options, and the core types of the functions they make.

Source: WebAssembly/component-model, ``design/mvp/CanonicalABI.md``, "Canonical Definitions".
"""

from collections.abc import Callable

import attrs

from edgezero_spin.wasm.component.definitions import (
    CanonicalDefinition,
    CoreExternType,
    CoreFunctionType,
    Sort,
)
from edgezero_spin.wasm.component.errors import InvalidError, UnsupportedError
from edgezero_spin.wasm.component.layout import (
    I32,
    I64,
    CoreSignature,
    core_signature,
    encoded_types,
    layout_of,
)
from edgezero_spin.wasm.component.linked import (
    Builtin,
    CoreExport,
    Encoding,
    ImportedFunction,
    LiftedFunction,
    LocalResource,
    LoweredFunction,
    Options,
    ResourceFunction,
)
from edgezero_spin.wasm.component.scope import ComponentScope, CoreItem
from edgezero_spin.wasm.component.type_table import TypeTable
from edgezero_spin.wasm.component.types import (
    FunctionType,
    FutureType,
    ResourceType,
    StreamType,
    ValueType,
)

__all__ = [
    "CALLBACK",
    "REALLOC",
    "builtin",
    "builtin_function_type",
    "core_function_type",
    "lift",
    "lower",
    "resource_function",
]

REALLOC = CoreFunctionType((I32,) * 4, (I32,))
CALLBACK = CoreFunctionType((I32,) * 3, (I32,))
"""Core type of what is called for an event of an asynchronous function."""

# Parameters and results of built-ins, each an i32 but those of context.get and context.set.
_SIGNATURES = {
    "backpressure.inc": (0, 0),
    "backpressure.dec": (0, 0),
    "task.cancel": (0, 0),
    "subtask.cancel": (1, 1),
    "subtask.drop": (1, 0),
    "error-context.new": (2, 1),
    "error-context.debug-message": (2, 0),
    "error-context.drop": (1, 0),
    "waitable-set.new": (0, 1),
    "waitable-set.wait": (2, 1),
    "waitable-set.poll": (2, 1),
    "waitable-set.drop": (1, 0),
    "waitable.join": (2, 0),
    "thread.index": (0, 1),
    "thread.new-indirect": (2, 1),
    "thread.resume-later": (1, 0),
    "thread.suspend": (0, 1),
    "thread.yield": (0, 1),
    "thread.suspend-then-resume": (1, 1),
    "thread.yield-then-resume": (1, 1),
    "thread.suspend-then-promote": (1, 1),
    "thread.yield-then-promote": (1, 1),
    "stream.read": (3, 1),
    "stream.write": (3, 1),
    "future.read": (2, 1),
    "future.write": (2, 1),
    "cancel-read": (1, 1),
    "cancel-write": (1, 1),
    "drop-readable": (1, 0),
    "drop-writable": (1, 0),
}
_ENCODINGS = {encoding.value for encoding in Encoding}
_NEED_MEMORY = ("error-context.new", "error-context.debug-message")


@attrs.frozen
class _Given:
    """Options as given: the linked ones, and the names that were there."""

    options: Options
    names: frozenset[str]
    post_return: CoreFunctionType | None


Export = Callable[[CoreItem], CoreExport]


def _read_options(definition: CanonicalDefinition, scope: ComponentScope, export: Export) -> _Given:
    at = definition.offset
    names: set[str] = set()
    core: dict[str, CoreExport] = {}
    encoding = Encoding.UTF8
    post_return: CoreFunctionType | None = None
    for name, index in definition.options:
        kind = "encoding" if name in _ENCODINGS else name
        if kind in names:
            raise InvalidError(f"canonical option `{name}` is specified more than once", at)
        names.add(kind)
        if kind == "encoding":
            encoding = Encoding(name)
        elif name != "async":
            sort = Sort.CORE_MEMORY if name == "memory" else Sort.CORE_FUNCTION
            item = scope.item(sort, index, at)
            post_return = item.type.function if name == "post-return" else post_return
            _check_core(name, item, at)
            core[name.replace("-", "_")] = export(item)
    if "realloc" in names and "memory" not in names:
        raise InvalidError("canonical option `realloc` requires `memory`", at)
    if "callback" in names and "async" not in names:
        raise InvalidError("canonical option `callback` requires `async`", at)
    return _Given(
        Options(encoding, is_async="async" in names, **core), frozenset(names), post_return
    )


def _check_core(name: str, item: CoreItem, at: int) -> None:
    if name == "memory" and item.type.limits is not None and item.type.limits.is_64:
        raise UnsupportedError("memories with 64-bit addresses are refused", at)
    wanted = {"realloc": REALLOC, "callback": CALLBACK}.get(name)
    if wanted is not None and item.type.function != wanted:
        raise InvalidError(
            f"canonical option `{name}` uses a function with an incorrect signature", at
        )


def _require(given: _Given, name: str, at: int) -> None:
    if name not in given.names:
        raise InvalidError(f"canonical option `{name}` is required", at)


def _check_values(
    given: _Given,
    types: TypeTable,
    stored: tuple[ValueType, ...],
    loaded: tuple[ValueType, ...],
    at: int,
) -> None:
    """Check the options that values need which the host stores to and loads from memory."""
    stores = any(types.facts(each).has_pointer for each in stored)
    if stores or any(types.facts(each).has_pointer for each in loaded):
        _require(given, "memory", at)
    if stores:
        _require(given, "realloc", at)


def lift(
    definition: CanonicalDefinition,
    scope: ComponentScope,
    types: TypeTable,
    export: Export,
    type_: FunctionType,
) -> LiftedFunction:
    """Return the function that ``canon lift`` makes.

    Args:
        export: Returns a core item as what a core instance exports.
        type_: The type that the function is given.

    Raises:
        InvalidError: Its options or the type of its core function do not fit.
    """
    at = definition.offset
    item: CoreItem = scope.item(Sort.CORE_FUNCTION, definition.index or 0, at)
    given = _read_options(definition, scope, export)
    options = given.options
    signature = core_signature(
        type_, lowered=False, is_async=options.is_async, callback=options.callback is not None
    )
    core_type = core_function_type(signature)
    if item.type.function != core_type:
        raise InvalidError("lowered parameter or result types do not match the core function", at)
    if options.is_async and not type_.is_async:
        raise InvalidError("the `async` option requires an async function type", at)
    if options.post_return is not None:
        if options.is_async:
            raise InvalidError("cannot specify post-return function in async", at)
        if given.post_return != CoreFunctionType(core_type.results, ()):
            raise InvalidError("canonical option `post-return` uses an incorrect signature", at)
    result = () if type_.result is None else (type_.result,)
    parameters = tuple(part for _, part in type_.parameters)
    _check_values(given, types, parameters, result, at)
    if signature.spilled:
        _require(given, "realloc", at)
    if signature.returned or any(layout_of(each).flat is None for each in result):
        _require(given, "memory", at)
    return LiftedFunction(scope.instance, export(item), type_, options)


def lower(
    definition: CanonicalDefinition,
    scope: ComponentScope,
    types: TypeTable,
    export: Export,
    callee: ImportedFunction | LiftedFunction,
) -> CoreItem:
    """Return the core function that ``canon lower`` makes; see ``lift`` for the arguments.

    Raises:
        InvalidError: Its options do not fit.
    """
    at = definition.offset
    given = _read_options(definition, scope, export)
    for name in ("post-return", "callback"):
        if name in given.names:
            raise InvalidError(f"canonical option `{name}` cannot be specified for lowerings", at)
    type_, is_async = callee.type, given.options.is_async
    if is_async and not type_.is_async:
        raise InvalidError("the `async` option requires an async function type", at)
    signature = core_signature(type_, lowered=True, is_async=is_async)
    result = () if type_.result is None else (type_.result,)
    parameters = tuple(part for _, part in type_.parameters)
    _check_values(given, types, result, parameters, at)
    if signature.spilled or signature.returned:
        _require(given, "memory", at)
    lowered = LoweredFunction(scope.instance, callee, given.options)
    return _core(lowered, core_function_type(signature))


def core_function_type(signature: CoreSignature) -> CoreFunctionType:
    """Return the core function type of a lifted or lowered function."""
    return CoreFunctionType(encoded_types(signature.parameters), encoded_types(signature.results))


def resource_function(
    definition: CanonicalDefinition, scope: ComponentScope, resource: ResourceType, owner: object
) -> CoreItem:
    """Return ``resource.new``, ``resource.drop`` or ``resource.rep``; the owner is whose it is."""
    name = definition.name
    if name != "resource.drop" and not (
        isinstance(owner, LocalResource) and owner.instance == scope.instance
    ):
        raise InvalidError(f"{name}: not a local resource", definition.offset)
    return _core(
        ResourceFunction(name, scope.instance, resource),
        CoreFunctionType((I32,), () if name == "resource.drop" else (I32,)),
    )


def builtin(
    definition: CanonicalDefinition,
    scope: ComponentScope,
    types: TypeTable,
    export: Export,
    type_: ValueType | None,
) -> CoreItem:
    """Return the core function of a built-in.

    Args:
        definition, scope, types, export: As for ``lift``.
        type_: The stream or future type, or the result of ``task.return``.
    """
    name, at = definition.name, definition.offset
    given = _read_options(definition, scope, export)
    for option in ("post-return", "callback"):
        if option in given.names:
            raise InvalidError(f"canonical option `{option}` cannot be specified here", at)
    if name in _NEED_MEMORY:
        _require(given, "memory", at)
    if name == "error-context.debug-message":
        _require(given, "realloc", at)
    _check_transfer(name, given, types, type_, at)
    what = name.split(".")[1]
    function = Builtin(
        name,
        scope.instance,
        type_,
        given.options,
        definition.flag and what.startswith("cancel"),
        definition.flag and not what.startswith("cancel"),
        definition.slot,
        definition.core_type,
    )
    return _core(function, builtin_function_type(function, at))


def _check_transfer(
    name: str, given: _Given, types: TypeTable, type_: ValueType | None, at: int
) -> None:
    if isinstance(type_, StreamType | FutureType) and name.endswith((".read", ".write")):
        payload = type_.element if isinstance(type_, StreamType) else type_.payload
        if payload is not None:
            _require(given, "memory", at)
            if name.endswith(".read") and types.facts(payload).has_pointer:
                _require(given, "realloc", at)
    if name == "task.return":
        if given.names - {"memory", "encoding"}:
            raise InvalidError("cannot specify this option on `task.return`", at)
        if type_ is not None and types.facts(type_).has_borrow:
            raise InvalidError("function result cannot contain a `borrow` type", at)


def builtin_function_type(function: Builtin, at: int) -> CoreFunctionType:
    """Return the core function type of a built-in.

    Args:
        at: Where it is defined, for the error.

    Raises:
        InvalidError: There is no such slot.
    """
    name = function.name
    if name == "task.return":
        flat = () if function.type is None else layout_of(function.type).flat
        return CoreFunctionType((I32,) if flat is None else encoded_types(flat), ())
    if name in ("context.get", "context.set"):
        if function.slot > 1:
            raise InvalidError(f"immediate of {name} must be 0 or 1", at)
        value = (I32 if function.core_type == "i32" else I64,)
        return CoreFunctionType((), value) if name == "context.get" else CoreFunctionType(value, ())
    if name in ("stream.new", "future.new"):
        return CoreFunctionType((), (I64,))
    key = name if name in _SIGNATURES else name.split(".")[1]
    parameters, results = _SIGNATURES[key]
    return CoreFunctionType((I32,) * parameters, (I32,) * results)


def _core(
    function: LoweredFunction | ResourceFunction | Builtin, type_: CoreFunctionType
) -> CoreItem:
    return CoreItem(function, CoreExternType("func", function=type_))
