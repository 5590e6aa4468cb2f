"""Reader of types, imports and exports of components.

In: a cursor. Out: type definitions with the declarators of component and instance types, sorts,
aliases, names and their attributes.

Source: WebAssembly/component-model, ``design/mvp/Binary.md``, "Type Definitions", "Alias
Definitions" and "Import and Export Definitions".
"""

from edgezero_spin.wasm.component.cursor import Cursor
from edgezero_spin.wasm.component.definitions import (
    AliasDefinition,
    Bound,
    ComponentType,
    CoreFunctionType,
    CoreModuleType,
    CoreTypeDefinition,
    Definition,
    ExportDefinition,
    ExternType,
    FunctionForm,
    ImportDefinition,
    OuterFunctionType,
    ResourceForm,
    Sort,
    SortIndex,
    TypeDefinition,
    ValueForm,
    ValueRef,
)
from edgezero_spin.wasm.component.errors import InvalidError, MalformedError, UnsupportedError
from edgezero_spin.wasm.component.types import Primitive
from edgezero_spin.wasm.core_types import read_core_extern_type, read_function_type

__all__ = [
    "MAX_DEPTH",
    "check_depth",
    "read_alias",
    "read_core_sort",
    "read_core_type",
    "read_export",
    "read_extern_name",
    "read_import",
    "read_reference",
    "read_result_list",
    "read_type",
]

# Components and types nested in each other; a recursive function reads and links them.
MAX_DEPTH = 32

CORE_SORTS = {
    0x00: Sort.CORE_FUNCTION,
    0x01: Sort.CORE_TABLE,
    0x02: Sort.CORE_MEMORY,
    0x03: Sort.CORE_GLOBAL,
    0x04: Sort.CORE_TAG,
    0x10: Sort.CORE_TYPE,
    0x11: Sort.CORE_MODULE,
    0x12: Sort.CORE_INSTANCE,
}
SORTS = {
    0x01: Sort.FUNCTION,
    0x02: Sort.VALUE,
    0x03: Sort.TYPE,
    0x04: Sort.COMPONENT,
    0x05: Sort.INSTANCE,
}
PRIMITIVES = {
    **dict(zip(range(0x7F, 0x72, -1), Primitive, strict=False)),
    0x64: Primitive.ERROR_CONTEXT,
}
OUTER_SORTS = (Sort.TYPE, Sort.COMPONENT, Sort.CORE_TYPE, Sort.CORE_MODULE)


def check_depth(depth: int, at: int) -> None:
    """Refuse one more level of nesting than there may be."""
    if depth >= MAX_DEPTH:
        raise UnsupportedError(f"more than {MAX_DEPTH} levels of nesting", at)


# Sorts, names and aliases


def read_core_sort(cursor: Cursor) -> Sort:
    """Read the sort of a core definition."""
    return CORE_SORTS[cursor.choose("core sort", *CORE_SORTS)]


def _sort(cursor: Cursor) -> Sort:
    byte = cursor.choose("component external kind", 0, *SORTS)
    return SORTS[byte] if byte else read_core_sort(cursor)


def read_reference(cursor: Cursor) -> SortIndex:
    """Read a sort and an index."""
    at = cursor.at
    sort = _sort(cursor)
    if sort.is_core:
        cursor.fail("invalid leading byte for component external kind", at)
    return sort, cursor.u32()


def read_extern_name(cursor: Cursor) -> tuple[str, str | None]:
    """Read the name of an import or export; return it and the interface that it implements."""
    form = cursor.choose("name option", 0, 1, 2)
    name = cursor.name()
    implements: str | None = None
    if form == 2:
        seen = set()
        for _ in range(cursor.u32()):
            at = cursor.at
            attribute = cursor.choose("name option", 0, 1, 2)
            text = cursor.name()
            if attribute in seen:
                cursor.fail("a name has an attribute twice", at)
            seen.add(attribute)
            if attribute == 0:
                implements = text
    return name, implements


def read_alias(cursor: Cursor) -> AliasDefinition:
    """Read an alias."""
    at = cursor.at
    sort = _sort(cursor)
    target = cursor.choose("alias", 0, 1, 2)
    if target == 2:
        if sort not in OUTER_SORTS:
            cursor.fail(f"invalid leading byte for outer alias kind {sort.value}", at)
        return AliasDefinition(
            offset=at, sort=sort, target="outer", count=cursor.u32(), index=cursor.u32()
        )
    if (target == 1) != sort.is_core:
        cursor.fail(f"invalid leading byte for alias of a {sort.value}", at)
    index = cursor.u32()
    return AliasDefinition(
        offset=at,
        sort=sort,
        target="core export" if target else "export",
        index=index,
        name=cursor.name(),
    )


# Types


def read_core_type(cursor: Cursor) -> CoreTypeDefinition:
    """Read a core type."""
    at = cursor.at
    if cursor.peek() == 0x50:
        cursor.byte()
        return CoreTypeDefinition(offset=at, form=_module_type(cursor))
    return CoreTypeDefinition(offset=at, form=read_function_type(cursor))


def _module_type(cursor: Cursor) -> CoreModuleType:
    types: list[CoreFunctionType] = []
    imports = []
    exports = []
    for _ in range(cursor.u32()):
        at = cursor.at
        match cursor.choose("type definition", 0, 1, 2, 3):
            case 0:
                module, name = cursor.name(), cursor.name()
                imports.append((module, name, read_core_extern_type(cursor, types)))
            case 1:
                types.append(read_function_type(cursor))
            case 2:
                cursor.choose("outer alias kind", 0x10)
                cursor.choose("outer alias target", 0x01)
                count, index = cursor.u32(), cursor.u32()
                if count == 0 and index >= len(types):
                    raise InvalidError(f"unknown type {index}: type index out of bounds", at)
                types.append(OuterFunctionType((), (), count, index) if count else types[index])
            case _:
                exports.append((cursor.name(), read_core_extern_type(cursor, types)))
    if len({name for name, _ in exports}) < len(exports):
        raise InvalidError("an export name of a module type is already defined", cursor.at)
    if len({(module, name) for module, name, _ in imports}) < len(imports):
        raise InvalidError("duplicate import name in a module type", cursor.at)
    outer = tuple(each for each in types if isinstance(each, OuterFunctionType))
    return CoreModuleType(tuple(imports), tuple(exports), outer)


def read_type(cursor: Cursor, depth: int = 0) -> TypeDefinition:
    """Read a type, in so many component and instance types."""
    at = cursor.at
    byte = cursor.peek()
    if byte in (0x40, 0x43):
        cursor.byte()
        parameters = cursor.vector(lambda c: (c.name(), _value_ref(c)))
        return TypeDefinition(
            offset=at, form=FunctionForm(parameters, read_result_list(cursor), byte == 0x43)
        )
    if byte in (0x41, 0x42):
        cursor.byte()
        check_depth(depth, at)
        is_instance = byte == 0x42
        declarators = cursor.vector(lambda c: _declarator(c, is_instance, depth + 1))
        return TypeDefinition(offset=at, form=ComponentType(declarators, is_instance))
    if byte == 0x3F:
        cursor.byte()
        cursor.choose("resource representation (i32)", 0x7F)
        destructor = cursor.u32() if cursor.flag("resource destructor") else None
        return TypeDefinition(offset=at, form=ResourceForm(destructor))
    return TypeDefinition(offset=at, form=_value_form(cursor))


def read_result_list(cursor: Cursor) -> ValueRef | None:
    """Read the result of a function; ``None`` for none."""
    if cursor.choose("component function results", 0, 1) == 0:
        return _value_ref(cursor)
    cursor.choose("number of results", 0)
    return None


def _value_ref(cursor: Cursor) -> ValueRef:
    byte = cursor.peek()
    if byte in PRIMITIVES:
        cursor.byte()
        return PRIMITIVES[byte]
    if 0x40 <= byte < 0x80:
        cursor.fail(f"invalid leading byte {byte:#x} for component value type")
    return cursor.u32()


def _optional(cursor: Cursor) -> ValueRef | None:
    return _value_ref(cursor) if cursor.flag("optional type") else None


def _case(cursor: Cursor) -> tuple[str, ValueRef | None]:
    label, payload = cursor.name(), _optional(cursor)
    cursor.choose("zero byte required", 0)
    return label, payload


def _value_form(cursor: Cursor) -> ValueForm:
    at = cursor.at
    byte = cursor.byte()
    if byte in PRIMITIVES:
        return ValueForm("primitive", parts=(PRIMITIVES[byte],))
    match byte:
        case 0x72:
            fields = cursor.vector(lambda c: (c.name(), _value_ref(c)))
            return ValueForm("record", *_unzip(fields))
        case 0x71:
            return ValueForm("variant", *_unzip(cursor.vector(_case)))
        case 0x70:
            return ValueForm("list", parts=(_value_ref(cursor),))
        case 0x67:
            return ValueForm("list", parts=(_value_ref(cursor),), length=cursor.u32())
        case 0x6F:
            return ValueForm("tuple", parts=cursor.vector(_value_ref))
        case 0x6E:
            return ValueForm("flags", labels=cursor.vector(Cursor.name))
        case 0x6D:
            return ValueForm("enum", labels=cursor.vector(Cursor.name))
        case 0x6B:
            return ValueForm("option", parts=(_value_ref(cursor),))
        case 0x6A:
            return ValueForm("result", parts=(_optional(cursor), _optional(cursor)))
        case 0x69 | 0x68:
            return ValueForm("own" if byte == 0x69 else "borrow", parts=(cursor.u32(),))
        case 0x66 | 0x65:
            return ValueForm("stream" if byte == 0x66 else "future", parts=(_optional(cursor),))
        case 0x63:
            return ValueForm("map", parts=(_value_ref(cursor), _value_ref(cursor)))
        case _:
            raise MalformedError(f"invalid leading byte {byte:#x} for component defined type", at)


def _unzip(
    pairs: tuple[tuple[str, ValueRef], ...] | tuple[tuple[str, ValueRef | None], ...],
) -> tuple[tuple[str, ...], tuple[ValueRef | None, ...]]:
    return tuple(label for label, _ in pairs), tuple(part for _, part in pairs)


def _declarator(cursor: Cursor, is_instance: bool, depth: int) -> Definition:
    at = cursor.at
    allowed = (0, 1, 2, 4) if is_instance else (0, 1, 2, 3, 4)
    match cursor.choose("component or instance type declaration", *allowed):
        case 0:
            return read_core_type(cursor)
        case 1:
            return read_type(cursor, depth)
        case 2:
            alias = read_alias(cursor)
            kinds = (
                (Sort.TYPE, Sort.CORE_TYPE)
                if alias.target == "outer"
                else (Sort.TYPE, Sort.INSTANCE)
            )
            if alias.sort not in kinds:
                raise InvalidError("aliases in types may only refer to types or instances", at)
            return alias
        case 3:
            return read_import(cursor)
        case _:
            name, implements = read_extern_name(cursor)
            return ExportDefinition(
                offset=at,
                name=name,
                reference=None,
                type=_extern_type(cursor),
                implements=implements,
            )


def _extern_type(cursor: Cursor) -> ExternType:
    at = cursor.at
    sort = _sort(cursor)
    if sort == Sort.VALUE:
        raise UnsupportedError("imports and exports of values are refused", at)
    if sort == Sort.TYPE:
        if cursor.choose("type bound", 0, 1) == 0:
            return ExternType(sort, cursor.u32(), Bound.EQ)
        return ExternType(sort, None, Bound.SUB_RESOURCE)
    if sort.is_core:
        cursor.fail(f"invalid leading byte for component external kind {sort.value}", at)
    return ExternType(sort, cursor.u32())


def read_import(cursor: Cursor) -> ImportDefinition:
    """Read an import."""
    at = cursor.at
    name, implements = read_extern_name(cursor)
    return ImportDefinition(offset=at, name=name, type=_extern_type(cursor), implements=implements)


def read_export(cursor: Cursor) -> ExportDefinition:
    """Read an export of a component."""
    at = cursor.at
    name, implements = read_extern_name(cursor)
    reference = read_reference(cursor)
    given = cursor.choose("optional component export type", 0, 1)
    return ExportDefinition(
        offset=at,
        name=name,
        reference=reference,
        type=_extern_type(cursor) if given else None,
        implements=implements,
    )
