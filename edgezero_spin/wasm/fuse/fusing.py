"""Fuser: a linked component with one core module per component instance.

In: a ``LinkedComponent``. Out: another one that behaves alike. Core instances of a component
instance become one, unless a start function makes it observable that another component
instance is instantiated in between: then each run of them becomes one.

Only functions that exports, segments and start functions need stay, and only the imports that
these need.

Source: WebAssembly/component-model, ``design/mvp/CanonicalABI.md`` (what a runtime calls).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

import attrs

from edgezero_spin.wasm.component.errors import UnsupportedError
from edgezero_spin.wasm.component.linked import (
    Builtin,
    Canonical,
    ComponentExport,
    CoreExport,
    CoreImport,
    CoreInstance,
    ExportedInstance,
    Function,
    HostFunction,
    LiftedFunction,
    LinkedComponent,
    LocalResource,
    Lower,
    Options,
    ResourceFunction,
)
from edgezero_spin.wasm.core_module import CoreModuleContent, read_core_module
from edgezero_spin.wasm.fuse.code_cache import CodeCache, CodeEntry, code_key, folded_values
from edgezero_spin.wasm.fuse.emitting import START, emit
from edgezero_spin.wasm.fuse.entities import Entity, EntityKind
from edgezero_spin.wasm.fuse.program import Program, core_exports
from edgezero_spin.wasm.fuse.splitting import (
    SNAPSHOT_BYTES,
    Code,
    can_split,
    code_imports,
    data_module,
    memory_export,
    split,
)

__all__ = ["fuse"]

# A module counts once for each of its instances.
MAX_BYTES = 1 << 28


@attrs.frozen
class _FusedInstance:
    """A core instance of the fused component, its imports named as before or after fusing."""

    instance: int
    module: bytes
    imports: Sequence[tuple[str, str, CoreExport | Canonical | None]]
    start: str | None = None
    is_renamed: bool = False


def fuse(
    linked: LinkedComponent,
    *,
    split_from: int | None = SNAPSHOT_BYTES,
    cache: CodeCache | None = None,
) -> LinkedComponent:
    """Fuse the core modules of a linked component.

    Args:
        linked: The component.
        split_from: A module with so many bytes of data or more becomes two, see
            ``splitting.py``; ``None`` splits none.
        cache: Where code modules of split components are kept.

    Raises:
        ComponentError: A module is damaged, or has something that is refused.
    """
    if sum(len(each.module) for each in linked.core_instances) > MAX_BYTES:
        raise UnsupportedError("the core instances of the component are too large together", 0)
    contents: dict[int, CoreModuleContent] = {}
    for each in linked.core_instances:
        if id(each.module) not in contents:
            contents[id(each.module)] = read_core_module(each.module)
    groups = list(_groups(linked, contents))
    group_of = {number: at for at, group in enumerate(groups) for number in group}
    needed = _needed(linked, group_of)
    renaming = _Renaming()
    fused: list[_FusedInstance] = []
    for at, group in enumerate(groups):
        program = _program(linked, group, contents)
        names = _import_names(program)
        is_split = split_from is not None and can_split(program, split_from)
        code_at = len(fused) + is_split
        exports: dict[str, CoreExport] = {}
        export_names: dict[Entity, str] = {}
        for export in needed[at]:
            entity = program.entity(export)
            name = export_names.setdefault(entity, f"{export.instance}.{export.name}")
            renaming.exports[export] = CoreExport(code_at, name)
            if is_split and entity.kind == EntityKind.MEMORY:
                memory = memory_export(program.memories.index(entity))
                renaming.exports[export] = CoreExport(len(fused), memory)
            else:
                exports.setdefault(name, export)
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
            names = _import_names(program)
            data = data_module(program, code.imports, code.variables, names)
            imports = [(*names[each], each.source) for each in code.imports]
            given = [("data", name, CoreExport(len(fused), name)) for name in code_imports(program)]
            fused.append(_FusedInstance(instance, data, imports))
            fused.append(_FusedInstance(instance, code.module, given, is_renamed=True))
        else:
            program = reach()
            names = _import_names(program)
            emitted = emit(program, {n: program.entity(e) for n, e in exports.items()}, names)
            imports = [(*names[each], each.source) for each in emitted.imports]
            start = START if emitted.has_start else None
            fused.append(_FusedInstance(instance, emitted.module, imports, start))
    core_instances = [
        CoreInstance(
            each.instance,
            each.module,
            tuple(
                CoreImport(module, name, renaming.source(source, is_renamed=each.is_renamed))
                for module, name, source in each.imports
            ),
            each.start,
        )
        for each in fused
    ]
    return LinkedComponent(
        imports=linked.imports,
        resources={
            resource: renaming.resource(owner) if isinstance(owner, LocalResource) else owner
            for resource, owner in linked.resources.items()
        },
        instances=linked.instances,
        core_instances=tuple(core_instances),
        exports=renaming.component_exports(linked.exports),
    )


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

    for function in _functions(linked.exports):
        add(core_exports(function) if isinstance(function, LiftedFunction) else ())
    for owner in linked.resources.values():
        add([owner.destructor] if isinstance(owner, LocalResource) else ())
    for number, each in enumerate(linked.core_instances):
        for given in each.imports:
            source = given.source
            if isinstance(source, CoreExport):
                add([source] if group_of[source.instance] != group_of[number] else ())
                continue
            add(core_exports(source))
            if isinstance(source, Lower) and isinstance(source.callee, LiftedFunction):
                add(core_exports(source.callee))
    needed: dict[int, list[CoreExport]] = {at: [] for at in group_of.values()}
    for export in found:
        needed[group_of[export.instance]].append(export)
    return needed


def _functions(exports: Mapping[str, ComponentExport]) -> Iterator[Function]:
    for each in exports.values():
        if isinstance(each, ExportedInstance):
            yield from _functions(each.exports)
        elif isinstance(each, LiftedFunction | HostFunction):
            yield each


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
    return {
        entity: ("canonical" if entity.kind == EntityKind.FUNCTION else "instance", str(number))
        for number, entity in enumerate(program.imports.values())
    }


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
        entry = CodeEntry.from_bytes(cache.load(key) or b"")
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
        cache.store(key, entry.to_bytes())
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


class _Renaming:
    """What core exports are called after fusing, put into everything that mentions them."""

    def __init__(self) -> None:
        self.exports: dict[CoreExport, CoreExport] = {}

    def source(
        self, source: CoreExport | Canonical | None, *, is_renamed: bool
    ) -> CoreExport | Canonical:
        match source:
            case CoreExport():
                return source if is_renamed else self.exports[source]
            case Lower():
                return attrs.evolve(
                    source,
                    callee=self.function(source.callee),
                    options=self.options(source.options),
                )
            case Builtin():
                return attrs.evolve(source, options=self.options(source.options))
            case ResourceFunction():
                return source
        raise ValueError("an import without a source")

    def options(self, options: Options) -> Options:
        return attrs.evolve(
            options,
            memory=self._optional(options.memory),
            realloc=self._optional(options.realloc),
            post_return=self._optional(options.post_return),
            callback=self._optional(options.callback),
        )

    def _optional(self, export: CoreExport | None) -> CoreExport | None:
        return None if export is None else self.exports[export]

    def function(self, function: Function) -> Function:
        if isinstance(function, HostFunction):
            return function
        return attrs.evolve(
            function,
            core=self.exports[function.core],
            options=self.options(function.options),
        )

    def resource(self, owner: LocalResource) -> LocalResource:
        return attrs.evolve(owner, destructor=self._optional(owner.destructor))

    def component_exports(
        self, exports: Mapping[str, ComponentExport]
    ) -> dict[str, ComponentExport]:
        found: dict[str, ComponentExport] = {}
        for name, each in exports.items():
            match each:
                case ExportedInstance():
                    found[name] = ExportedInstance(self.component_exports(each.exports))
                case LiftedFunction() | HostFunction():
                    found[name] = self.function(each)
                case _:
                    found[name] = each
        return found
