"""Joining a component to host functions, and running its instances.

In: a ``Component`` and the ``Interface`` tables of the capabilities. Out: a
``LinkedComponent``; from it, per request, an ``Instance``. No interface is known here.

How a host call travels: guest, engine, one ctypes callback per imported function, the
converters that ``link`` prepared for its type, the capability's function, and back. The
callback finds its instance by the address of the store's context, so it neither depends
on the thread that it runs on nor mixes instances up.

Source: contract spin-host.md, LIFE-1 to LIFE-9; ``wasmtime/component/linker.h``.
"""

import ctypes
import logging
import math
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import attrs
import wasmtime
from wasmtime import _ffi as ffi
from wasmtime import component as wit

from edgezero_spin.host.engine import TICK_S, Component, Engine, InstanceLimits
from edgezero_spin.host.errors import (
    DeadlineExceeded,
    EngineBusy,
    GuestTrapped,
    InstanceError,
    LinkError,
    OutOfFuel,
    OutOfMemory,
    Trap,
    ValueMismatchError,
    WitError,
)
from edgezero_spin.host.interface import HostFunction, InstanceState, Interface
from edgezero_spin.host.values import (
    Lift,
    Lower,
    ResourceTypes,
    Scope,
    host_type_id,
    prepare_case,
    prepare_lift,
    prepare_lower,
)
from edgezero_spin.host.values.raw import (
    MEMORY,
    VALUE_SIZE,
    WORDS,
    Size,
    error_delete,
    error_message,
    error_new,
    keeping,
    releasing,
    value_delete,
)

__all__ = ["ROOT", "Instance", "LinkedComponent", "find_interface", "link"]

_log = logging.getLogger(__name__)

ROOT = "$root"
"""Key of the ``Interface`` that serves functions which a world imports by themselves."""

_NO_DEADLINE = 1 << 60
_UNLIMITED_FUEL = (1 << 64) - 1

_Callback = ctypes.CFUNCTYPE(Size, Size, Size, Size, Size, Size, Size, Size)
_Destructor = ctypes.CFUNCTYPE(Size, Size, Size, ctypes.c_uint32)

_add_function = keeping(
    "wasmtime_component_linker_instance_add_func",
    Size,
    Size,
    ctypes.c_char_p,
    Size,
    _Callback,
    Size,
    Size,
)
_add_resource = keeping(
    "wasmtime_component_linker_instance_add_resource",
    Size,
    Size,
    ctypes.c_char_p,
    Size,
    Size,
    _Destructor,
    Size,
    Size,
)
_store_new = keeping("wasmtime_store_new", Size, Size, Size, Size)
_store_context = keeping("wasmtime_store_context", Size, Size)
_store_limiter = keeping("wasmtime_store_limiter", None, Size, *[ctypes.c_int64] * 5)
_store_delete = releasing("wasmtime_store_delete", None, Size)
_set_fuel = keeping("wasmtime_context_set_fuel", Size, Size, ctypes.c_uint64)
_get_fuel = keeping("wasmtime_context_get_fuel", Size, Size, Size)
_set_deadline = keeping("wasmtime_context_set_epoch_deadline", None, Size, ctypes.c_uint64)
_instantiate = releasing("wasmtime_component_linker_instantiate", Size, Size, Size, Size, Size)
_get_function = keeping("wasmtime_component_instance_get_func", ctypes.c_bool, *[Size] * 4)
_call = releasing("wasmtime_component_func_call", Size, *[Size] * 6)

_scopes: dict[int, Scope] = {}
"""Running instances by the address of their store's context."""


def link(
    engine: Engine, component: Component, interfaces: Mapping[str, Interface]
) -> "LinkedComponent":
    """Join a component's imports to host functions, with converters made once.

    Args:
        engine: The engine that the component was loaded with.
        component: What ``load_component`` returned.
        interfaces: The host's side, by name. An import ``ns:pkg/iface@version`` looks for
            exactly that key, then, for WASI 0.2 releases, for ``ns:pkg/iface``.
            ``ROOT`` serves functions imported outside any interface.

    Returns:
        A component whose every import is defined. What ``interfaces`` lacks stops the
        guest when it is called, with a message that names it.

    Raises:
        LinkError: A function that the host has uses a type that cannot cross.
    """
    return _Linking(engine, component, interfaces).finish()


_WASI_02 = re.compile(r"(wasi:[^@]+)@0\.2\.\d+\Z")


def find_interface(name: str, interfaces: Mapping[str, Interface]) -> Interface | None:
    """Return the host's side of an imported interface, or ``None`` when it has none.

    Args:
        name: The import as the component writes it, ``wasi:io/streams@0.2.9``.
        interfaces: By name, with a version or without.
    """
    exact = interfaces.get(name)
    if exact is not None:
        return exact
    release = _WASI_02.match(name)
    return interfaces.get(release[1]) if release else None


class _Linking:
    """The work of one ``link`` call."""

    def __init__(
        self, engine: Engine, component: Component, interfaces: Mapping[str, Interface]
    ) -> None:
        if component.engine is not engine:
            raise LinkError(str(component.path), "was loaded with another engine")
        self.engine = engine
        self.component = component
        self.interfaces = interfaces
        self.linker = wit.Linker(engine.native)
        self.resources = ResourceTypes()
        self.kept: list[object] = []

    def finish(self) -> "LinkedComponent":
        native = self.component.native
        imports = dict(_items(native.type.imports(self.engine.native)))
        instances: list[tuple[str, Interface, dict[str, wit.ComponentItem]]] = []
        for name, item in imports.items():
            if isinstance(item, wit.ComponentInstanceType):
                interface = find_interface(name, self.interfaces)
                if interface is not None:
                    found = dict(_items(item.exports(self.engine.native)))
                    instances.append((name, interface, found))
        root = self.interfaces.get(ROOT, Interface(ROOT))
        # Every resource type is known before the first function that mentions one.
        for _, interface, found in [*instances, (ROOT, root, imports)]:
            for name, item in found.items():
                if isinstance(item, wit.ResourceType) and name in interface.resources:
                    self.resources.add(item, name, interface.resources[name])
        with self.linker.root() as place:
            self._define(place, ROOT, root, imports)
            for name, interface, found in instances:
                with place.add_instance(name) as inner:
                    self._define(inner, name, interface, found)
        try:
            self.linker.define_unknown_imports_as_traps(native)
        except wasmtime.WasmtimeError as error:
            raise LinkError(str(self.component.path), str(error)) from error
        return LinkedComponent(self.engine, self.component, self.linker, self.resources, self.kept)

    def _define(
        self,
        place: wit.LinkerInstance,
        owner: str,
        interface: Interface,
        items: Mapping[str, wit.ComponentItem],
    ) -> None:
        for name, item in items.items():
            if isinstance(item, wit.ResourceType) and name in interface.resources:
                self._add_resource(place, name, interface.resources[name])
            elif isinstance(item, wit.FuncType) and name in interface.functions:
                try:
                    callback = _host_callback(item, interface.functions[name], self.resources)
                except (LinkError, TypeError) as error:
                    raise LinkError(f"{owner} {name}", str(error)) from error
                self._add_function(place, name, callback)

    def _add_function(self, place: wit.LinkerInstance, name: str, callback: Any) -> None:
        self.kept.append(callback)
        encoded = name.encode()
        problem = _add_function(_address(place.ptr()), encoded, len(encoded), callback, 0, 0)
        if problem:
            raise LinkError(name, error_message(problem))

    def _add_resource(self, place: wit.LinkerInstance, name: str, class_: type) -> None:
        type_ = wit.ResourceType.host(host_type_id(class_))
        destructor = _destructor(class_)
        self.kept.append(destructor)
        encoded = name.encode()
        problem = _add_resource(
            _address(place.ptr()),
            encoded,
            len(encoded),
            _address(type_.ptr()),
            destructor,
            0,
            0,
        )
        if problem:
            raise LinkError(name, error_message(problem))


def _items(
    externs: Mapping[str, Any],
) -> Iterator[tuple[str, wit.ComponentItem]]:
    """Yield imports or exports with their types, without those of unknown kinds.

    An alias of a type that wasmtime's Python package does not know is no item that a host
    defines; a function that uses one fails later, when its converters are made.
    """
    for name, extern in externs.items():
        try:
            yield name, extern.ty
        except TypeError:
            continue


def _address(pointer: Any) -> int:
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0


# --- host functions -----------------------------------------------------------------------


def _host_callback(type_: wit.FuncType, function: HostFunction, resources: ResourceTypes) -> Any:
    """Return the C callback that runs a host function of this type."""
    invoke = _invoker(function, [prepare_lift(part, resources) for _, part in type_.params])
    result = type_.result
    lower: Lower | None
    lower_error: Lower | None = None
    if isinstance(result, wit.ResultType):
        lower = prepare_case(result.ok, True, resources)
        lower_error = prepare_case(result.err, False, resources)
    else:
        lower = _lower_nothing if result is None else prepare_lower(result, resources)
    scopes = _scopes

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

    return _Callback(callback)


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


def _destructor(class_: type) -> Any:
    """Return the C callback for a handle of this class that the guest drops."""
    has_drop = hasattr(class_, "drop")
    scopes = _scopes

    def destructor(_data: int, context: int, rep: int) -> int:
        scope = scopes.get(context)
        if scope is None:
            return 0
        try:
            resource = scope.table.take(rep)
            if has_drop:
                resource.drop(scope.state)
        except BaseException as error:
            return _keep_error(scope, error)
        return 0

    return _Destructor(destructor)


def _keep_error(scope: Scope, error: BaseException) -> int:
    """Keep what a host function raised, and return the engine error that ends the guest."""
    if scope.error is None:
        scope.error = error
    problem: int = error_new(b"a host function raised")
    return problem


# --- components and instances --------------------------------------------------------------


@attrs.frozen(eq=False)
class _Export:
    """One exported function, ready to be called.

    Attributes:
        name: For messages.
        index: The engine's index; ``address`` is its pointer.
        lowers: One converter per parameter.
        has_result: Whether the function returns anything.
        lift: Converter of the result, of its ok case where it is a ``result``.
        lift_error: Converter of the err case; ``None`` for one without payload.
        fallible: Whether the result is a ``result``.
    """

    name: str
    index: wit.ExportIndex
    address: int
    lowers: tuple[Lower, ...]
    has_result: bool
    lift: Lift | None
    lift_error: Lift | None
    fallible: bool


class LinkedComponent:
    """A component with every import defined. Safe to share between threads.

    Attributes:
        component: The component.
        exports: Names of the exported interfaces and root functions.
    """

    def __init__(
        self,
        engine: Engine,
        component: Component,
        linker: wit.Linker,
        resources: ResourceTypes,
        kept: list[object],
    ) -> None:
        self.engine = engine
        self.component = component
        self._linker = linker
        self._linker_address = _address(linker.ptr())
        self._component_address = _address(component.native.ptr())
        self._engine_address = _address(engine.native.ptr())
        self._resources = resources
        self._kept = kept
        self._lock = threading.Lock()
        self._prepared: dict[tuple[str | None, str], _Export] = {}
        self._types = dict(_items(component.native.type.exports(engine.native)))
        self.exports = tuple(self._types)

    def export_of(self, interface: str) -> str | None:
        """Return the export that serves an interface: that name, or a WASI 0.2 release of it.

        Args:
            interface: ``wasi:http/incoming-handler``, or with a version.
        """
        if interface in self._types:
            return interface
        for name in self.exports:
            release = _WASI_02.match(name)
            if release and release[1] == interface:
                return name
        return None

    def instantiate(self, state: InstanceState, limits: InstanceLimits | None = None) -> "Instance":
        """Return a fresh instance. Its state must not be shared with a live instance.

        Raises:
            OutOfMemory: The component needs more than its limits to start.
            EngineBusy: All pooled instances are in use.
            GuestTrapped: The component trapped while it started.
        """
        return Instance(self, state, limits or _NO_LIMITS)

    def prepared(self, interface: str | None, function: str) -> _Export:
        """Return an exported function, preparing its converters at the first call.

        Raises:
            InstanceError: No such export.
            LinkError: The function uses a type that cannot cross.
        """
        key = (interface, function)
        found = self._prepared.get(key)
        if found is None:
            with self._lock:
                found = self._prepared.get(key) or self._prepare(interface, function)
                self._prepared[key] = found
        return found

    def _prepare(self, interface: str | None, function: str) -> _Export:
        name = function
        type_: Any = self._types.get(function)
        outer: wit.ExportIndex | None = None
        native = self.component.native
        if interface is not None:
            export = self.export_of(interface)
            name = f"{interface} {function}"
            holder = None if export is None else self._types[export]
            if export is None or not isinstance(holder, wit.ComponentInstanceType):
                offer = ", ".join(self.exports) or "nothing"
                raise InstanceError(
                    f"{self.component.path} does not export {interface} (exported: {offer})"
                )
            outer = native.get_export_index(export)
            type_ = dict(_items(holder.exports(self.engine.native))).get(function)
        index = native.get_export_index(function, outer)
        if index is None or not isinstance(type_, wit.FuncType):
            raise InstanceError(f"{self.component.path} does not export the function {name}")
        try:
            return self._converters(name, index, type_)
        except (LinkError, TypeError) as error:
            raise LinkError(name, str(error)) from error

    def _converters(self, name: str, index: wit.ExportIndex, type_: wit.FuncType) -> _Export:
        resources = self._resources
        lowers = tuple(prepare_lower(part, resources) for _, part in type_.params)
        result = type_.result
        fallible = isinstance(result, wit.ResultType)
        value, error = (
            (result.ok, result.err) if isinstance(result, wit.ResultType) else (result, None)
        )
        return _Export(
            name=name,
            index=index,
            address=_address(index.ptr()),
            lowers=lowers,
            has_result=result is not None,
            lift=None if value is None else prepare_lift(value, resources),
            lift_error=None if error is None else prepare_lift(error, resources),
            fallible=fallible,
        )


_NO_LIMITS = InstanceLimits()

_INSTANCE_BYTES = ctypes.sizeof(ffi.wasmtime_component_instance_t)
_FUNCTION_BYTES = ctypes.sizeof(ffi.wasmtime_component_func_t)
_FUNCTION_AT = (_INSTANCE_BYTES + 15) // 16 * 16
_RESULT_AT = _FUNCTION_AT + (_FUNCTION_BYTES + 15) // 16 * 16
_ARGUMENTS_AT = _RESULT_AT + VALUE_SIZE
_MOST_ARGUMENTS = 16
_Buffer = ctypes.c_char * (_ARGUMENTS_AT + _MOST_ARGUMENTS * VALUE_SIZE)


class Instance:
    """One running copy of a component, used by one thread at a time.

    Use it in ``with``, or ``close`` it: its memory goes back to the pool at once and every
    host object that it held is dropped. Closing twice is harmless.
    """

    __slots__ = (
        "_base",
        "_buffer",
        "_fuel_given",
        "_fuel_used",
        "_linked",
        "_store",
        "_ticking",
        "_trapped",
        "scope",
    )

    def __init__(
        self, linked: LinkedComponent, state: InstanceState, limits: InstanceLimits
    ) -> None:
        """Called by ``LinkedComponent.instantiate``."""
        self._store = 0
        self._linked = linked
        self._ticking = False
        self._trapped = False
        self._fuel_given: int | None = None
        self._fuel_used: int | None = None
        self._buffer = _Buffer()
        self._base = ctypes.addressof(self._buffer)
        self._store = _store_new(linked._engine_address, 0, 0)
        context = _store_context(self._store)
        self.scope = Scope(context, state, state.table)
        try:
            self._apply(limits, context)
            _scopes[context] = self.scope
            problem = _instantiate(
                linked._linker_address, context, linked._component_address, self._base
            )
            if problem:
                raise self._failure(problem)
        except BaseException:
            self.close()
            raise

    def _apply(self, limits: InstanceLimits, context: int) -> None:
        settings = self._linked.engine.settings
        if limits.memory_bytes is not None:
            _store_limiter(self._store, limits.memory_bytes, -1, -1, -1, -1)
        if settings.fuel:
            self._fuel_given = _UNLIMITED_FUEL if limits.fuel is None else limits.fuel
            problem = _set_fuel(context, self._fuel_given)
            if problem:
                raise InstanceError(error_message(problem))
        elif limits.fuel is not None:
            raise InstanceError("a fuel limit needs an engine with EngineSettings(fuel=True)")
        if settings.epoch:
            ticks = _NO_DEADLINE
            if limits.deadline_s is not None:
                self._linked.engine.ticker.acquire()
                self._ticking = True
                ticks = math.ceil(limits.deadline_s / TICK_S) + 1
            _set_deadline(context, ticks)
        elif limits.deadline_s is not None:
            raise InstanceError("a deadline needs an engine with EngineSettings(epoch=True)")

    def call(self, interface: str | None, function: str, *args: Any) -> Any:
        """Call an exported function and return its result in Python form.

        Args:
            interface: The exported interface, with its version or, for WASI 0.2, without;
                ``None`` for a function that the world exports by itself.
            function: Its WIT name.
            args: Its parameters in Python form; see ``host/interface.py``.

        Raises:
            WitError: The function returned ``err``.
            GuestTrapped: The guest stopped; one of its subclasses where the reason is known.
            InstanceError: The instance is closed or trapped before, or has no such export.
            ValueMismatchError: An argument does not fit its type.
            BaseException: Whatever a host function raised, with its traceback.
        """
        if not self._store or self._trapped:
            raise InstanceError(
                "the instance stopped in an earlier call" if self._trapped else "instance closed"
            )
        export = self._linked.prepared(interface, function)
        lowers = export.lowers
        count = len(lowers)
        if len(args) != count or count > _MOST_ARGUMENTS:
            raise TypeError(f"{export.name} takes {count} arguments, got {len(args)}")
        scope = self.scope
        base = self._base
        first = base + _ARGUMENTS_AT
        results = base + _RESULT_AT
        try:
            at = first
            for lower, value in zip(lowers, args, strict=True):
                lower(scope, at, value)
                at += VALUE_SIZE
            if not _get_function(base, scope.context, export.address, base + _FUNCTION_AT):
                raise InstanceError(f"the instance has no function {export.name}")
            problem = _call(
                base + _FUNCTION_AT, scope.context, first, count, results, int(export.has_result)
            )
            if problem:
                self._trapped = True
                raise self._failure(problem)
            return self._result(export, results)
        except ValueMismatchError as error:
            if not self._trapped:
                error.place = f"argument {(at - first) // VALUE_SIZE}{error.place}"
            raise
        finally:
            for at in range(first, first + count * VALUE_SIZE, VALUE_SIZE):
                if MEMORY[at] > 11:
                    value_delete(at)
                MEMORY[at] = 0
            if MEMORY[results] > 11:
                value_delete(results)
            MEMORY[results] = 0
            if scope.loans:
                scope.settle_loans()

    def _result(self, export: _Export, results: int) -> Any:
        lift = export.lift
        if not export.fallible:
            return None if lift is None else lift(self.scope, results)
        payload = WORDS[(results >> 3) + 2]
        if MEMORY[results + 8]:
            return None if lift is None else lift(self.scope, payload)
        lift_error = export.lift_error
        raise WitError(None if lift_error is None else lift_error(self.scope, payload))

    def _failure(self, problem: int) -> BaseException:
        """Return what to raise for an engine error: the host function's own, or a kind of trap."""
        raised, self.scope.error = self.scope.error, None
        if raised is not None:
            if isinstance(raised, GuestTrapped) and not raised.backtrace:
                raised.backtrace = error_message(problem)
            else:
                error_delete(problem)
            return raised
        return _classify(error_message(problem))

    @property
    def fuel_used(self) -> int | None:
        """Instructions spent so far, also after ``close``; ``None`` when the engine counts none."""
        if self._store and self._fuel_given is not None:
            left = ctypes.c_uint64()
            problem = _get_fuel(self.scope.context, ctypes.addressof(left))
            if problem:
                raise InstanceError(error_message(problem))
            self._fuel_used = self._fuel_given - left.value
        return self._fuel_used

    def close(self) -> None:
        """Free the instance and drop what it held. Not while another thread is in ``call``."""
        store = self._store
        if not store:
            return
        if self._fuel_given is not None:
            self._fuel_used = self.fuel_used
        self._store = 0
        scope = self.scope
        _scopes.pop(scope.context, None)
        scope.context = 0
        _store_delete(store)
        if self._ticking:
            self._ticking = False
            self._linked.engine.ticker.release()
        for resource in scope.table.drain():
            drop = getattr(resource, "drop", None)
            if drop is not None:
                try:
                    drop(scope.state)
                except Exception:
                    _log.exception("a host resource could not be dropped")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


_UNKNOWN_IMPORT = re.compile(r"unknown import: `([^`]+)` has not been defined")


def _classify(text: str) -> GuestTrapped | EngineBusy:
    """Return the error for the engine's text about a call or a start that failed."""
    unknown = _UNKNOWN_IMPORT.search(text)
    if unknown is not None:
        owner, _, function = unknown[1].rpartition("#")
        item = f"{function} of {owner}" if owner else function
        return Trap(
            f"the component called {item}, which this host does not provide; `spin up` may",
            text,
        )
    reason = _reason(text)
    if "wasm trap: interrupt" in text:
        return DeadlineExceeded("the guest ran past its deadline", text)
    if "all fuel consumed" in text:
        return OutOfFuel("the guest spent its fuel", text)
    if "maximum concurrent" in text:
        return EngineBusy(reason)
    if "memory minimum size" in text or "exceeds memory limits" in text:
        return OutOfMemory(reason, text)
    return GuestTrapped(reason, text)


def _reason(text: str) -> str:
    """Return the innermost cause of an engine's error text, in one line."""
    lines = [line.strip() for line in text.strip().splitlines()]
    if "Caused by:" in lines:
        causes = [line for line in lines[lines.index("Caused by:") + 1 :] if line]
        if causes:
            return re.sub(r"^\d+: ", "", causes[-1])
    return lines[0] if lines else "the guest stopped"
