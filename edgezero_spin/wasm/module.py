"""Core modules, read as far as rewiring them needs.

In: a core module's bytes. Out: a ``Module``: its sections by number, its imports and exports
as values. Function bodies stay bytes.

Source: WebAssembly core specification, 5.5 (modules).
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum

import attrs

from edgezero_spin.wasm.binary import (
    MODULE,
    number_at,
    number_bytes,
    section_bytes,
    sections,
    signed_at,
    text_at,
    text_bytes,
    vector_bytes,
)

__all__ = [
    "Export",
    "Import",
    "Kind",
    "Module",
    "Section",
    "UnknownFormError",
    "bodies",
    "constant_global",
    "export_section",
    "function_type_bytes",
    "import_section",
    "module_bytes",
    "new_module",
    "parameter_counts",
    "read_module",
    "rewritten",
]


class Section(IntEnum):
    """Section numbers."""

    CUSTOM = 0
    TYPE = 1
    IMPORT = 2
    FUNCTION = 3
    TABLE = 4
    MEMORY = 5
    GLOBAL = 6
    EXPORT = 7
    START = 8
    ELEMENT = 9
    CODE = 10
    DATA = 11
    DATA_COUNT = 12


class Kind(IntEnum):
    """What an import or export is; the number is the binary format's."""

    FUNCTION = 0
    TABLE = 1
    MEMORY = 2
    GLOBAL = 3


class UnknownFormError(ValueError):
    """The bytes have a form that is not read here, valid or not."""


@attrs.frozen
class Import:
    """One import.

    Attributes:
        module, name: The two names.
        kind: What it is.
        type: Its type as bytes: a type index, limits, a value type and mutability.
    """

    module: str
    name: str
    kind: Kind
    type: bytes

    def to_bytes(self) -> bytes:
        """Return it in binary form."""
        return text_bytes(self.module) + text_bytes(self.name) + bytes([self.kind]) + self.type


@attrs.frozen
class Export:
    """One export: a name, what it is, and its index in the space of that kind."""

    name: str
    kind: Kind
    index: int

    def to_bytes(self) -> bytes:
        """Return it in binary form."""
        return text_bytes(self.name) + bytes([self.kind]) + number_bytes(self.index)


@attrs.frozen
class Module:
    """A core module.

    Attributes:
        sections: Number and content of each section, in their order.
        imports, exports: What these two sections say.
    """

    sections: tuple[tuple[int, bytes], ...]
    imports: tuple[Import, ...]
    exports: tuple[Export, ...]

    def content(self, section: Section) -> bytes | None:
        """Return the content of a section, ``None`` when there is none."""
        return next((content for number, content in self.sections if number == section), None)

    def imported(self, kind: Kind) -> tuple[Import, ...]:
        """Return the imports of a kind; their order is their index."""
        return tuple(each for each in self.imports if each.kind == kind)


def read_module(data: bytes) -> Module:
    """Read a module.

    Raises:
        UnknownFormError: It has imports of a kind that is not known here.
        ValueError, IndexError: It is damaged.
    """
    found = tuple((number, data[start:stop]) for number, start, stop in sections(data))
    imports: tuple[Import, ...] = ()
    exports: tuple[Export, ...] = ()
    for number, content in found:
        if number == Section.IMPORT:
            imports = tuple(_imports(content))
        elif number == Section.EXPORT:
            exports = tuple(_exports(content))
    return Module(found, imports, exports)


def module_bytes(parts: Iterable[tuple[int, bytes]]) -> bytes:
    """Return a module with these sections."""
    return MODULE + b"".join(section_bytes(number, content) for number, content in parts)


def rewritten(module: Module, changed: Mapping[Section, bytes | None]) -> bytes:
    """Return a module with some sections replaced, added in their place or (``None``) left out."""
    return module_bytes(_merged(module, changed))


def _merged(module: Module, changed: Mapping[Section, bytes | None]) -> Iterator[tuple[int, bytes]]:
    waiting = {number: content for number, content in changed.items() if content is not None}
    for number, content in module.sections:
        if number != Section.CUSTOM:
            for earlier in sorted(waiting):
                if _place(earlier) < _place(number):
                    yield earlier, waiting.pop(earlier)
        if number in waiting:
            yield number, waiting.pop(Section(number))
        elif number == Section.CUSTOM or number not in changed:
            yield number, content
    yield from sorted(waiting.items())


def _place(number: int) -> float:
    # The count of data segments stands before the code that refers to them.
    return Section.ELEMENT + 0.5 if number == Section.DATA_COUNT else number


def bodies(content: bytes) -> Iterator[bytes]:
    """Yield each function body of a code section, its locals included."""
    count, at = number_at(content, 0)
    for _ in range(count):
        size, at = number_at(content, at)
        yield content[at : at + size]
        at += size


def import_section(imports: Iterable[Import]) -> bytes:
    """Return the content of an import section."""
    return vector_bytes(each.to_bytes() for each in imports)


def export_section(exports: Iterable[Export]) -> bytes:
    """Return the content of an export section."""
    return vector_bytes(each.to_bytes() for each in exports)


def function_type_bytes(parameters: Iterable[int], results: Iterable[int]) -> bytes:
    """Return a function type, given the numbers of its value types."""
    return (
        bytes([_FUNCTION_TYPE])
        + vector_bytes(bytes([each]) for each in parameters)
        + vector_bytes(bytes([each]) for each in results)
    )


def new_module(
    types: Iterable[bytes],
    imports: Iterable[Import],
    functions: Iterable[int],
    exports: Iterable[Export],
    code: Iterable[bytes],
    globals_: bytes | None = None,
) -> bytes:
    """Return a module that was not there before.

    Args:
        types: As ``function_type_bytes`` makes them.
        imports: What it is given.
        functions: Indices of its functions' types.
        exports: What it gives.
        code: Bodies of its functions, locals included.
        globals_: The content of its section of globals, if it has any.
    """
    parts = [
        (Section.TYPE, vector_bytes(types)),
        (Section.IMPORT, import_section(imports)),
        (Section.FUNCTION, vector_bytes(map(number_bytes, functions))),
        (Section.GLOBAL, globals_),
        (Section.EXPORT, export_section(exports)),
        (Section.CODE, vector_bytes(number_bytes(len(body)) + body for body in code)),
    ]
    return module_bytes((number, content) for number, content in parts if content is not None)


def constant_global(module: Module, index: int) -> int:
    """Return the value of a global that a module defines as an ``i32.const``.

    Raises:
        UnknownFormError: One of the globals up to it has another form.
    """
    content = module.content(Section.GLOBAL)
    if content is None:
        raise UnknownFormError("the module defines no globals")
    index -= len(module.imported(Kind.GLOBAL))
    count, at = number_at(content, 0)
    if not 0 <= index < count:
        raise UnknownFormError("the global is an import itself")
    value = 0
    for _ in range(index + 1):
        if content[at] != _I32 or content[at + 2] != _I32_CONST:
            raise UnknownFormError("a global is no constant of 32 bits")
        value, at = signed_at(content, at + 3)
        if content[at] != _END:
            raise UnknownFormError("a global is no plain constant")
        at += 1
    return value


_I32, _I32_CONST, _END, _FUNCTION_TYPE = 0x7F, 0x41, 0x0B, 0x60


def parameter_counts(types: bytes) -> list[int]:
    """Return how many parameters each type of a type section has.

    Raises:
        UnknownFormError: One is no plain function type.
    """
    count, at = number_at(types, 0)
    counts = []
    for _ in range(count):
        if types[at] != _FUNCTION_TYPE:
            raise UnknownFormError("a type is no plain function type")
        parameters, at = number_at(types, at + 1)
        results, at = number_at(types, at + parameters)
        at += results
        counts.append(parameters)
    return counts


def _imports(content: bytes) -> Iterator[Import]:
    count, at = number_at(content, 0)
    for _ in range(count):
        module, at = text_at(content, at)
        name, at = text_at(content, at)
        kind = content[at]
        start = at + 1
        if kind == Kind.FUNCTION:
            _, at = number_at(content, start)
        elif kind in (Kind.TABLE, Kind.MEMORY):
            at = _limits_end(content, start + (kind == Kind.TABLE))
        elif kind == Kind.GLOBAL:
            at = start + 2
        else:
            raise UnknownFormError(f"imports of kind {kind} are not known here")
        yield Import(module, name, Kind(kind), content[start:at])


def _limits_end(content: bytes, at: int) -> int:
    flags = content[at]
    _, at = number_at(content, at + 1)
    if flags & 1:
        _, at = number_at(content, at)
    return at


def _exports(content: bytes) -> Iterator[Export]:
    count, at = number_at(content, 0)
    for _ in range(count):
        name, at = text_at(content, at)
        kind = content[at]
        index, at = number_at(content, at + 1)
        yield Export(name, Kind(kind), index)
