"""Inspection of a component: imports, exports, tools and sizes.

In: a component file, from any tool chain, or a core module that is adapted when it is loaded.
Out: an ``Inspection``. The binary is read section by section; nothing is compiled and nothing
runs.

Source: the component model's binary format (``design/mvp/Binary.md`` of
WebAssembly/component-model), the producers section of the tool conventions.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.errors import ProjectError
from edgezero_spin.project.world import INTERFACES, SPIN_FOR, Need, Wasi, oldest_spin, world_name
from edgezero_spin.wasm.binary import COMPONENT, MODULE, number_at, sections, text_at
from edgezero_spin.wasm.component.core_guest import read_core_guest
from edgezero_spin.wasm.component.errors import WasmError
from edgezero_spin.wasm.component.linked import (
    HostResource,
    ImportedFunction,
    LinkedComponent,
    LoweredFunction,
    ResourceFunction,
)
from edgezero_spin.wasm.component.linking import link

__all__ = [
    "InspectedPart",
    "Inspection",
    "InspectionError",
    "generation_of",
    "inspect_component",
    "strangers",
]

CUSTOM, CORE_MODULE, NESTED, IMPORT, EXPORT = 0, 1, 4, 10, 11
CODE, DATA = 10, 11
KINDS = {0: "core", 1: "func", 2: "value", 3: "type", 4: "component", 5: "instance"}
MAX_DEPTH = 100
"""Components in each other that wasmtime accepts."""

CANDIDATE = "@0.3.0-rc"
SPIN_FOR_CANDIDATE = "4.0"


@attrs.frozen
class InspectionError(ProjectError):
    """A file is not a component that can be read.

    Attributes:
        path: The file.
        problem: What is wrong with it.
    """

    path: Path
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


@attrs.frozen
class InspectedPart:
    """A part of the file.

    Attributes:
        name: What it is: a core module by its own name, or a kind of section.
        size_bytes: All of it.
        code_bytes: Of that, instructions.
        data_bytes: Of that, memory that it starts with.
    """

    name: str
    size_bytes: int
    code_bytes: int = 0
    data_bytes: int = 0


@attrs.frozen
class Inspection:
    """What there is to know about a component.

    Attributes:
        path: The file.
        size_bytes: All of it.
        imports: Names of what it needs from its host, sorted.
        exports: Names of what it offers, sorted.
        world: What it answers and uses, where that is all that we build for; ``None`` for
            another.
        spin: The oldest Spin that runs it, for what it imports and exports; ``None`` where that
            does not tell.
        parts: Where the size goes, the largest first.
        producers: What made it: ``language``, ``processed-by`` and others, each with names
            and versions.
    """

    path: Path
    size_bytes: int
    imports: tuple[str, ...]
    exports: tuple[str, ...]
    world: str | None
    spin: str | None
    parts: tuple[InspectedPart, ...]
    producers: dict[str, dict[str, str]]

    def to_value(self) -> dict[str, Any]:
        """Return the same as JSON can hold it."""
        return attrs.asdict(self, value_serializer=_as_text)


def _as_text(instance: Any, field: Any, value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def inspect_component(path: Path) -> Inspection:
    """Read a component.

    Raises:
        InspectionError: The file cannot be read, or is not a component.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InspectionError(
            path, f"cannot be read ({error.strerror}); build the component first"
        ) from error
    if not data.startswith((COMPONENT, MODULE)):
        raise InspectionError(path, "is not a component; point to the file that the build made")
    reading = _Reading()
    try:
        if data.startswith(MODULE):
            reading.guest(data)
        else:
            reading.component(data, 0, len(data))
    except WasmError as error:
        raise InspectionError(
            path,
            f"is a core wasm module, not a component, and cannot be adapted: {error.reason}; "
            "build it as a component, or wrap it with `wasm-tools component new`",
        ) from error
    except (IndexError, UnicodeDecodeError, ValueError) as error:
        raise InspectionError(path, f"is damaged: {error}") from error
    imports = tuple(sorted(reading.imports))
    exports = tuple(sorted(reading.exports))
    if reading.other:
        reading.parts.append(InspectedPart("types and wiring", reading.other))
    wasi, needs = generation_of(exports), _needs_of(imports, exports)
    return Inspection(
        path,
        len(data),
        imports,
        exports,
        world_name(needs, wasi) if wasi and needs else None,
        _spin_of(imports, exports, needs),
        tuple(sorted(reading.parts, key=lambda part: -part.size_bytes)),
        {kind: dict(sorted(names.items())) for kind, names in sorted(reading.producers.items())},
    )


def strangers(imports: tuple[str, ...], allowed: tuple[str, ...]) -> tuple[str, ...]:
    """Return the imports that no pattern allows.

    Args:
        imports: Names, versions included.
        allowed: Names with or without version; ``*`` stands for anything: ``wasi:*``.
    """
    return tuple(
        name
        for name in imports
        if not any(
            fnmatchcase(name, pattern) or fnmatchcase(name.partition("@")[0], pattern)
            for pattern in allowed
        )
    )


def generation_of(exports: tuple[str, ...]) -> Wasi | None:
    """Return the WASI whose handler is among the exports of a component."""
    for wasi, rows in INTERFACES.items():
        if any(_has(row.exports, exports) for row in rows.values() if row.exports):
            return wasi
    return None


def _needs_of(imports: tuple[str, ...], exports: tuple[str, ...]) -> frozenset[Need]:
    """What a component answers and uses; nothing where it imports more than that.

    What every Python component imports beside, of WASI, is left out.
    """
    wasi = generation_of(exports)
    if wasi is None:
        return frozenset()
    found = {
        need: row
        for need, row in INTERFACES[wasi].items()
        if (_has(row.export_names, exports) if row.export_names else _has(row.imports, imports))
    }
    known = {name for row in found.values() for name in (*row.imports, *row.type_names)}
    if any(name not in known and not name.startswith("wasi:") for name in imports):
        return frozenset()
    return frozenset(found)


def _has(wanted: tuple[str, ...], names: tuple[str, ...]) -> bool:
    """Whether all of some interfaces are there; those of WASI in any patch of their release."""
    return {_release(name) for name in wanted} <= {_release(name) for name in names}


def _release(name: str) -> str:
    """Return an interface of WASI with major and minor version only, another as it is."""
    return ".".join(name.split(".")[:2]) if name.startswith("wasi:") else name


def _spin_of(
    imports: tuple[str, ...], exports: tuple[str, ...], needs: frozenset[Need]
) -> str | None:
    """The oldest Spin that has what a component imports and calls what it exports."""
    wasi = generation_of(exports)
    if wasi is None:
        return None
    named = [*imports, *exports]
    # Spin 4.0 has the candidate of WASI 0.3 and the interfaces of Spin that go with it.
    final = any("@0.3." in name and CANDIDATE not in name for name in named)
    if final:
        return SPIN_FOR["0.3"]
    later = ("spin:key-value/", "spin:variables/", "spin:redis/", "spin:mqtt/", "spin:mysql/")
    if any(CANDIDATE in name or name.startswith(later) for name in named):
        return SPIN_FOR_CANDIDATE
    return oldest_spin(needs, "0.2")


class _Reading:
    """Collects what the sections say."""

    def __init__(self) -> None:
        self.imports: set[str] = set()
        self.exports: set[str] = set()
        self.parts: list[InspectedPart] = []
        self.producers: dict[str, dict[str, str]] = {}
        self.other = 0
        self.modules = 0

    def guest(self, data: bytes) -> None:
        linked = link(read_core_guest(data))
        self.imports |= set(_interfaces_used(linked))
        self.exports |= set(linked.exports)
        self.module(data, 0, len(data))

    def component(self, data: bytes, at: int, end: int, depth: int = 0) -> None:
        if depth > MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} components are nested in each other")
        self.other += 8
        for number, start, stop in sections(data, at + 8, end):
            size = stop - start
            if number == CORE_MODULE:
                self.module(data, start, stop)
            elif number == NESTED:
                self.component(data, start, stop, depth + 1)
            elif number == CUSTOM:
                self.custom(data, start, stop)
            else:
                self.other += size
                if depth == 0 and number in (IMPORT, EXPORT):
                    names = self.imports if number == IMPORT else self.exports
                    names.update(_names(data, start, stop, exports=number == EXPORT))

    def module(self, data: bytes, at: int, end: int) -> None:
        name = ""
        sizes = {CODE: 0, DATA: 0}
        for number, start, stop in sections(data, at + 8, end):
            if number in sizes:
                sizes[number] += stop - start
            elif number == CUSTOM:
                label, inner = text_at(data, start)
                if label == "name":
                    name = _module_name(data, inner, stop) or name
                elif label == "producers":
                    self.produced(data, inner)
        self.modules += 1
        # Tools that run a component while it is built keep what they found in one module.
        unnamed = "memory at start" if 2 * sizes[DATA] > end - at else f"module {self.modules}"
        self.parts.append(InspectedPart(name or unnamed, end - at, sizes[CODE], sizes[DATA]))

    def custom(self, data: bytes, at: int, end: int) -> None:
        label, inner = text_at(data, at)
        if label == "producers":
            self.produced(data, inner)
        self.parts.append(InspectedPart(f"custom section {label}", end - at))

    def produced(self, data: bytes, at: int) -> None:
        count, at = number_at(data, at)
        for _ in range(count):
            field, at = text_at(data, at)
            values, at = number_at(data, at)
            for _ in range(values):
                name, at = text_at(data, at)
                version, at = text_at(data, at)
                self.producers.setdefault(field, {})[name] = version


def _interfaces_used(linked: LinkedComponent) -> Iterator[str]:
    """Yield what the functions and resources that core modules import are of."""
    for core in linked.core_instances:
        for imported in core.imports:
            match imported.source:
                case LoweredFunction(_, ImportedFunction(path)):
                    yield path[0]
                case ResourceFunction(_, _, resource):
                    owner = linked.resources[resource]
                    if isinstance(owner, HostResource):
                        yield owner.path[0]


def _names(data: bytes, at: int, end: int, *, exports: bool) -> Iterator[str]:
    """Yield the names of an import or export section."""
    count, at = number_at(data, at)
    for _ in range(count):
        form = data[at]
        name, at = text_at(data, at + 1)
        if form == 2:
            raise ValueError(f"the name {name!r} has options that are not known here")
        yield name
        if exports:
            at = _skip_sort(data, at)
            at = _skip_description(data, at + 1) if data[at] else at + 1
        else:
            at = _skip_description(data, at)
    if at != end:
        raise ValueError(f"a section ends at byte {end} and not where its content does")


def _skip_sort(data: bytes, at: int) -> int:
    at += 2 if data[at] == 0 else 1
    return number_at(data, at)[1]


def _skip_description(data: bytes, at: int) -> int:
    kind = data[at]
    if kind == 0:
        return number_at(data, at + 2)[1]
    if kind == 3:
        # A bound of a type: equal to another, or a new resource.
        return at + 2 if data[at + 1] == 1 else number_at(data, at + 2)[1]
    if kind in KINDS and kind != 2:
        return number_at(data, at + 1)[1]
    raise ValueError(f"an item of kind {kind} is not known here")


def _module_name(data: bytes, at: int, end: int) -> str:
    for number, start, _ in sections(data, at, end):
        if number == 0:
            return text_at(data, start)[0]
    return ""
