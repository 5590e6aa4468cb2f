"""Lifting and lowering agree with the specification's own ``definitions.py``.

Types and values are random. The specification stores and loads them in a byte array, this host
in the memory of a module; both must read what the other wrote.
"""

import importlib.util
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgezero_spin.host.runtime.engine import EngineSettings, make_engine
from edgezero_spin.host.runtime.instance import Instance
from edgezero_spin.host.runtime.interface import Err, Ok, Some
from edgezero_spin.host.runtime.lift import Lifting
from edgezero_spin.host.runtime.lower import Lowering
from edgezero_spin.host.runtime.memory import Context
from edgezero_spin.host.runtime.prepared import Imports, PreparedComponent
from edgezero_spin.host.runtime.resources import ResourceTable
from edgezero_spin.wasm.component.layout import core_types, layout_of
from edgezero_spin.wasm.component.linked import (
    CoreExport,
    CoreInstance,
    Encoding,
    LiftedFunction,
    LinkedComponent,
    LinkedInstance,
    Options,
)
from edgezero_spin.wasm.component.types import (
    EnumType,
    FlagsType,
    FunctionType,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    ValueType,
    VariantType,
)

DEFINITIONS = (
    Path(os.environ.get("COMPONENT_MODEL", "/nowhere")) / "design/mvp/canonical-abi/definitions.py"
)

pytestmark = pytest.mark.skipif(
    not DEFINITIONS.is_file(), reason="COMPONENT_MODEL names no checkout of the component model"
)

MODULE = """(module
  (memory (export "memory") 4)
  (global $top (mut i32) (i32.const 4096))
  (func (export "reset") (global.set $top (i32.const 4096)))
  (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
    (local.set $at (i32.and
      (i32.add (global.get $top) (i32.sub (local.get 2) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get 2))))
    (global.set $top (i32.add (local.get $at) (local.get 3)))
    (local.get $at)))"""

AT = 1024
"""Where values are stored: aligned for every type, with room below the allocator's."""

NUMBERS = {
    Primitive.S8: st.integers(-(1 << 7), (1 << 7) - 1),
    Primitive.U8: st.integers(0, (1 << 8) - 1),
    Primitive.S16: st.integers(-(1 << 15), (1 << 15) - 1),
    Primitive.U16: st.integers(0, (1 << 16) - 1),
    Primitive.S32: st.integers(-(1 << 31), (1 << 31) - 1),
    Primitive.U32: st.integers(0, (1 << 32) - 1),
    Primitive.S64: st.integers(-(1 << 63), (1 << 63) - 1),
    Primitive.U64: st.integers(0, (1 << 64) - 1),
    Primitive.F32: st.floats(width=32),
    Primitive.F64: st.floats(),
    Primitive.BOOL: st.booleans(),
    Primitive.CHAR: st.characters(exclude_categories=["Cs"]),
    Primitive.STRING: st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
}

NAMES = [f"n{index}" for index in range(40)]


def types(depth: int = 2) -> st.SearchStrategy[ValueType]:
    """Types, those with parts nested this deep."""
    leaves: st.SearchStrategy[Any] = st.sampled_from(list(NUMBERS)) | st.one_of(
        st.integers(1, 32).map(lambda count: FlagsType(tuple(NAMES[:count]))),
        st.integers(1, 40).map(lambda count: EnumType(tuple(NAMES[:count]))),
    )
    if depth == 0:
        return leaves
    part = types(depth - 1)
    maybe = st.none() | part
    return st.one_of(
        leaves,
        st.builds(ListType, part),
        st.builds(ListType, part, st.integers(1, 4)),
        st.lists(part, min_size=1, max_size=4).map(lambda parts: TupleType(tuple(parts))),
        st.lists(part, min_size=1, max_size=4).map(
            lambda parts: RecordType(tuple(zip(NAMES, parts, strict=False)))
        ),
        st.lists(maybe, min_size=1, max_size=4).map(
            lambda parts: VariantType(tuple(zip(NAMES, parts, strict=False)))
        ),
        st.builds(OptionType, part),
        st.builds(ResultType, maybe, maybe),
    )


def values(type_: ValueType | None) -> st.SearchStrategy[Any]:
    """Values of a type in Python form."""
    match type_:
        case None:
            return st.none()
        case Primitive():
            return NUMBERS[type_]
        case ListType(Primitive.U8, length):
            return st.binary(min_size=length or 0, max_size=6 if length is None else length)
        case ListType(element, length):
            most = 4 if length is None else length
            return st.lists(values(element), min_size=length or 0, max_size=most)
        case TupleType(elements):
            return st.tuples(*map(values, elements))
        case RecordType(fields):
            return st.fixed_dictionaries({name: values(part) for name, part in fields})
        case EnumType(labels):
            return st.sampled_from(labels)
        case FlagsType(labels):
            return st.frozensets(st.sampled_from(labels))
        case OptionType(OptionType() as payload):
            return st.none() | values(payload).map(Some)
        case OptionType(payload):
            return st.none() | values(payload)
        case ResultType(ok, error):
            return values(ok).map(Ok) | values(error).map(Err)
        case VariantType(cases):
            return st.one_of([st.tuples(st.just(name), values(payload)) for name, payload in cases])
    raise AssertionError(type_)


class Oracle:
    """The specification's definitions on types and values of this host."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module

    def type(self, type_: ValueType) -> Any:
        """Return a type as the definitions have it."""
        spec = self.module
        match type_:
            case Primitive():
                return getattr(spec, f"{type_.name.capitalize()}Type")()
            case ListType(element, length):
                return spec.ListType(self.type(element), length)
            case TupleType(elements):
                return spec.TupleType(list(map(self.type, elements)))
            case RecordType(fields):
                return spec.RecordType([spec.FieldType(n, self.type(t)) for n, t in fields])
            case EnumType(labels):
                return spec.EnumType(list(labels))
            case FlagsType(labels):
                return spec.FlagsType(list(labels))
            case OptionType(payload):
                return spec.OptionType(self.type(payload))
            case ResultType(ok, error):
                return spec.ResultType(*(part and self.type(part) for part in (ok, error)))
            case VariantType(cases):
                return spec.VariantType(
                    [spec.CaseType(name, part and self.type(part)) for name, part in cases]
                )
        raise AssertionError(type_)

    def value(self, type_: ValueType | None, value: Any, encoding: str) -> Any:
        """Return a value as the definitions have it."""
        match type_:
            case None:
                return None
            case Primitive.STRING:
                units = len(value.encode("utf-16-le")) // 2
                if encoding == "utf8":
                    units = len(value.encode())
                elif encoding == "latin1+utf16":
                    latin = all(ord(c) < 256 for c in value)
                    units = len(value) if latin else units | 1 << 31
                return value, encoding, units
            case ListType(element):
                return [self.value(element, part, encoding) for part in value]
            case TupleType(elements):
                return {
                    str(index): self.value(element, value[index], encoding)
                    for index, element in enumerate(elements)
                }
            case RecordType(fields):
                return {name: self.value(part, value[name], encoding) for name, part in fields}
            case EnumType():
                return {value: None}
            case FlagsType(labels):
                return {label: label in value for label in labels}
            case OptionType(payload):
                if value is None:
                    return {"none": None}
                inner = value.value if isinstance(payload, OptionType) else value
                return {"some": self.value(payload, inner, encoding)}
            case ResultType(ok, error):
                if isinstance(value, Ok):
                    return {"ok": self.value(ok, value.value, encoding)}
                return {"error": self.value(error, value.value, encoding)}
            case VariantType(cases):
                return {value[0]: self.value(dict(cases)[value[0]], value[1], encoding)}
        return value

    def context(self, memory: Any, encoding: str) -> Any:
        """Return a context over this memory, with an allocator of its own."""
        spec = self.module
        options = spec.LiftLowerOptions(encoding, spec.MemInst(memory, "i32"))
        context = spec.LiftLowerContext(options, None)
        top = AT + 4096

        def reallocate(old: int, old_size: int, alignment: int, size: int) -> int:
            nonlocal top
            at = -(-top // alignment) * alignment
            memory[at : at + old_size] = bytes(memory[old : old + old_size])
            top = at + size
            return at

        context.reallocate = reallocate
        return context


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    """The definitions, loaded from the checkout."""
    spec = importlib.util.spec_from_file_location("canonical_abi_definitions", DEFINITIONS)
    if spec is None or spec.loader is None:
        raise AssertionError(DEFINITIONS)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.DETERMINISTIC_PROFILE = True  # type: ignore[attr-defined]
    return Oracle(module)


class _State:
    def __init__(self) -> None:
        self.table = ResourceTable()


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    """An instance of a module with a memory and an allocator."""
    import wasmtime

    options = Options(memory=CoreExport(0, "memory"), realloc=CoreExport(0, "realloc"))
    reset = LiftedFunction(0, CoreExport(0, "reset"), FunctionType((), None), options)
    core = CoreInstance(0, bytes(wasmtime.wat2wasm(MODULE)), ())
    linked = LinkedComponent((), {}, (LinkedInstance(),), (core,), {"reset": reset})
    with make_engine(EngineSettings(pooling=False)) as engine:
        component = PreparedComponent(
            engine, linked, Imports(), lambda wasm: wasmtime.Module(engine.native, wasm)
        )
        with component.instantiate(_State()) as instance:
            yield instance


def _context(instance: Instance) -> Context:
    instance.call(None, "reset")
    context = instance.contexts[0]
    context.check(0, 4096, 1)
    return context


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    if isinstance(one, Ok | Err | Some):
        return type(one) is type(other) and _equal(one.value, other.value)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other) and type(one) is type(other)


@given(type_=types())
@settings(max_examples=300, deadline=None)
def test_layout(oracle: Oracle, type_: ValueType) -> None:
    """Size, alignment and core values of a type are the specification's."""
    spec, layout = oracle.type(type_), layout_of(type_)
    context = oracle.context(bytearray(8), "utf8")
    assert layout.size == oracle.module.elem_size(spec, "i32")
    assert layout.alignment == oracle.module.alignment(spec, "i32")
    flat = oracle.module.flatten_type(spec, context.opts)
    assert (list(core_types(layout.flat)) if layout.flat is not None else None) == (
        flat if len(flat) <= 16 else None
    )


_CHECKED = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("encoding", list(Encoding))
@given(data=st.data())
@_CHECKED
def test_store_and_load(
    oracle: Oracle, instance: Instance, encoding: Encoding, data: st.DataObject
) -> None:
    """Each side loads from memory what the other stored there."""
    type_ = data.draw(types())
    value = data.draw(values(type_))
    if layout_of(type_).size > 2048:
        return
    spec_type, spec_value = oracle.type(type_), oracle.value(type_, value, encoding.value)
    cx = _context(instance)
    lowering = Lowering(encoding, lambda _: None, lambda t: t, lambda _: False, from_host=True)
    lowering.store(type_)(cx, AT, value)
    spec = oracle.context(cx.u8, encoding.value)
    spec.opts.memory.bytes = _Bytes(cx.u8)
    found = oracle.module.load(spec, AT, spec_type)
    assert _spec_equal(found, spec_value)

    spec = oracle.context(cx.u8, encoding.value)
    oracle.module.store(spec, spec_value, spec_type, AT)
    lifting = Lifting(encoding, lambda _: None, lambda t: t, to_host=True, lends=False)
    assert _equal(lifting.load(type_)(cx, AT), value)


@given(data=st.data())
@_CHECKED
def test_flat_values(oracle: Oracle, instance: Instance, data: st.DataObject) -> None:
    """Each side lifts from core values what the other lowered to them."""
    type_ = data.draw(types())
    value = data.draw(values(type_))
    flat = layout_of(type_).flat
    if flat is None:
        return
    spec_type, spec_value = oracle.type(type_), oracle.value(type_, value, "utf8")
    cx = _context(instance)
    lowering = Lowering(Encoding.UTF8, lambda _: None, lambda t: t, lambda _: False, from_host=True)
    lowered = [0] * len(flat)
    lowering.lower(type_, flat, 0)(cx, value, lowered)
    spec = oracle.context(cx.u8, "utf8")
    spec.opts.memory.bytes = _Bytes(cx.u8)
    unsigned = [_unsigned(part, kind) for part, kind in zip(lowered, flat, strict=True)]
    iterator = oracle.module.CoreValueIter(unsigned)
    assert _spec_equal(oracle.module.lift_flat(spec, iterator, spec_type), spec_value)

    spec = oracle.context(cx.u8, "utf8")
    given_flat = oracle.module.lower_flat(spec, spec_value, spec_type)
    signed = [_signed(part, kind) for part, kind in zip(given_flat, flat, strict=True)]
    lifting = Lifting(Encoding.UTF8, lambda _: None, lambda t: t, to_host=True, lends=False)
    assert _equal(lifting.lift(type_, flat, 0)(cx, signed), value)


class _Bytes:
    """A view of a memory whose slices can be decoded, as the definitions do."""

    def __init__(self, view: memoryview) -> None:
        self._view = view

    def __getitem__(self, key: Any) -> Any:
        found = self._view[key]
        return bytes(found) if isinstance(found, memoryview) else found

    def __len__(self) -> int:
        return len(self._view)


def _spec_equal(one: Any, other: Any) -> bool:
    if isinstance(one, tuple):
        return bool(one[0] == other[0])
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_spec_equal(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_spec_equal, one, other))
    return _equal(one, other) or one == other


def _unsigned(value: Any, kind: str) -> Any:
    if kind in "fd":
        return float(value)
    return value & ((1 << 32) - 1 if kind in "Ii" else (1 << 64) - 1)


def _signed(value: Any, kind: str) -> Any:
    if kind == "i":
        return (value ^ 1 << 31) - (1 << 31)
    if kind == "q":
        return (value ^ 1 << 63) - (1 << 63)
    return value
