"""Linked form of a component: what a runtime does to instantiate it, in order.

Instantiating a component is static: which core module is instantiated when, and where each of
its imports comes from, follows from the component alone. ``link`` (``linking.py``) evaluates
the root component, every component in it and the components it depends on, into the
``LinkedComponent`` defined here; ``wasm/fuse`` turns that into another one with far fewer core
instances. A runtime consumes either the same way:

- make one handle table per entry of ``instances``;
- instantiate ``core_instances`` from first to last; every ``CoreExport`` names an earlier one
  (options of a lower or lift may name a later one: they are needed when it is called);
- after each, call the export that its ``start`` names, if any. A trap there, or in the
  module's own start function, is a trap of the instantiation;
- ``exports`` are what the root exports.

No index of the binary format is left, and no type is abstract but those of host resources.
Instances, functions and values of this module are immutable and compare by value (resource
types by identity): equal canonical functions can share one trampoline.

Source: WebAssembly/component-model, ``design/mvp/CanonicalABI.md``, "Canonical Definitions",
and ``Explainer.md``.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import NamedTuple

import attrs

from edgezero_spin.wasm.component.types import FunctionType, ResourceType, ValueType

__all__ = [
    "WASI_01",
    "Builtin",
    "Canonical",
    "ComponentExport",
    "CoreExport",
    "CoreImport",
    "CoreInstance",
    "Encoding",
    "ExportedInstance",
    "Function",
    "HostResource",
    "ImportedFunction",
    "LiftedFunction",
    "LinkedComponent",
    "LinkedInstance",
    "LocalResource",
    "LoweredFunction",
    "Options",
    "ResourceFunction",
    "WasiFunction",
    "lifted_functions",
]

WASI_01 = "wasi_snapshot_preview1"
"""Module that the functions of WASI 0.1 are imported from."""


class Encoding(Enum):
    """String encodings of a lift or lower; the value is the name in the text format."""

    UTF8 = "utf8"
    UTF16 = "utf16"
    LATIN1_UTF16 = "latin1+utf16"


@attrs.frozen
class LinkedInstance:
    """A component instance: a handle table, and the flags that the canonical ABI keeps.

    Attributes:
        parent: Index of the instance whose definition instantiates it, ``None`` for the root
            and for the components that it depends on.
        dependency: The name under which the host was given this component as a dependency;
            ``None`` within the root component. Its host functions have that name, too.
    """

    parent: int | None = None
    dependency: str | None = None


# Looked up at each call of a core function, so that its hash has to be quick.
class CoreExport(NamedTuple):
    """What ``core_instances[instance]`` of a linked component exports by a name."""

    instance: int
    name: str


@attrs.frozen
class Options:
    """Canonical options of a lift, lower or built-in.

    Attributes:
        encoding: How strings are encoded.
        memory, realloc, post_return, callback: The core definitions named, if any.
    """

    encoding: Encoding = Encoding.UTF8
    memory: CoreExport | None = None
    realloc: CoreExport | None = None
    post_return: CoreExport | None = None
    callback: CoreExport | None = None
    is_async: bool = False


@attrs.frozen
class ImportedFunction:
    """A function that the component imports and the host provides.

    Attributes:
        path: Names that lead to it: ``("wasi:http/types@0.2.0", "[method]fields.get")`` in an
            imported instance, one name for a function imported by itself.
        type: Its type as the component declares it.
        dependency: Which dependency imports it, ``None`` for the root component.
    """

    path: tuple[str, ...]
    type: FunctionType
    dependency: str | None = None


@attrs.frozen
class LiftedFunction:
    """A core function with a component function's type, as ``canon lift`` makes it.

    Attributes:
        instance: Index of the component instance that defines it.
        options: How values cross.
    """

    instance: int
    core: CoreExport
    type: FunctionType
    options: Options


Function = ImportedFunction | LiftedFunction


@attrs.frozen
class LoweredFunction:
    """A component function as a core function, as ``canon lower`` makes it.

    Attributes:
        instance: Index of the component instance that calls it.
        callee: The function: the host's, or lifted by this or another instance.
        options: How values cross on the caller's side.
    """

    instance: int
    callee: Function
    options: Options


@attrs.frozen
class ResourceFunction:
    """``resource.new``, ``resource.drop`` or ``resource.rep``.

    Attributes:
        name: The name in the text format, ``resource.drop``.
        instance: Index of the component instance whose handle table it changes.
        resource: The resource type; ``LinkedComponent.resources`` says whose it is.
    """

    name: str
    instance: int
    resource: ResourceType


@attrs.frozen
class Builtin:
    """A canonical built-in of the asynchronous ABI.

    Attributes:
        name: The name in the text format: ``task.return``, ``stream.read``,
            ``waitable-set.wait``.
        instance: Index of the component instance that calls it.
        type: The stream or future type for ``stream.*`` and ``future.*``; the result of
            ``task.return``, ``None`` without one; else ``None``.
        options: For built-ins with options, among them the memory of ``waitable-set.wait``
            and ``waitable-set.poll``.
        is_async: ``async`` is given to ``*.cancel-*``. (For ``*.read`` and ``*.write`` it is
            in ``options``.)
        slot: For ``context.get`` and ``context.set``, the number of the slot.
        core_type: For ``context.get`` and ``context.set``, ``i32`` or ``i64``.
    """

    name: str
    instance: int
    type: ValueType | None = None
    options: Options = Options()
    is_async: bool = False
    cancellable: bool = False
    slot: int = 0
    core_type: str = "i32"


@attrs.frozen
class WasiFunction:
    """A core function of WASI 0.1, which a core module imports by itself.

    Attributes:
        instance: Index of the component instance that calls it.
        memory: The memory that its pointers mean.
    """

    name: str
    instance: int
    memory: CoreExport | None = None


Canonical = LoweredFunction | ResourceFunction | Builtin | WasiFunction


@attrs.frozen
class CoreImport:
    """An import of a core module, and what is given to it.

    Attributes:
        source: An export of an earlier core instance (of any kind: function, table, memory,
            global, tag), or a canonical function.
    """

    module: str
    name: str
    source: CoreExport | Canonical


@attrs.frozen
class CoreInstance:
    """A core module to instantiate.

    Attributes:
        instance: Index of the component instance it belongs to.
        module: The module's bytes. Instances of one module share the object.
        imports: In the order of the module's import section, one for each entry.
        start: Name of an exported function without parameters and results to call as soon as
            the module is instantiated, or ``None``. It is not a start section, so that
            host functions that it calls find the instance's memory and functions.
    """

    instance: int
    module: bytes = attrs.field(repr=False)
    imports: tuple[CoreImport, ...]
    start: str | None = None


@attrs.frozen
class LocalResource:
    """A resource type that a component instance defines.

    Attributes:
        instance: Index of that instance.
        destructor: Core function to call with the representation, or ``None``.
    """

    instance: int
    destructor: CoreExport | None


@attrs.frozen
class HostResource:
    """A resource type that the host defines.

    Attributes:
        path: The names it is imported by, ``("wasi:http/types@0.2.0", "fields")``. A second
            import that is declared equal to the first is the same resource type and has no
            entry of its own.
        dependency: Which dependency imports it, ``None`` for the root component.
    """

    path: tuple[str, ...]
    dependency: str | None = None


@attrs.frozen
class ExportedInstance:
    """An instance among the exports, by what it exports."""

    exports: Mapping[str, "ComponentExport"] = attrs.field(hash=False)


ComponentExport = ImportedFunction | LiftedFunction | ExportedInstance | ResourceType | ValueType


def lifted_functions(
    exports: Mapping[str, ComponentExport],
) -> Iterator[tuple[str, LiftedFunction]]:
    """Yield the lifted functions among exports and in the instances among them, by name."""
    for name, export in exports.items():
        if isinstance(export, ExportedInstance):
            yield from lifted_functions(export.exports)
        elif isinstance(export, LiftedFunction):
            yield name, export


@attrs.frozen
class LinkedComponent:
    """A component with everything resolved that is known before it runs.

    Attributes:
        imports: Every function that the host has to provide if it is called, in the order of
            the imports; those of unused imports, too.
        resources: Whose each resource type is.
        instances: The component instances; the root is the first.
        core_instances: The core modules to instantiate, in order.
        exports: What the root exports: functions, instances, resource and value types.
            Modules and components that it exports are left out.
    """

    imports: tuple[ImportedFunction, ...]
    resources: Mapping[ResourceType, LocalResource | HostResource]
    instances: tuple[LinkedInstance, ...]
    core_instances: tuple[CoreInstance, ...]
    exports: Mapping[str, ComponentExport]

    def canonicals(self) -> Iterator[Canonical]:
        """Yield the canonical functions that core modules import."""
        for core in self.core_instances:
            for imported in core.imports:
                if not isinstance(imported.source, CoreExport):
                    yield imported.source
