"""Reader of components: bytes to definitions.

In: a component in the binary format. Out: a ``Component``: every definition of it and of the
components in it, in their order, with indices as they are spelled. Core modules stay bytes.
Custom sections are passed over.

Refused by name: values and start functions of components, and core types of the
garbage-collection proposal. Whether indices are in range and types match is for ``link``.

Source: WebAssembly/component-model, ``design/mvp/Binary.md``.
"""

from collections.abc import Callable

from edgezero_spin.wasm.binary import COMPONENT, MODULE
from edgezero_spin.wasm.component.cursor import Cursor
from edgezero_spin.wasm.component.definitions import (
    Alias,
    Bound,
    CanonicalDefinition,
    Component,
    ComponentType,
    CoreFunctionType,
    CoreInstanceExports,
    CoreInstantiate,
    CoreModule,
    CoreModuleType,
    CoreTypeDefinition,
    Definition,
    ExportDefinition,
    ExternType,
    FunctionForm,
    ImportDefinition,
    InstanceExports,
    Instantiate,
    Reference,
    ResourceForm,
    Sort,
    TypeDefinition,
    ValueForm,
    ValueRef,
)
from edgezero_spin.wasm.component.errors import InvalidError, MalformedError, UnsupportedError
from edgezero_spin.wasm.component.types import Primitive
from edgezero_spin.wasm.core_types import read_core_extern_type, read_function_type

__all__ = ["MAX_DEPTH", "read_component"]

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
OPTIONS = {
    0x00: "utf8",
    0x01: "utf16",
    0x02: "latin1+utf16",
    0x03: "memory",
    0x04: "realloc",
    0x05: "post-return",
    0x06: "async",
    0x07: "callback",
}
# Canonical built-ins by what follows their number.
PLAIN = {
    0x24: "backpressure.inc",
    0x25: "backpressure.dec",
    0x05: "task.cancel",
    0x0D: "subtask.drop",
    0x1E: "error-context.drop",
    0x1F: "waitable-set.new",
    0x22: "waitable-set.drop",
    0x23: "waitable.join",
    0x26: "thread.index",
    0x28: "thread.resume-later",
}
OF_TYPE = {
    0x02: "resource.new",
    0x03: "resource.drop",
    0x04: "resource.rep",
    0x0E: "stream.new",
    0x13: "stream.drop-readable",
    0x14: "stream.drop-writable",
    0x15: "future.new",
    0x1A: "future.drop-readable",
    0x1B: "future.drop-writable",
}
OF_TYPE_WITH_OPTIONS = {
    0x0F: "stream.read",
    0x10: "stream.write",
    0x16: "future.read",
    0x17: "future.write",
}
OF_TYPE_WITH_FLAG = {
    0x11: "stream.cancel-read",
    0x12: "stream.cancel-write",
    0x18: "future.cancel-read",
    0x19: "future.cancel-write",
}
WITH_OPTIONS = {0x1C: "error-context.new", 0x1D: "error-context.debug-message"}
WITH_FLAG = {
    0x06: "subtask.cancel",
    0x0C: "thread.yield",
    0x29: "thread.suspend",
    0x2A: "thread.suspend-then-resume",
    0x2B: "thread.yield-then-resume",
    0x2C: "thread.suspend-then-promote",
    0x2D: "thread.yield-then-promote",
}
WITH_FLAG_AND_MEMORY = {0x20: "waitable-set.wait", 0x21: "waitable-set.poll"}
CONTEXT = {0x0A: "context.get", 0x0B: "context.set"}
SHARED_THREADS = {
    0x40: "thread.spawn-ref",
    0x41: "thread.spawn-indirect",
    0x42: "thread.available-parallelism",
}


def read_component(data: bytes) -> Component:
    """Read a component.

    Raises:
        MalformedError: It is not in the binary format.
        UnsupportedError: It has a form that is refused by name.
    """
    return _component(Cursor(data), 0)


def _component(cursor: Cursor, depth: int) -> Component:
    offset = cursor.at
    if cursor.take(8) != COMPONENT:
        cursor.fail("not a component: unknown binary version or magic", offset)
    definitions: list[Definition] = []
    while cursor.at < cursor.end:
        at = cursor.at
        number = cursor.byte()
        section = cursor.range()
        cursor.count(1, at)
        if number == 0:
            section.name()
        elif number == 1:
            if section.data[section.at : section.at + 8] != MODULE:
                section.fail("expected a version header for a module")
            definitions.append(
                CoreModule(offset=section.at, data=section.take(section.end - section.at))
            )
        elif number == 4:
            _check_depth(depth, section.at)
            definitions.append(_component(section, depth + 1))
        elif number in (9, 12):
            raise UnsupportedError("values and start functions of components are refused", at)
        elif number in _SECTIONS:
            definitions += section.vector(_SECTIONS[number])
            section.finish("the section")
        else:
            cursor.fail(f"malformed section id {number}", at)
    return Component(offset=offset, definitions=tuple(definitions))


def _check_depth(depth: int, at: int) -> None:
    if depth >= MAX_DEPTH:
        raise UnsupportedError(f"more than {MAX_DEPTH} levels of nesting", at)


# Instances


def _core_instance(cursor: Cursor) -> Definition:
    at = cursor.at
    if cursor.choose("core instance", 0, 1) == 0:
        return CoreInstantiate(
            offset=at, module=cursor.u32(), arguments=cursor.vector(_core_argument)
        )
    return CoreInstanceExports(
        offset=at, exports=cursor.vector(lambda c: (c.name(), (_core_sort(c), c.u32())))
    )


def _core_argument(cursor: Cursor) -> tuple[str, int]:
    name = cursor.name()
    cursor.choose("instantiation arg kind", 0x12)
    return name, cursor.u32()


def _instance(cursor: Cursor) -> Definition:
    at = cursor.at
    if cursor.choose("instance", 0, 1) == 0:
        return Instantiate(
            offset=at,
            component=cursor.u32(),
            arguments=cursor.vector(lambda c: (c.name(), _reference(c))),
        )
    return InstanceExports(offset=at, exports=cursor.vector(_inline_export))


def _inline_export(cursor: Cursor) -> tuple[str, Reference, str | None]:
    name, implements = _extern_name(cursor)
    return name, _reference(cursor), implements


def _core_sort(cursor: Cursor) -> Sort:
    return CORE_SORTS[cursor.choose("core sort", *CORE_SORTS)]


def _sort(cursor: Cursor) -> Sort:
    byte = cursor.choose("component external kind", 0, *SORTS)
    return SORTS[byte] if byte else _core_sort(cursor)


def _reference(cursor: Cursor) -> Reference:
    at = cursor.at
    sort = _sort(cursor)
    if sort.value.startswith("core ") and sort != Sort.CORE_MODULE:
        cursor.fail("invalid leading byte for component external kind", at)
    return sort, cursor.u32()


def _extern_name(cursor: Cursor) -> tuple[str, str | None]:
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


def _alias(cursor: Cursor) -> Alias:
    at = cursor.at
    sort = _sort(cursor)
    target = cursor.choose("alias", 0, 1, 2)
    is_core = sort.value.startswith("core ")
    if target == 2:
        if sort not in OUTER_SORTS:
            cursor.fail(f"invalid leading byte for outer alias kind {sort.value}", at)
        return Alias(offset=at, sort=sort, target="outer", count=cursor.u32(), index=cursor.u32())
    if (target == 1) != (is_core and sort != Sort.CORE_MODULE):
        cursor.fail(f"invalid leading byte for alias of a {sort.value}", at)
    index = cursor.u32()
    return Alias(
        offset=at,
        sort=sort,
        target="core export" if target else "export",
        index=index,
        name=cursor.name(),
    )


# Types


def _core_type(cursor: Cursor) -> CoreTypeDefinition:
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
                cursor.u32(), cursor.u32()
                raise UnsupportedError("outer aliases in core module types are refused", at)
            case _:
                exports.append((cursor.name(), read_core_extern_type(cursor, types)))
    if len({name for name, _ in exports}) < len(exports):
        raise InvalidError("an export name of a module type is already defined", cursor.at)
    if len({(module, name) for module, name, _ in imports}) < len(imports):
        raise InvalidError("duplicate import name in a module type", cursor.at)
    return CoreModuleType(tuple(imports), tuple(exports))


def _type(cursor: Cursor, depth: int = 0) -> TypeDefinition:
    at = cursor.at
    byte = cursor.peek()
    if byte in (0x40, 0x43):
        cursor.byte()
        parameters = cursor.vector(lambda c: (c.name(), _value_ref(c)))
        return TypeDefinition(
            offset=at, form=FunctionForm(parameters, _result_list(cursor), byte == 0x43)
        )
    if byte in (0x41, 0x42):
        cursor.byte()
        _check_depth(depth, at)
        is_instance = byte == 0x42
        declarators = cursor.vector(lambda c: _declarator(c, is_instance, depth + 1))
        return TypeDefinition(offset=at, form=ComponentType(declarators, is_instance))
    if byte == 0x3F:
        cursor.byte()
        cursor.choose("resource representation (i32)", 0x7F)
        destructor = cursor.u32() if cursor.flag("resource destructor") else None
        return TypeDefinition(offset=at, form=ResourceForm(destructor))
    return TypeDefinition(offset=at, form=_value_form(cursor))


def _result_list(cursor: Cursor) -> ValueRef | None:
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
            return _core_type(cursor)
        case 1:
            return _type(cursor, depth)
        case 2:
            alias = _alias(cursor)
            kinds = (
                (Sort.TYPE, Sort.CORE_TYPE)
                if alias.target == "outer"
                else (Sort.TYPE, Sort.INSTANCE)
            )
            if alias.sort not in kinds:
                raise InvalidError("aliases in types may only refer to types or instances", at)
            return alias
        case 3:
            return _import(cursor)
        case _:
            name, implements = _extern_name(cursor)
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
    if sort.value.startswith("core ") and sort != Sort.CORE_MODULE:
        cursor.fail(f"invalid leading byte for component external kind {sort.value}", at)
    return ExternType(sort, cursor.u32())


def _import(cursor: Cursor) -> ImportDefinition:
    at = cursor.at
    name, implements = _extern_name(cursor)
    return ImportDefinition(offset=at, name=name, type=_extern_type(cursor), implements=implements)


def _export(cursor: Cursor) -> ExportDefinition:
    at = cursor.at
    name, implements = _extern_name(cursor)
    reference = _reference(cursor)
    given = cursor.choose("optional component export type", 0, 1)
    return ExportDefinition(
        offset=at,
        name=name,
        reference=reference,
        type=_extern_type(cursor) if given else None,
        implements=implements,
    )


# Canonical definitions


def _canonical(cursor: Cursor) -> CanonicalDefinition:
    at = cursor.at
    byte = cursor.byte()
    if byte == 0x00:
        cursor.choose("canonical function lift", 0)
        function, options = cursor.u32(), _options(cursor)
        return CanonicalDefinition(
            offset=at, name="lift", index=function, options=options, type=cursor.u32()
        )
    if byte == 0x01:
        cursor.choose("canonical function lower", 0)
        return CanonicalDefinition(
            offset=at, name="lower", index=cursor.u32(), options=_options(cursor)
        )
    if byte in PLAIN:
        return CanonicalDefinition(offset=at, name=PLAIN[byte])
    if byte in OF_TYPE:
        return CanonicalDefinition(offset=at, name=OF_TYPE[byte], index=cursor.u32())
    if byte in OF_TYPE_WITH_OPTIONS:
        return CanonicalDefinition(
            offset=at,
            name=OF_TYPE_WITH_OPTIONS[byte],
            index=cursor.u32(),
            options=_options(cursor),
        )
    if byte in OF_TYPE_WITH_FLAG:
        return CanonicalDefinition(
            offset=at,
            name=OF_TYPE_WITH_FLAG[byte],
            index=cursor.u32(),
            flag=cursor.flag("boolean value"),
        )
    if byte in WITH_OPTIONS:
        return CanonicalDefinition(offset=at, name=WITH_OPTIONS[byte], options=_options(cursor))
    if byte in WITH_FLAG:
        return CanonicalDefinition(
            offset=at, name=WITH_FLAG[byte], flag=cursor.flag("boolean value")
        )
    if byte in WITH_FLAG_AND_MEMORY:
        return CanonicalDefinition(
            offset=at,
            name=WITH_FLAG_AND_MEMORY[byte],
            flag=cursor.flag("boolean value"),
            options=(("memory", cursor.u32()),),
        )
    if byte == 0x09:
        return CanonicalDefinition(
            offset=at, name="task.return", type=_result_list(cursor), options=_options(cursor)
        )
    if byte in CONTEXT:
        kind = cursor.choose("type of a context slot", 0x7E, 0x7F)
        return CanonicalDefinition(
            offset=at,
            name=CONTEXT[byte],
            core_type="i32" if kind == 0x7F else "i64",
            slot=cursor.u32(),
        )
    if byte == 0x27:
        return CanonicalDefinition(
            offset=at, name="thread.new-indirect", index=cursor.u32(), slot=cursor.u32()
        )
    if byte in SHARED_THREADS:
        raise UnsupportedError(f"canonical built-in {SHARED_THREADS[byte]} is refused", at)
    raise MalformedError(f"invalid leading byte {byte:#x} for canonical function", at)


def _options(cursor: Cursor) -> tuple[tuple[str, int], ...]:
    return cursor.vector(_option)


def _option(cursor: Cursor) -> tuple[str, int]:
    byte = cursor.choose("canonical option", *OPTIONS)
    return OPTIONS[byte], cursor.u32() if byte in (3, 4, 5, 7) else 0


_SECTIONS: dict[int, Callable[[Cursor], Definition]] = {
    2: _core_instance,
    3: _core_type,
    5: _instance,
    6: _alias,
    7: _type,
    8: _canonical,
    10: _import,
    11: _export,
}
