"""Functions of one component: trampolines for what it imports, calls of what it lifts.

In: the linked component and what the host has for its imports. Out: for each canonical
function the trampoline that the engine calls, and for each lifted function what calls it.

Source: ``CanonicalABI.md``, "Canonical Definitions".
"""

from collections.abc import Sequence

from edgezero_spin.host.errors import LinkError, Trap
from edgezero_spin.host.runtime.async_lower import async_guest_call, async_host_call
from edgezero_spin.host.runtime.builtins import builtin_call
from edgezero_spin.host.runtime.callees import Callee, callee_of
from edgezero_spin.host.runtime.converters import Converters, needs_async
from edgezero_spin.host.runtime.core_modules import CoreFunctionTypes, DefinedFunction
from edgezero_spin.host.runtime.instance import ContextSource
from edgezero_spin.host.runtime.interface import CoreInterface, HostFunction
from edgezero_spin.host.runtime.lifted import Invoke, lifted_call
from edgezero_spin.host.runtime.primitives import UnsupportedTypeError
from edgezero_spin.host.runtime.resource_calls import resource_call
from edgezero_spin.host.runtime.trampolines import (
    Trampoline,
    core_call,
    guest_call,
    host_call,
    missing,
)
from edgezero_spin.host.runtime.traps import cannot_enter
from edgezero_spin.wasm.component.linked import (
    WASI_01,
    Builtin,
    Canonical,
    HostResource,
    ImportedFunction,
    LiftedFunction,
    LinkedComponent,
    LoweredFunction,
    Options,
    ResourceFunction,
    WasiFunction,
)

__all__ = ["ComponentFunctions", "Imports"]


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


class ComponentFunctions:
    """The functions of one component.

    Attributes:
        runs_tasks: Some of them are asynchronous.
        wasi: The host's side of WASI 0.1, if a core module imports that.
        contexts: The contexts that lifts and lowers have in an instance, in their order.
    """

    def __init__(self, linked: LinkedComponent, imports: Imports, name: str) -> None:
        """Prepare the functions of a component, called ``name`` in messages."""
        self.linked = linked
        self.runs_tasks = needs_async(linked)
        self.wasi: CoreInterface | None = None
        self.contexts: dict[ContextSource, int] = {}
        self._name = name
        self._imports = imports
        self._converters = Converters(linked.resources, imports.resource_class)
        self._core_types = CoreFunctionTypes()
        self._defined: dict[Canonical, DefinedFunction] = {}

    def number(self, instance: int, options: Options) -> int:
        """Return the number of a context."""
        source = (instance, options.memory, options.realloc)
        return self.contexts.setdefault(source, len(self.contexts))

    # Between component instances

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

    # Lifted functions

    def lifted(self, function: LiftedFunction, caller: int | None) -> Invoke:
        """Return what calls a lifted function from a component instance or the host.

        Raises:
            LinkError: It uses a type that cannot cross.
        """
        entered = self.entered(function.instance, caller)
        if not self.runs_tasks:
            return lifted_call(
                function,
                self._converters,
                self.number(function.instance, function.options),
                entered,
                from_host=caller is None,
            )
        callee = self.callee(function, from_host=caller is None)
        return lambda owner, values: callee.call(owner, values, entered)

    def callee(self, function: LiftedFunction, *, from_host: bool) -> Callee:
        """Return a lifted function as tasks call it.

        Raises:
            LinkError: It uses a type that cannot cross.
        """
        return callee_of(
            function,
            self._converters,
            self.number(function.instance, function.options),
            self.entered(function.instance, None),
            from_host=from_host,
        )

    # Imports of core modules

    def define(self, canonical: Canonical) -> DefinedFunction | None:
        """Return what a core module is given as a canonical function.

        Returns:
            The trampoline; ``None`` for a function of WASI 0.1 that is the engine's.

        Raises:
            LinkError: It uses a type that cannot cross, or WASI 0.1 is not provided.
        """
        if isinstance(canonical, WasiFunction) and not self._is_ours(canonical):
            return None
        found = self._defined.get(canonical)
        if found is None:
            try:
                found = self._core_types.define(self._trampoline(canonical))
            except UnsupportedTypeError as error:
                raise LinkError(_name_of(canonical), error.problem) from error
            self._defined[canonical] = found
        return found

    def _is_ours(self, function: WasiFunction) -> bool:
        """Tell whether a function of WASI 0.1 is served by the host, not by the engine."""
        dependency = self.linked.instances[function.instance].dependency
        self.wasi = self._imports.core_interface(dependency)
        if self.wasi is None:
            what = f"the dependency {dependency!r}" if dependency else self._name
            raise LinkError(
                WASI_01,
                f"{what} imports WASI 0.1, which is not provided here; make it a component with "
                "`wasm-tools component new`",
            )
        return function.name in self.wasi.core_functions

    def _trampoline(self, canonical: Canonical) -> Trampoline:
        match canonical:
            case WasiFunction(name, instance, memory):
                served = self.wasi.core_functions[name] if self.wasi else None
                if served is None:
                    raise LinkError(name, "is not provided")
                return core_call(served, self.number(instance, Options(memory=memory)))
            case ResourceFunction():
                resource = self._converters.identity(canonical.resource)
                is_host = isinstance(self.linked.resources[resource], HostResource)
                return resource_call(canonical, resource, is_host=is_host)
            case Builtin(_, instance, _, options):
                return builtin_call(canonical, self._converters, self.number(instance, options))
            case LoweredFunction(_, LiftedFunction() as callee, _):
                return self._guest_trampoline(canonical, callee)
            case LoweredFunction(instance, ImportedFunction() as callee, options):
                function = self._imports.function(callee)
                if function is None:
                    return missing(canonical, lambda: _not_provided(callee))
                trampoline = async_host_call if callee.type.is_async else host_call
                number = self.number(instance, options)
                return trampoline(canonical, function, self._converters, number)
        raise TypeError(canonical)

    def _guest_trampoline(self, lower: LoweredFunction, callee: LiftedFunction) -> Trampoline:
        number = self.number(lower.instance, lower.options)
        if self._related(callee.instance, lower.instance):
            return missing(lower, cannot_enter)
        if callee.type.is_async:
            target = self.callee(callee, from_host=False)
            entered = self.entered(callee.instance, lower.instance)
            return async_guest_call(lower, target, self._converters, number, entered)
        invoke = self.lifted(callee, lower.instance)
        return guest_call(lower, invoke, self._converters, number)


def _name_of(canonical: Canonical) -> str:
    match canonical:
        case LoweredFunction(_, ImportedFunction(path), _):
            return " ".join(path)
        case LoweredFunction():
            return "a call between components"
        case Builtin(name) | ResourceFunction(name) | WasiFunction(name):
            return name


def _not_provided(imported: ImportedFunction) -> Trap:
    *owner, function = imported.path
    item = f"{function} of {' '.join(owner)}" if owner else function
    return Trap(f"the component called {item}, which this host does not provide; `spin up` may")
