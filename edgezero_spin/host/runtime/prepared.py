"""Components that are ready to be instantiated.

In: a linked component (``wasm/component``), compiled modules and what the host has for its
imports. Out: a ``PreparedComponent``: every trampoline defined, converters made, and each core
module whose imports are all the host's joined to them once and for all, so that an instance of
it is one call of the engine.

Source: ``CanonicalABI.md``; ``wasmtime/linker.h`` and ``instance.h``.
"""

import ctypes
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import attrs
import wasmtime

from edgezero_spin.host.errors import InstanceError, LinkError, Trap
from edgezero_spin.host.runtime.async_lower import async_guest_call, async_host_call
from edgezero_spin.host.runtime.builtins import builtin_call
from edgezero_spin.host.runtime.callees import Callee, callee_of
from edgezero_spin.host.runtime.converters import Converters, needs_async
from edgezero_spin.host.runtime.engine import Engine, InstanceLimits
from edgezero_spin.host.runtime.instance import ContextSource, Instance
from edgezero_spin.host.runtime.interface import CoreInterface, HostFunction, HostState
from edgezero_spin.host.runtime.layout import Formats, core_types
from edgezero_spin.host.runtime.lifted import Invoke, lifted_call
from edgezero_spin.host.runtime.native import (
    EXTERN_BYTES,
    EXTERN_ITEM,
    INSTANCE_BYTES,
    Callback,
    address_of,
    error_message,
    function_new,
    instance_new,
    instantiate,
    linker_define,
    linker_pre,
    pre_delete,
    set_wasi,
)
from edgezero_spin.host.runtime.scheduler import Completion, Scheduler
from edgezero_spin.host.runtime.tasks import Task
from edgezero_spin.host.runtime.trampolines import (
    Trampoline,
    core_call,
    guest_call,
    host_call,
    missing,
    resource_call,
)
from edgezero_spin.host.runtime.traps import cannot_enter
from edgezero_spin.wasm.component.linked import (
    WASI_01,
    Builtin,
    Canonical,
    ComponentExport,
    CoreExport,
    CoreInstance,
    ExportedInstance,
    HostResource,
    LiftedFunction,
    LinkedComponent,
    Lower,
    Options,
    ResourceFunction,
    WasiFunction,
)
from edgezero_spin.wasm.component.linked import HostFunction as ImportedFunction
from edgezero_spin.wasm.component.types import ResultType

__all__ = ["Imports", "PreparedComponent", "PreparedExport"]

_WASI_02 = re.compile(r"(wasi:[^@]+)@0\.2\.\d+\Z")
_NO_LIMITS = InstanceLimits()
_VALUE_TYPES = {
    "i32": wasmtime.ValType.i32,
    "i64": wasmtime.ValType.i64,
    "f32": wasmtime.ValType.f32,
    "f64": wasmtime.ValType.f64,
}


class Imports:
    """What the host has for the imports of a component. This one has nothing."""

    def function(self, imported: ImportedFunction) -> HostFunction | None:
        """Return the function to run, ``None`` where the host has none."""
        return None

    def resource_class(self, resource: HostResource) -> type:
        """Return the class of the objects of a resource type."""
        return object

    def core_interface(self, dependency: str | None) -> CoreInterface | None:
        """Return the host's side of WASI 0.1 for the root or a dependency, ``None`` without."""
        return None


@attrs.frozen
class PreparedExport:
    """An exported function, ready to be called.

    Attributes:
        name: For messages.
        invoke: Calls it.
        submit: Starts a call of it, in a component that runs tasks.
        parameters: How many it has.
        fallible: Whether the result is a ``result``.
    """

    name: str
    invoke: Invoke
    submit: Callable[[Instance, tuple[Any, ...], Completion], None] | None
    parameters: int
    fallible: bool


@attrs.frozen
class _Defined:
    """A trampoline as the engine knows it.

    Attributes:
        callback: What the engine calls.
        type: Its core type.
    """

    callback: Any
    type: wasmtime.FuncType


class _Core:
    """A core module to instantiate: how its imports are met.

    Attributes:
        sources: What each import is given; ``None`` for a function of the engine's WASI 0.1.
        pre: The engine's module with its imports defined, if the host has all of them.
    """

    def __init__(self, plan: CoreInstance, module: wasmtime.Module) -> None:
        self.module = module
        self.address = address_of(module.ptr())
        self.start = plan.start
        self.sources: list[CoreExport | _Defined | None] = []
        self.pre = 0


class PreparedComponent:
    """A component with every import defined. Safe to share between threads.

    Attributes:
        exports: Names of the exported interfaces and root functions.
        engine: What it runs on.
        linked: The component.
        resources: Whose each resource type is.
        contexts: Contexts of its lifts and lowers, by number.
        component_count: How many component instances it is made of.
    """

    def __init__(
        self,
        engine: Engine,
        linked: LinkedComponent,
        imports: Imports,
        module_of: Callable[[bytes], wasmtime.Module],
        name: str = "the component",
    ) -> None:
        """Join a linked component to the host.

        Args:
            engine: What it will run on.
            linked: The component.
            imports: What the host has for it. A function that it lacks stops the guest when
                it is called, with a message that names it.
            module_of: Returns the compiled core module for what stands in ``linked``.
            name: What messages call the component.

        Raises:
            LinkError: A function uses a type that cannot cross.
        """
        self.engine = engine
        self.engine_address = address_of(engine.native.ptr())
        self.linked = linked
        self.exports = tuple(
            name
            for name, export in linked.exports.items()
            if isinstance(export, ExportedInstance | LiftedFunction)
        )
        self._name = name
        self.resources = linked.resources
        self.component_count = len(linked.instances)
        self._imports = imports
        self._numbers: dict[ContextSource, int] = {}
        self._converters = Converters(linked.resources, imports.resource_class)
        self._runs_tasks = needs_async(linked)
        self._defined: dict[Canonical, _Defined] = {}
        self._wasi: CoreInterface | None = None
        self._lock = threading.Lock()
        self._exports: dict[tuple[str | None, str], PreparedExport] = {}
        modules: dict[int, wasmtime.Module] = {}
        self._cores = []
        for plan in linked.core_instances:
            module = modules.get(id(plan.module))
            if module is None:
                module = modules[id(plan.module)] = module_of(plan.module)
            self._cores.append(self._core(plan, module))
        # Instances have a context for each, so all are numbered before the first one.
        self._number_exports(linked.exports)
        self.contexts: Sequence[ContextSource] = tuple(self._numbers)

    def _number_exports(self, exports: Mapping[str, ComponentExport]) -> None:
        for export in exports.values():
            if isinstance(export, LiftedFunction):
                self._number(export.instance, export.options)
            elif isinstance(export, ExportedInstance):
                self._number_exports(export.exports)

    def export_of(self, interface: str) -> str | None:
        """Return the export that serves an interface: that name, or a WASI 0.2 release of it.

        Args:
            interface: ``wasi:http/incoming-handler``, or with a version.
        """
        if interface in self.exports:
            return interface
        for name in self.exports:
            release = _WASI_02.match(name)
            if release and release[1] == interface:
                return name
        return None

    def instantiate(self, state: HostState, limits: InstanceLimits | None = None) -> Instance:
        """Return a fresh instance. Its state must not be shared with a live instance.

        Raises:
            OutOfMemory: The component needs more than its limits to start.
            EngineBusy: All pooled instances are in use.
            GuestTrapped: The component trapped while it started.
        """
        return Instance(self, state, limits or _NO_LIMITS)

    def start(self, instance: Instance) -> None:
        """Instantiate the core modules of an instance, in order."""
        if self._wasi is not None:
            config = self._wasi.configure(instance.state)
            problem = set_wasi(instance.context, address_of(config._consume()))
            if problem:
                raise InstanceError(error_message(problem))
        for number, core in enumerate(self._cores):
            made = ctypes.create_string_buffer(INSTANCE_BYTES)
            address = ctypes.addressof(made)
            if core.pre:
                problem = instantiate(core.pre, instance.context, address, instance.trap_address)
            else:
                externs = self._externs(core, instance)
                problem = instance_new(
                    instance.context,
                    core.address,
                    ctypes.addressof(externs),
                    len(core.sources),
                    address,
                    instance.trap_address,
                )
            if problem or instance.trap.value:
                raise instance.failure(problem)
            instance.add_core(made)
            if core.start is not None:
                instance.run(CoreExport(number, core.start), 0)

    def prepared(self, interface: str | None, function: str) -> PreparedExport:
        """Return an exported function, preparing its converters at the first call.

        Raises:
            InstanceError: No such export.
            LinkError: The function uses a type that cannot cross.
        """
        key = (interface, function)
        found = self._exports.get(key)
        if found is None:
            with self._lock:
                found = self._exports[key] = self._prepare(interface, function)
        return found

    def entered(self, callee: int, caller: int | None) -> Sequence[int]:
        """Return the component instances that a call from one to another enters."""
        known = set() if caller is None else self._line(caller)
        return sorted(self._line(callee) - known)

    def _related(self, one: int, other: int) -> bool:
        """Tell whether one instance is the other or within it: then neither may call the other."""
        return one in self._line(other) or other in self._line(one)

    def _line(self, number: int | None) -> set[int]:
        line: set[int] = set()
        while number is not None:
            line.add(number)
            number = self.linked.instances[number].parent
        return line

    def _prepare(self, interface: str | None, function: str) -> PreparedExport:
        exports: Mapping[str, ComponentExport] = self.linked.exports
        name = function
        if interface is not None:
            name = f"{interface} {function}"
            export = self.export_of(interface)
            holder = None if export is None else exports[export]
            if not isinstance(holder, ExportedInstance):
                offer = ", ".join(self.exports) or "nothing"
                raise InstanceError(f"{self._name} does not export {interface} (exported: {offer})")
            exports = holder.exports
        lifted = exports.get(function)
        if not isinstance(lifted, LiftedFunction):
            raise InstanceError(f"{self._name} does not export the function {name}")
        type_ = lifted.type
        submit = None
        invoke: Invoke
        try:
            if self._runs_tasks:
                callee = self._callee(lifted, from_host=True)
                invoke, submit = callee.run, callee.submit
            else:
                invoke = self._lifted(lifted, None)
        except LinkError as error:
            raise LinkError(name, error.problem) from error
        return PreparedExport(
            name, invoke, submit, len(type_.parameters), isinstance(type_.result, ResultType)
        )

    def _lifted(self, lifted: LiftedFunction, caller: int | None) -> Invoke:
        entered = self.entered(lifted.instance, caller)
        if not self._runs_tasks:
            return lifted_call(
                lifted,
                self._converters,
                self._number(lifted.instance, lifted.options),
                entered,
                from_host=caller is None,
            )
        callee = self._callee(lifted, from_host=caller is None)
        return lambda owner, values: callee.call(owner, values, entered)

    def _callee(self, lifted: LiftedFunction, *, from_host: bool) -> Callee:
        return callee_of(
            lifted,
            self._converters,
            self._number(lifted.instance, lifted.options),
            self.entered(lifted.instance, None),
            from_host=from_host,
        )

    def scheduler(self, instance: Instance) -> Scheduler | None:
        """Return what runs the tasks of an instance, if the component has any."""
        if not self._runs_tasks:
            return None
        # Start functions run as a task of no function.
        start = Task(instance, instance.components[0], None, tuple, lambda _: None)
        return Scheduler(instance, start)

    def _number(self, instance: int, options: Options) -> int:
        source = (instance, options.memory, options.realloc)
        return self._numbers.setdefault(source, len(self._numbers))

    def _core(self, plan: CoreInstance, module: wasmtime.Module) -> _Core:
        core = _Core(plan, module)
        for imported in plan.imports:
            source = imported.source
            if isinstance(source, CoreExport):
                core.sources.append(source)
            elif isinstance(source, WasiFunction) and not self._is_ours(source):
                core.sources.append(None)
            else:
                core.sources.append(self._define(source))
        if not any(isinstance(source, CoreExport) for source in core.sources):
            core.pre = self._join(plan, core)
        return core

    def _is_ours(self, function: WasiFunction) -> bool:
        """Tell whether a function of WASI 0.1 is served here, not by the engine."""
        dependency = self.linked.instances[function.instance].dependency
        self._wasi = self._imports.core_interface(dependency)
        if self._wasi is None:
            what = f"the dependency {dependency!r}" if dependency else self._name
            raise LinkError(
                WASI_01,
                f"{what} imports WASI 0.1, which is not provided here; make it a component with "
                "`wasm-tools component new`",
            )
        return function.name in self._wasi.core_functions

    def _define(self, canonical: Canonical) -> _Defined:
        found = self._defined.get(canonical)
        if found is None:
            callback, parameters, results = self._trampoline(canonical)
            found = self._defined[canonical] = _Defined(
                Callback(callback), wasmtime.FuncType(_types(parameters), _types(results))
            )
        return found

    def _trampoline(self, canonical: Canonical) -> Trampoline:
        match canonical:
            case WasiFunction(name, instance, memory):
                served = self._wasi.core_functions[name] if self._wasi else None
                if served is None:
                    raise LinkError(name, "is not provided")
                return core_call(served, self._number(instance, Options(memory=memory)))
            case ResourceFunction():
                resource = self._converters.identity(canonical.resource)
                is_host = isinstance(self.resources[resource], HostResource)
                return resource_call(canonical, resource, is_host=is_host)
            case Builtin(_, instance, _, options):
                return builtin_call(canonical, self._converters, self._number(instance, options))
            case Lower(instance, callee, options):
                number = self._number(instance, options)
                if isinstance(callee, LiftedFunction) and self._related(callee.instance, instance):
                    return missing(canonical, cannot_enter)
                if isinstance(callee, LiftedFunction) and callee.type.is_async:
                    target = self._callee(callee, from_host=False)
                    entered = self.entered(callee.instance, instance)
                    return async_guest_call(canonical, target, self._converters, number, entered)
                if isinstance(callee, LiftedFunction):
                    invoke = self._lifted(callee, instance)
                    return guest_call(canonical, invoke, self._converters, number)
                function = self._imports.function(callee)
                if function is None:
                    return missing(canonical, lambda: _not_provided(callee))
                trampoline = async_host_call if callee.type.is_async else host_call
                try:
                    return trampoline(canonical, function, self._converters, number)
                except LinkError as error:
                    raise LinkError(" ".join(callee.path), error.problem) from error

    def _join(self, plan: CoreInstance, core: _Core) -> int:
        """Return the engine's module whose imports are all defined."""
        linker = wasmtime.Linker(self.engine.native)
        linker.allow_shadowing = True
        if None in core.sources:
            linker.define_wasi()
        for imported, source in zip(plan.imports, core.sources, strict=True):
            if isinstance(source, _Defined):
                module, name = imported.module.encode(), imported.name.encode()
                problem = linker_define(
                    address_of(linker.ptr()),
                    *(module, len(module), name, len(name)),
                    *(address_of(source.type.ptr()), source.callback, 0, 0),
                )
                if problem:
                    raise LinkError(imported.name, error_message(problem))
        result = ctypes.c_size_t()
        problem = linker_pre(address_of(linker.ptr()), core.address, ctypes.addressof(result))
        if problem:
            raise LinkError("the component", error_message(problem))
        return result.value

    def _externs(self, core: _Core, instance: Instance) -> Any:
        """Return the engine's externs for the imports of a module."""
        externs = ctypes.create_string_buffer(EXTERN_BYTES * max(len(core.sources), 1))
        first = ctypes.addressof(externs)
        for number, source in enumerate(core.sources):
            at = first + number * EXTERN_BYTES
            if isinstance(source, CoreExport):
                ctypes.memmove(at, instance.extern_address(source), EXTERN_BYTES)
            elif source is not None:
                type_ = address_of(source.type.ptr())
                function_new(instance.context, type_, source.callback, 0, 0, at + EXTERN_ITEM)
        return externs

    def close(self) -> None:
        """Free what the engine keeps. No instance may be made afterwards."""
        for core in self._cores:
            pre, core.pre = core.pre, 0
            if pre:
                pre_delete(pre)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def _types(formats: Formats) -> list[wasmtime.ValType]:
    return [_VALUE_TYPES[name]() for name in core_types(formats)]


def _not_provided(imported: ImportedFunction) -> Trap:
    *owner, function = imported.path
    item = f"{function} of {' '.join(owner)}" if owner else function
    return Trap(f"the component called {item}, which this host does not provide; `spin up` may")
