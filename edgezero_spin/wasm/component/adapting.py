"""Adaptation of core modules: a core module linked as the component that it would be.

In: a ``CoreGuest`` and the evaluation that it is linked in. Out: the component's exports; its
core instances are added to the plan. Names of core imports and exports are those that
bindings generators use: functions of an interface under its name, ``[resource-drop]r``, what an
exported resource needs under ``[export]`` and the interface's name; exports as
``interface#function``, with ``cabi_post_`` before it for what follows a call. Asynchronous
functions are imported as ``[async-lower]f`` and exported as ``[async-lift]interface#function``
with a ``[callback]``; ``builtin_names`` has the built-ins that they need.

WASI 0.1 stays what it is: core functions, provided by the host.

Source: wit-component, ``validation`` and ``encoding``; contract spin-host.md, GEN-8.
"""

from collections.abc import Mapping
from typing import Any, NoReturn

import attrs

from edgezero_spin.wasm.binary import number_bytes
from edgezero_spin.wasm.component.ascription import EXPORT
from edgezero_spin.wasm.component.builtin_names import (
    Items,
    NamedBuiltin,
    parse_builtin,
    type_of,
)
from edgezero_spin.wasm.component.canonical import (
    CALLBACK,
    builtin_function_type,
    core_function_type,
)
from edgezero_spin.wasm.component.core_guest import CoreGuest, GuestKind, World
from edgezero_spin.wasm.component.definitions import CoreExternType, CoreFunctionType, Sort
from edgezero_spin.wasm.component.errors import InvalidError
from edgezero_spin.wasm.component.evaluating import Evaluator
from edgezero_spin.wasm.component.layout import I32, core_signature
from edgezero_spin.wasm.component.linked import (
    WASI_01,
    Builtin,
    Canonical,
    CoreExport,
    CoreImport,
    CoreInstance,
    Encoding,
    Function,
    ImportedFunction,
    LiftedFunction,
    LocalResource,
    LoweredFunction,
    Options,
    ResourceFunction,
    WasiFunction,
)
from edgezero_spin.wasm.component.plan import Exports
from edgezero_spin.wasm.component.scope import InstanceItem
from edgezero_spin.wasm.component.spin_1 import SPIN_1_EXPORTS, SPIN_1_IMPORTS, SPIN_1_RENAMED
from edgezero_spin.wasm.component.types import FunctionType, ResourceType, ResultType
from edgezero_spin.wasm.core_module import CODE, FUNCTION, IMPORT, START
from edgezero_spin.wasm.core_module import EXPORT as EXPORT_SECTION
from edgezero_spin.wasm.module_writer import (
    ModuleSections,
    body_bytes,
    export_bytes,
    function_import_bytes,
)

__all__ = ["ROOT", "adapt"]

ROOT = "$root"
"""Module that the functions which a world imports by themselves are imported from."""

_RUN = "wasi:cli/run@0.2.0"
_ASYNC_LOWER, _ASYNC_LIFT, _STACKFUL = "[async-lower]", "[async-lift]", "[async-lift-stackful]"
_REALLOC = ("cabi_realloc", "canonical_abi_realloc")
_IMPORT_REALLOC, _EXPORT_REALLOC = "cabi_import_realloc", "cabi_export_realloc"
_NOTHING: tuple[Any, Any, Encoding] = (None, None, Encoding.UTF8)


def adapt(
    evaluator: Evaluator,
    guest: CoreGuest,
    instance: int,
    arguments: Mapping[str, tuple[Sort, Any]] | None = None,
) -> Exports:
    """Link a core module; return the exports of the component that it becomes.

    Args:
        evaluator: What evaluates types; its plan is added to.
        guest: The module.
        instance: Index of its component instance.
        arguments: What some of its imports are given; others are the host's.

    Raises:
        InvalidError: It imports what its worlds do not have, or lacks what they export.
    """
    return _Adaptation(evaluator, guest, instance, arguments).exports()


class _Adaptation:
    def __init__(
        self,
        evaluator: Evaluator,
        guest: CoreGuest,
        instance: int,
        arguments: Mapping[str, tuple[Sort, Any]] | None,
    ) -> None:
        self._plan = evaluator.plan
        self._guest = guest
        self._content = guest.content
        self._instance = instance
        self._number = len(self._plan.core_instances)
        self._kinds = {name: (kind, index) for name, kind, index in self._content.exports}
        self._imports: dict[str, dict[str, tuple[Sort, Any, Encoding]]] = {}
        self._exports: dict[str, tuple[Sort, Any, Encoding]] = {}
        for world in guest.worlds:
            self._add_world(evaluator, world, arguments)
        if guest.kind == GuestKind.SPIN_1:
            self._add_spin_1()

    # What it imports and exports

    def _add_world(
        self, evaluator: Evaluator, world: World, arguments: Mapping[str, tuple[Sort, Any]] | None
    ) -> None:
        imports, exports = evaluator.world(world.type, arguments)
        for name, (sort, item) in imports.items():
            if sort == Sort.INSTANCE:
                known = self._imports.setdefault(name, {})
                known |= {key: (*each, world.encoding) for key, each in item.exports.items()}
            else:
                self._imports.setdefault(ROOT, {})[name] = sort, item, world.encoding
        for name, (sort, item) in exports.items():
            self._exports[name] = sort, item, world.encoding
        plan = self._plan
        plan.imports = [each for each in plan.imports if each.path[0] != EXPORT]
        plan.host_resources = {
            path: each for path, each in plan.host_resources.items() if path[0] != EXPORT
        }

    def _add_spin_1(self) -> None:
        for module, (interface, functions) in SPIN_1_IMPORTS.items():
            for name, type_ in functions.items():
                function = ImportedFunction((interface, SPIN_1_RENAMED.get(name, name)), type_)
                found = self._imports.setdefault(module, {})
                found[name] = Sort.FUNCTION, function, Encoding.UTF8

    def exports(self) -> Exports:
        """Add the core instances; return the exports."""
        guest, plan = self._guest, self._plan
        imports = [
            CoreImport(module, name, self._source(module, name, type_))
            for module, name, type_ in self._content.imports
        ]
        plan.core_instances.append(CoreInstance(self._instance, guest.data, tuple(imports)))
        if guest.kind == GuestKind.COMMAND:
            return {_RUN: (Sort.INSTANCE, InstanceItem({"run": (Sort.FUNCTION, self._command())}))}
        if self._has("_initialize"):
            self._add_caller(_starting_module(), "_initialize")
        if guest.kind == GuestKind.SPIN_1:
            return self._spin_1_exports()
        return {name: self._exported(name, *each) for name, each in self._exports.items()}

    # Imports

    def _source(self, module: str, name: str, type_: CoreExternType) -> Canonical:
        function = type_.function
        if type_.kind != "func" or function is None:
            self._fail(f"the module imports a {type_.kind}, `{module}` `{name}`")
        if module == WASI_01:
            return WasiFunction(name, self._instance, self._memory())
        exported = module.startswith(EXPORT)
        items = self._exported_items(module.removeprefix(EXPORT)) if exported else None
        if items is None:
            items = self._imports.get(module, {} if module == ROOT else None)
        if items is None:
            self._fail(f"module requires an import interface named `{module}`")
        if name.startswith("[resource-"):
            kind, _, label = name[1:].partition("]")
            return self._resource_function(kind.replace("-", ".", 1), module, label, items)
        named = parse_builtin(name)
        if named is not None:
            return self._builtin(module, name, named, items, function)
        is_async = name.startswith(_ASYNC_LOWER)
        _, item, encoding = items.get(name.removeprefix(_ASYNC_LOWER), _NOTHING)
        if not isinstance(item, ImportedFunction | LiftedFunction) or exported:
            self._fail(f"import interface `{module}` is missing function `{name}`")
        if is_async and not item.type.is_async:
            self._fail(f"function `{name}` of `{module}` is not asynchronous")
        signature = core_signature(item.type, lowered=True, is_async=is_async)
        if core_function_type(signature) != function:
            self._fail(f"type mismatch for function `{name}` of `{module}`")
        self._note(item)
        options = self._options(encoding, is_async=is_async)
        return LoweredFunction(self._instance, item, options)

    def _builtin(
        self, module: str, name: str, named: NamedBuiltin, items: Items, function: CoreFunctionType
    ) -> Builtin:
        exported = module.startswith(EXPORT)
        plain = not (named.is_of_exports or named.is_transfer)
        if (plain and module != ROOT) or (named.is_of_exports and not exported):
            self._fail(f"import interface `{module}` is missing function `{name}`")
        found = type_of(named, items)
        if found is None:
            what = "a stream or future" if named.is_transfer else "a function"
            self._fail(f"`{name}` of `{module}` is for {what} that is not there")
        type_, encoding = found
        options = Options()
        if named.takes_options:
            options = self._options(encoding, is_async=named.is_async and named.is_transfer)
        made = named.builtin(self._instance, type_, options)
        if builtin_function_type(made, 0) != function:
            self._fail(f"type mismatch for function `{name}` of `{module}`")
        return made

    def _note(self, function: Function) -> None:
        if isinstance(function, ImportedFunction) and function not in self._plan.imports:
            self._plan.imports.append(function)

    def _exported_items(self, interface: str) -> dict[str, tuple[Sort, Any, Encoding]] | None:
        if interface == ROOT:
            return self._exports
        sort, item, encoding = self._exports.get(interface, _NOTHING)
        if sort != Sort.INSTANCE or item is None:
            return None
        return {name: (*each, encoding) for name, each in item.exports.items()}

    def _resource_function(
        self, name: str, module: str, label: str, items: Items
    ) -> ResourceFunction:
        _, resource, _ = items.get(label, _NOTHING)
        if not isinstance(resource, ResourceType) or name not in (
            "resource.drop",
            "resource.new",
            "resource.rep",
        ):
            self._fail(f"import interface `{module}` is missing resource `{label}`")
        return ResourceFunction(name, self._instance, resource)

    # Exports

    def _exported(self, name: str, sort: Sort, item: Any, encoding: Encoding) -> tuple[Sort, Any]:
        if sort == Sort.FUNCTION:
            return sort, self._lifted(name, item.type, encoding)
        if sort != Sort.INSTANCE:
            return sort, item
        found: Exports = {}
        for label, (kind, each) in item.exports.items():
            if kind == Sort.FUNCTION:
                found[label] = kind, self._lifted(f"{name}#{label}", each.type, encoding)
                continue
            if isinstance(each, ResourceType) and self._is_own(each):
                destructor = f"{name}#[dtor]{label}"
                self._plan.resources[each] = LocalResource(self._instance, self._export(destructor))
            found[label] = kind, each
        return sort, InstanceItem(found)

    def _is_own(self, resource: ResourceType) -> bool:
        owner = self._plan.resources[resource]
        return not isinstance(owner, LocalResource) and owner.path[0] == EXPORT

    def _lifted(self, name: str, type_: FunctionType, encoding: Encoding) -> LiftedFunction:
        kinds = [kind for kind in ("", _ASYNC_LIFT, _STACKFUL) if self._has(kind + name)]
        if not kinds:
            self._fail(f"module does not export required function `{name}`")
        core, is_async = kinds[0] + name, bool(kinds[0])
        if is_async and not type_.is_async:
            self._fail(f"function `{name}` is not asynchronous")
        callback = f"[callback]{core}" if kinds[0] == _ASYNC_LIFT else None
        if callback is not None and self._type(callback) != CALLBACK:
            self._fail(f"missing callback for `{core}`")
        signature = core_signature(
            type_, lowered=False, is_async=is_async, callback=callback is not None
        )
        if self._type(core) != core_function_type(signature):
            self._fail(f"type mismatch for function `{core}`")
        post_return = f"cabi_post_{core}" if not is_async else None
        options = attrs.evolve(
            self._options(encoding, _EXPORT_REALLOC, is_async=is_async),
            post_return=self._export(post_return),
            callback=self._export(callback),
        )
        return LiftedFunction(self._instance, CoreExport(self._number, core), type_, options)

    def _spin_1_exports(self) -> Exports:
        found: Exports = {}
        for core, (interface, name, type_) in SPIN_1_EXPORTS.items():
            if self._has(core):
                lifted = self._lifted(core, type_, Encoding.UTF8)
                found[interface] = Sort.INSTANCE, InstanceItem({name: (Sort.FUNCTION, lifted)})
        return found

    def _command(self) -> LiftedFunction:
        core = self._add_caller(_running_module(), "_start")
        return LiftedFunction(
            self._instance, core, FunctionType((), ResultType(None, None)), Options()
        )

    def _add_caller(self, module: bytes, called: str) -> CoreExport:
        """Add a module that calls an export of the guest; return what it may export itself."""
        number = len(self._plan.core_instances)
        imported = CoreImport("", "", CoreExport(self._number, called))
        self._plan.core_instances.append(CoreInstance(self._instance, module, (imported,)))
        return CoreExport(number, "run")

    # What both need

    def _has(self, function: str) -> bool:
        return self._kinds.get(function, (-1, 0))[0] == 0

    def _type(self, function: str) -> CoreFunctionType | None:
        if not self._has(function):
            return None
        return self._content.spaces[0][self._kinds[function][1]].function

    def _export(self, function: str | None) -> CoreExport | None:
        if function is None or not self._has(function):
            return None
        return CoreExport(self._number, function)

    def _memory(self) -> CoreExport | None:
        is_there = self._kinds.get("memory", (-1, 0))[0] == 2
        return CoreExport(self._number, "memory") if is_there else None

    def _options(
        self, encoding: Encoding, realloc_of_kind: str = _IMPORT_REALLOC, *, is_async: bool = False
    ) -> Options:
        realloc = next(filter(self._has, (realloc_of_kind, *_REALLOC)), None)
        return Options(
            encoding, memory=self._memory(), realloc=self._export(realloc), is_async=is_async
        )

    def _fail(self, reason: str) -> NoReturn:
        raise InvalidError(reason, 0)


def _caller() -> ModuleSections:
    """Return the sections of a module that imports a function without parameters and results."""
    content = ModuleSections()
    type_ = content.type_index(CoreFunctionType((), ()))
    content.sections[IMPORT] = [function_import_bytes("", "", type_)]
    return content


def _running_module() -> bytes:
    """Return a module whose ``run`` calls its import and returns 0, which is ``ok``."""
    content = _caller()
    type_ = content.type_index(CoreFunctionType((), (I32,)))
    content.sections |= {
        FUNCTION: [number_bytes(type_)],
        EXPORT_SECTION: [export_bytes("run", 0, b"\1")],
        CODE: [body_bytes(b"\x10\0\x41\0")],
    }
    return content.module()


def _starting_module() -> bytes:
    """Return a module that calls its import when it is instantiated."""
    content = _caller()
    content.sections[START] = [b"\0"]
    return content.module()
