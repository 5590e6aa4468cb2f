"""Joining a component to host functions.

In: a ``Component`` and the ``Interface`` tables of the capabilities. Out: a
``LinkedComponent``, from which instances are made. No interface is known here; what a
component imports and the capabilities offer is matched by name, and the converters follow
from the types that the component states.

Source: contract spin-host.md, LIFE-1 and ENV-22.
"""

import ctypes
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import wasmtime
from wasmtime import component as wit

from edgezero_spin.host import forwarding
from edgezero_spin.host.callbacks import (
    Callback,
    Destructor,
    host_callback,
    resource_destructor,
)
from edgezero_spin.host.engine import Component, Engine, InstanceLimits
from edgezero_spin.host.errors import InstanceError, LinkError
from edgezero_spin.host.interface import InstanceState, Interface
from edgezero_spin.host.running import MOST_ARGUMENTS, Export, Instance
from edgezero_spin.host.values import (
    ResourceTypes,
    host_type_id,
    prepare_lift,
    prepare_lower,
)
from edgezero_spin.host.values.raw import Size, error_message, keeping
from edgezero_spin.wasm.bulk_names import plain_name

__all__ = [
    "ROOT",
    "Dependency",
    "Instance",
    "LinkedComponent",
    "find_interface",
    "items_of",
    "link",
]

ROOT = "$root"
"""Key of the ``Interface`` that serves functions which a world imports by themselves."""

_add_function = keeping(
    "wasmtime_component_linker_instance_add_func",
    Size,
    Size,
    ctypes.c_char_p,
    Size,
    Callback,
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
    Destructor,
    Size,
    Size,
)


class Dependency(Protocol):
    """A component that satisfies an import of another; ``dependencies.Dependency``."""

    @property
    def provider(self) -> "LinkedComponent":
        """The component, its imports defined."""

    def lend(self, item: Any, resources: ResourceTypes) -> dict[str, type]:
        """Note the resources that it defines, and return all that the import has."""

    def functions(self, import_name: str, item: Any, resources: ResourceTypes) -> dict[str, Any]:
        """Return the callbacks for the import's functions."""


def link(
    engine: Engine,
    component: Component,
    interfaces: Mapping[str, Interface],
    dependencies: Mapping[str, Dependency] | None = None,
) -> "LinkedComponent":
    """Join a component's imports to host functions, with converters made once.

    Args:
        engine: The engine that the component was loaded with.
        component: What ``load_component`` returned.
        interfaces: The host's side, by name. An import ``ns:pkg/iface@version`` looks for
            exactly that key, then, for WASI 0.2 releases, for ``ns:pkg/iface``.
            ``ROOT`` serves functions imported outside any interface.
        dependencies: Other components in the place of imports, by the import's full name.

    Returns:
        A component whose every import is defined. What ``interfaces`` lacks stops the
        guest when it is called, with a message that names it.

    Raises:
        LinkError: A function that the host has uses a type that cannot cross.
    """
    return _Linking(engine, component, interfaces, dependencies or {}).finish()


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


_NO_LIMITS = InstanceLimits()


class _Linking:
    """The work of one ``link`` call."""

    def __init__(
        self,
        engine: Engine,
        component: Component,
        interfaces: Mapping[str, Interface],
        dependencies: Mapping[str, Dependency],
    ) -> None:
        if component.engine is not engine:
            raise LinkError(str(component.path), "was loaded with another engine")
        self.engine = engine
        self.component = component
        self.interfaces = interfaces
        self.dependencies = dependencies
        self.linker = wit.Linker(engine.native)
        self.resources = ResourceTypes()
        self.kept: list[object] = []

    def finish(self) -> "LinkedComponent":
        native = self.component.native
        imports = dict(items_of(native.type.imports(self.engine.native)))
        instances: list[tuple[str, Interface, dict[str, wit.ComponentItem]]] = []
        for name, item in imports.items():
            if isinstance(item, wit.ComponentInstanceType) and name not in self.dependencies:
                interface = find_interface(name, self.interfaces)
                if interface is not None:
                    found = dict(items_of(item.exports(self.engine.native)))
                    instances.append((name, interface, found))
        root = self.interfaces.get(ROOT, Interface(ROOT))
        # Every resource type is known before the first function that mentions one.
        for _, interface, found in [*instances, (ROOT, root, imports)]:
            for name, item in found.items():
                if isinstance(item, wit.ResourceType) and name in interface.resources:
                    self.resources.add(item, name, interface.resources[name])
        lent = {
            name: dependency.lend(imports[name], self.resources)
            for name, dependency in self.dependencies.items()
        }
        with self.linker.root() as place:
            self._define(place, ROOT, root, imports)
            for name, interface, found in instances:
                with place.add_instance(name) as inner:
                    self._define(inner, name, interface, found)
            for name, dependency in self.dependencies.items():
                self._join(place, name, imports[name], dependency, lent[name])
        try:
            self.linker.define_unknown_imports_as_traps(native)
        except wasmtime.WasmtimeError as error:
            raise LinkError(str(self.component.path), str(error)) from error
        providers = {id(part.provider): part.provider for part in self.dependencies.values()}
        return LinkedComponent(
            self.engine,
            self.component,
            self.linker,
            self.resources,
            self.kept,
            tuple(providers.values()),
        )

    def _join(
        self,
        place: wit.LinkerInstance,
        name: str,
        item: wit.ComponentItem,
        dependency: Dependency,
        resources: Mapping[str, type],
    ) -> None:
        callbacks = dependency.functions(name, item, self.resources)
        if isinstance(item, wit.FuncType):
            self._add_function(place, name, callbacks[name])
            return
        with place.add_instance(name) as inner:
            for resource, class_ in resources.items():
                self._add_resource(inner, resource, class_)
            for function, callback in callbacks.items():
                self._add_function(inner, function, callback)

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
            elif isinstance(item, wit.FuncType):
                function = interface.functions.get(plain_name(name))
                if function is None:
                    continue
                try:
                    callback = host_callback(name, item, function, self.resources)
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
        lent = issubclass(class_, forwarding.Lent)
        destructor = forwarding.handle_destructor() if lent else resource_destructor(class_)
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


def items_of(
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


class LinkedComponent:
    """A component with every import defined. Safe to share between threads.

    Attributes:
        component: The component.
        exports: Names of the exported interfaces and root functions.
        resources: The imported resource types.
        providers: Components whose instances begin before its own.
    """

    def __init__(
        self,
        engine: Engine,
        component: Component,
        linker: wit.Linker,
        resources: ResourceTypes,
        kept: list[object],
        providers: "tuple[LinkedComponent, ...]" = (),
    ) -> None:
        self.engine = engine
        self.component = component
        self._linker = linker
        self.linker_address = _address(linker.ptr())
        self.component_address = _address(component.native.ptr())
        self.engine_address = _address(engine.native.ptr())
        self.resources = resources
        self.providers = providers
        self._kept = kept
        self._lock = threading.Lock()
        self._prepared: dict[tuple[str | None, str], Export] = {}
        self._types = dict(items_of(component.native.type.exports(engine.native)))
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

    def type_of(self, export: str) -> wit.ComponentItem | None:
        """Return the type of an export, by its full name."""
        return self._types.get(export)

    def index_of(self, function: str, interface: str | None = None) -> int | None:
        """Return the address of the engine's index of an exported function."""
        native = self.component.native
        outer = None if interface is None else native.get_export_index(interface)
        index = native.get_export_index(function, outer)
        if index is None:
            return None
        # The engine looks through it at each call.
        self._kept.append(index)
        return _address(index.ptr())

    def instantiate(self, state: InstanceState, limits: InstanceLimits | None = None) -> "Instance":
        """Return a fresh instance. Its state must not be shared with a live instance.

        Raises:
            OutOfMemory: The component needs more than its limits to start.
            EngineBusy: All pooled instances are in use.
            GuestTrapped: The component trapped while it started.
        """
        return Instance(self, state, limits or _NO_LIMITS)

    def prepared(self, interface: str | None, function: str) -> Export:
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

    def _prepare(self, interface: str | None, function: str) -> Export:
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
            type_ = dict(items_of(holder.exports(self.engine.native))).get(function)
        index = native.get_export_index(function, outer)
        if index is None or not isinstance(type_, wit.FuncType):
            raise InstanceError(f"{self.component.path} does not export the function {name}")
        try:
            return self._converters(name, index, type_)
        except (LinkError, TypeError) as error:
            raise LinkError(name, str(error)) from error

    def _converters(self, name: str, index: wit.ExportIndex, type_: wit.FuncType) -> Export:
        resources = self.resources
        lowers = tuple(prepare_lower(part, resources) for _, part in type_.params)
        if len(lowers) > MOST_ARGUMENTS:
            raise LinkError(name, f"has more than {MOST_ARGUMENTS} parameters")
        result = type_.result
        fallible = isinstance(result, wit.ResultType)
        value, error = (
            (result.ok, result.err) if isinstance(result, wit.ResultType) else (result, None)
        )
        return Export(
            name=name,
            index=index,
            address=_address(index.ptr()),
            lowers=lowers,
            has_result=result is not None,
            lift=None if value is None else prepare_lift(value, resources),
            lift_error=None if error is None else prepare_lift(error, resources),
            fallible=fallible,
        )
