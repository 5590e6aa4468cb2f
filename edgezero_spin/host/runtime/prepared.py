"""Components that are ready to be instantiated.

In: a linked component (``wasm/component``), compiled modules and what the host has for its
imports. Out: a ``PreparedComponent``: every trampoline defined, converters made, and core
modules joined to them once and for all.

Source: ``CanonicalABI.md``, "Embedding API".
"""

import itertools
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import attrs
import wasmtime

from edgezero_spin.host.errors import InstanceError, LinkError
from edgezero_spin.host.runtime.component_functions import ComponentFunctions, Imports
from edgezero_spin.host.runtime.core_modules import DefinedFunction, JoinedModule
from edgezero_spin.host.runtime.engine import Engine, InstanceLimits
from edgezero_spin.host.runtime.instance import ContextSource, Instance
from edgezero_spin.host.runtime.interface import HostState
from edgezero_spin.host.runtime.lifted import Invoke
from edgezero_spin.host.runtime.native import address_of, error_message, set_wasi
from edgezero_spin.host.runtime.scheduler import Completion, Scheduler
from edgezero_spin.host.runtime.tasks import Task
from edgezero_spin.wasm.component.linked import (
    ComponentExport,
    CoreExport,
    CoreInstance,
    ExportedInstance,
    LiftedFunction,
    LinkedComponent,
    lifted_functions,
)
from edgezero_spin.wasm.component.types import ResultType

__all__ = ["Imports", "PreparedComponent", "PreparedExport"]

_WASI_02 = re.compile(r"(wasi:[^@]+)@0\.2\.\d+\Z")
_NO_LIMITS = InstanceLimits()
_images = itertools.count(1)


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


class PreparedComponent:
    """A component with every import defined. Safe to share between threads.

    Attributes:
        exports: Names of the exported interfaces and root functions.
        contexts: Contexts of its lifts and lowers, by number.
        memories: Those that its contexts have.
        image: Its number, which stands for what its memories begin with.
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
        self._functions = ComponentFunctions(linked, imports, name)
        self._lock = threading.Lock()
        self._exports: dict[tuple[str | None, str], PreparedExport] = {}
        modules: dict[int, wasmtime.Module] = {}
        self._modules = []
        for plan in linked.core_instances:
            module = modules.get(id(plan.module))
            if module is None:
                module = modules[id(plan.module)] = module_of(plan.module)
            self._modules.append(
                JoinedModule(engine.native, plan, module, list(self._sources(plan)))
            )
        # Instances have a context for each, so all are numbered before the first one.
        for _, function in lifted_functions(linked.exports):
            self._functions.number(function.instance, function.options)
        self.contexts: Sequence[ContextSource] = tuple(self._functions.contexts)
        memories = [memory for _, memory, _ in self.contexts if memory is not None]
        self.memories: Sequence[CoreExport] = tuple(dict.fromkeys(memories))
        self.image = next(_images)

    def _sources(self, plan: CoreInstance) -> Iterator[CoreExport | DefinedFunction | None]:
        for imported in plan.imports:
            source = imported.source
            yield source if isinstance(source, CoreExport) else self._functions.define(source)

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
        wasi = self._functions.wasi
        if wasi is not None:
            config = wasi.configure(instance.state)
            problem = set_wasi(instance.context, address_of(config._consume()))
            if problem:
                raise InstanceError(error_message(problem))
        for number, module in enumerate(self._modules):
            module.instantiate(instance)
            if module.start is not None:
                instance.run(CoreExport(number, module.start), 0)

    def export(self, interface: str | None, function: str, arguments: int) -> PreparedExport:
        """Return an exported function, preparing its converters at the first call.

        Args:
            arguments: How many it is called with.

        Raises:
            InstanceError: No such export.
            LinkError: The function uses a type that cannot cross.
            TypeError: It takes more or fewer arguments.
        """
        key = (interface, function)
        found = self._exports.get(key)
        if found is None:
            with self._lock:
                found = self._exports[key] = self._prepare(interface, function)
        if arguments != found.parameters:
            raise TypeError(f"{found.name} takes {found.parameters} arguments, got {arguments}")
        return found

    def entered(self, callee: int, caller: int | None) -> Sequence[int]:
        """Return the component instances that a call from one to another enters."""
        return self._functions.entered(callee, caller)

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
            if self._functions.runs_tasks:
                callee = self._functions.callee(lifted, from_host=True)
                invoke, submit = callee.run, callee.submit
            else:
                invoke = self._functions.lifted(lifted, None)
        except LinkError as error:
            raise LinkError(name, error.problem) from error
        return PreparedExport(
            name, invoke, submit, len(type_.parameters), isinstance(type_.result, ResultType)
        )

    def scheduler(self, instance: Instance) -> Scheduler | None:
        """Return what runs the tasks of an instance, if the component has any."""
        if not self._functions.runs_tasks:
            return None
        # Start functions run as a task of no function.
        return Scheduler(instance, Task(instance, instance.components[0]))

    def close(self) -> None:
        """Free what the engine keeps. No instance may be made afterwards."""
        for module in self._modules:
            module.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
