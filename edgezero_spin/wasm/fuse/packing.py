"""Packed components: a component whose core modules are fused into one, as a component again.

In: a component's bytes. Out: a component that behaves alike on any host. Beside the fused
module it has the two small ones with which wit-component breaks a cycle, too: a lowered
function that needs a memory cannot exist before the instance that has the memory, and that
instance imports it. So the fused module imports a *shim*, which calls entries of a table, and a
*fix-up* module fills these once the lowered functions are there.

What this gains under any engine: the table's entries and the constants of dynamic linking are
known when the module is compiled, and code that nothing reaches is gone.

A component that has more than one instance with core modules, a start function, resources with
destructors or modules among its exports comes back unchanged; so does what is not a component.

Source: WebAssembly/component-model, ``design/mvp/Binary.md``.
"""

from collections.abc import Iterator

import attrs

from edgezero_spin.wasm.binary import sections
from edgezero_spin.wasm.component.canonical_format import canonical_bytes, read_canonical
from edgezero_spin.wasm.component.cursor import Cursor
from edgezero_spin.wasm.component.definitions import (
    AliasDefinition,
    CanonicalDefinition,
    Component,
    ExportDefinition,
    ImportDefinition,
    InstanceExports,
    Instantiate,
    ResourceForm,
    Sort,
    TypeDefinition,
)
from edgezero_spin.wasm.component.errors import UnsupportedError, WasmError
from edgezero_spin.wasm.component.linked import Canonical, CoreExport, CoreInstance
from edgezero_spin.wasm.component.linking import link, link_with_scope
from edgezero_spin.wasm.component.reader import read_component
from edgezero_spin.wasm.component.scope import ComponentScope
from edgezero_spin.wasm.component.sections import (
    ALIAS,
    CANONICAL,
    CORE_INSTANCE,
    CORE_MODULE,
    CUSTOM,
    ComponentSections,
)
from edgezero_spin.wasm.component.type_reader import read_alias
from edgezero_spin.wasm.core_module import read_core_module
from edgezero_spin.wasm.fuse.freed_bytes import with_freed_bytes
from edgezero_spin.wasm.fuse.fusing import fuse_with_names
from edgezero_spin.wasm.fuse.renaming import Renaming
from edgezero_spin.wasm.fuse.shims import TABLE_NAME, fix_up_module, shim_module

__all__ = ["packed_component"]

# Core modules of a packed component, and the core instances made of them.
_SHIM, _FUSED, _FIX_UP = range(3)
_SHIM_INSTANCE, _GIVEN_INSTANCE, _FUSED_INSTANCE, _TABLE_INSTANCE = range(4)


def packed_component(data: bytes, *, frees_bytes: bool = False) -> bytes:
    """Return a component with its core modules fused.

    With ``frees_bytes`` it frees what its runtime copies for a call, see ``freed_bytes.py``.
    """
    try:
        component = read_component(data)
        linked, scope = link_with_scope(component)
        if any(each.instance for each in linked.core_instances) or _names_core(component):
            return data
        renaming = Renaming(lambda export: export)
        if frees_bytes:
            linked, renaming = with_freed_bytes(linked)
        fused = fuse_with_names(linked, split_from=None)
        (core,) = fused.linked.core_instances
        if core.start is not None:
            return data
        names = Renaming(lambda export: fused.names[renaming.export(export)])
        packed = _Packing(component, scope, core, names).component(data)
        # Whatever was left out although something refers to it is found here.
        link(read_component(packed))
    except (WasmError, LookupError, ValueError):
        return data
    return packed


def _names_core(component: Component) -> bool:
    """Return whether definitions that are copied name core functions or modules."""
    for each in component.definitions:
        match each:
            case TypeDefinition(form=ResourceForm(destructor)):
                found = destructor is not None
            case ImportDefinition():
                found = each.type.sort == Sort.CORE_MODULE
            case ExportDefinition():
                found = each.reference is not None and each.reference[0] == Sort.CORE_MODULE
            case Instantiate():
                found = any(sort == Sort.CORE_MODULE for _, (sort, _) in each.arguments)
            case InstanceExports():
                found = any(sort == Sort.CORE_MODULE for _, (sort, _), _ in each.exports)
            case AliasDefinition():
                found = each.sort == Sort.CORE_MODULE
            case Component():
                found = _names_core(each)
            case _:
                continue
        if found:
            return True
    return False


class _Packing:
    """One component, packed.

    Args:
        component: The component as it was.
        scope: What its indices stand for.
        core: The fused core instance.
        names: What core exports are called in it.
    """

    def __init__(
        self, component: Component, scope: ComponentScope, core: CoreInstance, names: Renaming
    ) -> None:
        self._scope = scope
        self._core = core
        self._names = names
        self._definitions = dict(self._canonicals(component))
        self._out = ComponentSections()
        self._aliases: dict[tuple[Sort, str], int] = {}
        self._is_instantiated = False

    def _canonicals(self, component: Component) -> Iterator[tuple[Canonical, CanonicalDefinition]]:
        """Yield each canonical function as the fused module imports it, and its definition."""
        functions = iter(self._scope.spaces[Sort.CORE_FUNCTION])
        for each in component.definitions:
            if isinstance(each, CanonicalDefinition) and each.name != "lift":
                try:
                    yield self._names.of(next(functions).source), each
                except KeyError:
                    # An option that the fused module lacks: nothing calls this function.
                    continue
            elif isinstance(each, AliasDefinition) and each.sort == Sort.CORE_FUNCTION:
                next(functions)

    def component(self, data: bytes) -> bytes:
        """Return the component.

        Raises:
            LookupError, UnsupportedError: It has a form that is not packed.
        """
        for number, start, stop in sections(data):
            cursor = Cursor(data, start, stop)
            if number == ALIAS:
                for _ in range(cursor.u32()):
                    at = cursor.at
                    if not read_alias(cursor).sort.is_core:
                        self._out.add(ALIAS, data[at : cursor.at])
            elif number == CANONICAL:
                for each in cursor.vector(read_canonical):
                    if each.name == "lift":
                        self._lift(each)
            elif number == CUSTOM and cursor.name() == "component-name":
                # Names by indices that are other ones now.
                continue
            elif number not in (CORE_MODULE, CORE_INSTANCE):
                self._out.copy(number, data[start:stop])
        return self._out.component()

    def _lift(self, lift: CanonicalDefinition) -> None:
        if not self._is_instantiated:
            self._is_instantiated = True
            self._instantiate()
        function = self._alias(Sort.CORE_FUNCTION, self._name(Sort.CORE_FUNCTION, lift.index or 0))
        self._canonical(attrs.evolve(lift, index=function), Sort.FUNCTION)

    def _name(self, sort: Sort, index: int) -> str:
        """Return what the fused module calls a core definition of the component as it was."""
        source = self._scope.item(sort, index, 0).source
        if not isinstance(source, CoreExport):
            raise UnsupportedError("a canonical function is lifted", 0)
        return self._names.export(source).name

    def _alias(self, sort: Sort, name: str) -> int:
        """Return the index of a definition that the fused module exports."""
        if (sort, name) not in self._aliases:
            self._aliases[sort, name] = self._out.alias(sort, _FUSED_INSTANCE, name)
        return self._aliases[sort, name]

    def _instantiate(self) -> None:
        """Add the core modules, their instances, and the functions that these import."""
        out = self._out
        content = read_core_module(self._core.module)
        imports = [
            (each.name, self._definitions[each.source], type_.function)  # type: ignore[index]
            for each, (_, _, type_) in zip(self._core.imports, content.imports, strict=True)
        ]
        late = [each for each in imports if _is_late(each[1])]
        types = [type_ for _, _, type_ in late if type_ is not None]
        for module in (shim_module(types), self._core.module, fix_up_module(types)):
            out.copy(CORE_MODULE, module)
        out.instantiate(_SHIM, {})
        given = []
        for name, definition, _ in imports:
            if _is_late(definition):
                slot = next(at for at, each in enumerate(late) if each[0] == name)
                index = out.alias(Sort.CORE_FUNCTION, _SHIM_INSTANCE, str(slot))
            else:
                index = out.add(CANONICAL, canonical_bytes(definition), Sort.CORE_FUNCTION)
            given.append((name, Sort.CORE_FUNCTION, index))
        out.gather(given)
        out.instantiate(_FUSED, {"canonical": _GIVEN_INSTANCE})
        table = out.alias(Sort.CORE_TABLE, _SHIM_INSTANCE, TABLE_NAME)
        filled = [(TABLE_NAME, Sort.CORE_TABLE, table)]
        for slot, (_, definition, _) in enumerate(late):
            index = self._canonical(definition, Sort.CORE_FUNCTION)
            filled.append((str(slot), Sort.CORE_FUNCTION, index))
        out.gather(filled)
        out.instantiate(_FIX_UP, {"": _TABLE_INSTANCE})

    def _canonical(self, definition: CanonicalDefinition, sort: Sort) -> int:
        """Add a canonical definition whose options name what the fused module exports."""
        options = []
        for name, index in definition.options:
            named = _option_sort(name)
            options.append((name, self._alias(named, self._name(named, index)) if named else index))
        made = attrs.evolve(definition, options=tuple(options))
        return self._out.add(CANONICAL, canonical_bytes(made), sort)


def _option_sort(name: str) -> Sort | None:
    """Return the sort of what an option names, ``None`` for one without an index."""
    if name in ("realloc", "post-return", "callback"):
        return Sort.CORE_FUNCTION
    return Sort.CORE_MEMORY if name == "memory" else None


def _is_late(definition: CanonicalDefinition) -> bool:
    """Return whether a canonical function needs something of the instance that imports it."""
    return any(_option_sort(name) for name, _ in definition.options)
