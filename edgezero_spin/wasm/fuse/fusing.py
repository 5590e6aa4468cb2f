"""Fuser: a linked component with one core module per component instance.

In: a ``LinkedComponent``. Out: another one that behaves alike. Core instances of a component
instance become one, unless a start function makes it observable that another component
instance is instantiated in between: then each run of them becomes one.

Only functions that exports, segments and start functions need stay, and only the imports that
these need.

Source: WebAssembly/component-model, ``design/mvp/CanonicalABI.md`` (what a runtime calls).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby

import attrs

from edgezero_spin.wasm.component.errors import UnsupportedError
from edgezero_spin.wasm.component.linked import (
    WASI_01,
    CoreExport,
    CoreImport,
    CoreInstance,
    LiftedFunction,
    LinkedComponent,
    LocalResource,
    LoweredFunction,
    WasiFunction,
    lifted_functions,
)
from edgezero_spin.wasm.core_module import CoreModuleContent, read_core_module
from edgezero_spin.wasm.fuse.code_cache import CodeCache, CodeEntry, code_key, folded_values
from edgezero_spin.wasm.fuse.emitting import START, emit
from edgezero_spin.wasm.fuse.entities import Entity, EntityKind
from edgezero_spin.wasm.fuse.program import Program, core_exports
from edgezero_spin.wasm.fuse.renaming import Renaming
from edgezero_spin.wasm.fuse.splitting import (
    SNAPSHOT_BYTES,
    Code,
    can_split,
    code_imports,
    data_module,
    memory_export,
    split,
)

__all__ = ["Fused", "fuse", "fuse_with_names"]

# A module counts once for each of its instances.
MAX_BYTES = 1 << 28
WASI_MEMORY = "memory"


@attrs.frozen
class Fused:
    """A fused component.

    Attributes:
        names: What became of the core exports that exports, options and others need.
    """

    linked: LinkedComponent
    names: Mapping[CoreExport, CoreExport]


def fuse(
    linked: LinkedComponent,
    *,
    split_from: int | None = SNAPSHOT_BYTES,
    cache: CodeCache | None = None,
) -> LinkedComponent:
    """Fuse the core modules of a linked component.

    Args:
        split_from: A module with so many bytes of data or more becomes two, see
            ``splitting.py``; ``None`` splits none.
        cache: Where code modules of split components are kept.

    Raises:
        WasmError: A module is damaged, or has something that is refused.
    """
    return fuse_with_names(linked, split_from=split_from, cache=cache).linked


def fuse_with_names(
    linked: LinkedComponent, *, split_from: int | None, cache: CodeCache | None = None
) -> Fused:
    """Fuse a component, and return what its core exports became; see ``fuse``."""
    if sum(len(each.module) for each in linked.core_instances) > MAX_BYTES:
        raise UnsupportedError("the core instances of the component are too large together", 0)
    contents: dict[int, CoreModuleContent] = {}
    for each in linked.core_instances:
        if id(each.module) not in contents:
            contents[id(each.module)] = read_core_module(each.module)
    groups = list(_groups(linked, contents))
    group_of = {number: at for at, group in enumerate(groups) for number in group}
    needed = _needed(linked, group_of)
    names: dict[CoreExport, CoreExport] = {}
    fused: list[CoreInstance] = []
    # Code modules import from the data module before them, whose names are new ones already.
    code_modules: set[int] = set()
    for at, group in enumerate(groups):
        program = _program(linked, group, contents)
        is_split = split_from is not None and can_split(program, split_from)
        code_at = len(fused) + is_split
        exports: dict[str, CoreExport] = {}
        export_names: dict[Entity, str] = {}
        for export in needed[at]:
            entity = program.entity(export)
            name = export_names.setdefault(entity, f"{export.instance}.{export.name}")
            names[export] = CoreExport(code_at, name)
            if is_split and entity.kind == EntityKind.MEMORY:
                memory = memory_export(program.memories.index(entity))
                names[export] = CoreExport(len(fused), memory)
            else:
                exports.setdefault(name, export)
        for source in program.imports:
            if isinstance(source, WasiFunction) and source.memory is not None:
                # The engine's WASI looks for the memory of who calls it under this name.
                exports[WASI_MEMORY] = source.memory
        instance = linked.core_instances[group[0]].instance

        def reach(
            program: Program = program,
            group: list[int] = group,
            needed: list[CoreExport] = needed[at],
        ) -> Program:
            if program.reach(needed):
                return program
            again = _program(linked, group, contents, keeps_shims=True)
            again.reach(needed)
            return again

        if is_split:
            program, code = _code(program, needed[at], exports, reach, cache)
            data = data_module(program, code.imports, code.variables, _import_names(program))
            fused.append(CoreInstance(instance, data, _imports(program, code.imports)))
            given = [
                CoreImport("data", name, CoreExport(len(fused) - 1, name))
                for name in code_imports(program)
            ]
            code_modules.add(len(fused))
            fused.append(CoreInstance(instance, code.module, tuple(given)))
        else:
            program = reach()
            exported = {name: program.entity(each) for name, each in exports.items()}
            emitted = emit(program, exported, _import_names(program))
            start = START if emitted.has_start else None
            imports = _imports(program, emitted.imports)
            fused.append(CoreInstance(instance, emitted.module, imports, start))
    renaming = Renaming(names.__getitem__)
    core_instances = [
        each if number in code_modules else renaming.of(each) for number, each in enumerate(fused)
    ]
    return Fused(renaming.component(linked, core_instances), names)


def _groups(
    linked: LinkedComponent, contents: Mapping[int, CoreModuleContent]
) -> Iterator[list[int]]:
    """Yield the core instances to fuse with each other."""
    instances = [each.instance for each in linked.core_instances]
    starts = {
        each.instance
        for each in linked.core_instances
        if contents[id(each.module)].start is not None
    }
    if starts and len(set(instances)) > 1:
        numbers = enumerate(instances)
        for _, run in groupby(numbers, key=lambda each: each[1]):
            yield [number for number, _ in run]
        return
    for instance in dict.fromkeys(instances):
        yield [number for number, each in enumerate(instances) if each == instance]


def _needed(linked: LinkedComponent, group_of: Mapping[int, int]) -> dict[int, list[CoreExport]]:
    """Return for each group what others need of it: exports, callees, options, destructors."""
    found: dict[CoreExport, None] = {}

    def add(exports: Iterable[CoreExport | None]) -> None:
        found.update(dict.fromkeys(each for each in exports if each is not None))

    for _, function in lifted_functions(linked.exports):
        add(core_exports(function))
    for owner in linked.resources.values():
        add([owner.destructor] if isinstance(owner, LocalResource) else ())
    for number, each in enumerate(linked.core_instances):
        for given in each.imports:
            source = given.source
            if isinstance(source, CoreExport):
                add([source] if group_of[source.instance] != group_of[number] else ())
                continue
            add(core_exports(source))
            if isinstance(source, LoweredFunction) and isinstance(source.callee, LiftedFunction):
                add(core_exports(source.callee))
    needed: dict[int, list[CoreExport]] = {at: [] for at in group_of.values()}
    for export in found:
        needed[group_of[export.instance]].append(export)
    return needed


def _program(
    linked: LinkedComponent,
    group: list[int],
    contents: Mapping[int, CoreModuleContent],
    *,
    keeps_shims: bool = False,
) -> Program:
    program = Program(keeps_shims)
    for number in group:
        instance = linked.core_instances[number]
        program.add(number, instance, contents[id(instance.module)])
    program.memories.sort(key=lambda each: each.member is not None)
    return program


def _import_names(program: Program) -> dict[Entity, tuple[str, str]]:
    names: dict[Entity, tuple[str, str]] = {}
    for number, (source, entity) in enumerate(program.imports.items()):
        if isinstance(source, WasiFunction):
            names[entity] = WASI_01, source.name
        else:
            kind = "canonical" if entity.kind == EntityKind.FUNCTION else "instance"
            names[entity] = kind, str(number)
    return names


def _imports(program: Program, entities: Iterable[Entity]) -> tuple[CoreImport, ...]:
    names = _import_names(program)
    return tuple(
        CoreImport(*names[each], each.source) for each in entities if each.source is not None
    )


def _code(
    program: Program,
    needed: list[CoreExport],
    exports: Mapping[str, CoreExport],
    reach: Callable[[], Program],
    cache: CodeCache | None,
) -> tuple[Program, Code]:
    """Return a program and its code module, from the cache if that has it."""
    key = ""
    if cache is not None:
        key = code_key(program, needed)
        entry = CodeEntry.from_bytes(cache.load_bytes(key) or b"")
        found = None if entry is None else _cached(program, entry)
        if found is not None:
            return program, found
    program = reach()
    code = split(program, {name: program.entity(export) for name, export in exports.items()})
    if cache is not None:
        positions = {entity: at for at, entity in enumerate(program.imports.values())}
        entry = CodeEntry(
            code.module,
            tuple(positions[each] for each in code.imports),
            tuple(
                (each.member.number if each.member else 0, each.index) for each in code.variables
            ),
            folded_values(program, set(code.variables)),
        )
        cache.store_bytes(key, entry.to_bytes())
    return program, code


def _cached(program: Program, entry: CodeEntry) -> Code | None:
    imports = list(program.imports.values())
    try:
        variables = [
            next(
                each
                for each in program.members[member].spaces[EntityKind.GLOBAL]
                if each.member is program.members[member] and each.index == index
            )
            for member, index in entry.variables
        ]
        hosts = tuple(imports[at] for at in entry.imports)
    except (LookupError, StopIteration):
        return None
    if entry.folded != folded_values(program, set(variables)):
        return None
    return Code(entry.code, hosts, tuple(variables))
