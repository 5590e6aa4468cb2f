"""Components are read in full, and what is not a component is refused with its place."""

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.wasm.binary import COMPONENT, number_bytes, section_bytes, vector_bytes
from edgezero_spin.wasm.component.cursor import Cursor
from edgezero_spin.wasm.component.definitions import (
    AliasDefinition,
    CanonicalDefinition,
    Component,
    CoreModule,
    FunctionForm,
    Sort,
    TypeDefinition,
    ValueForm,
)
from edgezero_spin.wasm.component.errors import MalformedError, UnsupportedError, WasmError
from edgezero_spin.wasm.component.reader import MAX_DEPTH, read_component


def compiled(text: str) -> bytes:
    """A component as text, in binary form."""
    return bytes(wasmtime.wat2wasm(text))


def component(*parts: tuple[int, bytes]) -> bytes:
    """A component with these sections."""
    return COMPONENT + b"".join(section_bytes(number, content) for number, content in parts)


def test_definitions_keep_their_order_and_offsets() -> None:
    """Core modules, aliases and canonical definitions come in the order of the binary."""
    data = compiled("""(component
      (core module $m (memory (export "m") 1) (func (export "f") (param i32)))
      (core instance $i (instantiate $m))
      (type $t (func (param "a" (list u8))))
      (alias core export $i "f" (core func $f)))""")
    found = read_component(data)
    kinds = [type(each).__name__ for each in found.definitions]
    assert kinds == [
        "CoreModule",
        "CoreInstantiate",
        "TypeDefinition",
        "TypeDefinition",
        "AliasDefinition",
    ]
    module, _, list_type, function, alias = found.definitions
    assert isinstance(module, CoreModule)
    assert data[module.offset :].startswith(module.data)
    assert isinstance(list_type, TypeDefinition)
    assert list_type.form == ValueForm("list", parts=list_type.form.parts)  # type: ignore[union-attr]
    assert isinstance(function, TypeDefinition)
    assert function.form == FunctionForm((("a", 0),), None, False)
    assert isinstance(alias, AliasDefinition)
    assert (alias.sort, alias.target, alias.name) == (Sort.CORE_FUNCTION, "core export", "f")


def test_nested_components_are_read() -> None:
    """A component in a component is a definition like any other."""
    found = read_component(compiled("(component (component (component)))"))
    inner = found.definitions[0]
    assert isinstance(inner, Component)
    assert isinstance(inner.definitions[0], Component)


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0x05, "task.cancel"),
        (0x0D, "subtask.drop"),
        (0x1F, "waitable-set.new"),
        (0x22, "waitable-set.drop"),
        (0x23, "waitable.join"),
        (0x24, "backpressure.inc"),
        (0x25, "backpressure.dec"),
        (0x26, "thread.index"),
    ],
)
def test_built_ins_without_immediates_have_their_names(number: int, name: str) -> None:
    """Each number of a canonical built-in is the name that Binary.md gives it."""
    found = read_component(component((8, vector_bytes([bytes([number])]))))
    assert found.definitions == (CanonicalDefinition(offset=0, name=name),)


@pytest.mark.parametrize(
    ("content", "flag"), [(b"\x06\1", True), (b"\x0c\0", False), (b"\x29\1", True)]
)
def test_flags_of_built_ins_are_read(content: bytes, flag: bool) -> None:
    """``async`` and ``cancellable`` are one byte, 0 or 1."""
    (found,) = read_component(component((8, vector_bytes([content])))).definitions
    assert isinstance(found, CanonicalDefinition)
    assert found.flag is flag


REFUSED = [
    pytest.param(b"", "unexpected end", id="empty"),
    pytest.param(b"\0asm\x01\0\0\0", "not a component", id="a core module"),
    pytest.param(component((13, b"")), "malformed section id 13", id="unknown section"),
    pytest.param(component((9, b"\0\0\0")), "values and start functions", id="start"),
    pytest.param(component((8, b"\1\x40\0\0")), "thread.spawn-ref", id="threads"),
    pytest.param(component((8, b"\1\x07")), "invalid leading byte 0x7", id="unknown canon"),
    pytest.param(component((7, b"\1\x62")), "invalid leading byte 0x62", id="unknown type"),
    pytest.param(component((7, b"\1\x7f\0")), "unexpected content", id="bytes left over"),
    pytest.param(component((7, b"\xff\xff\xff\xff\x0f")), "a count exceeds", id="giant vector"),
    pytest.param(component((7, b"\xff\xff\xff\xff\xff\0")), "too long", id="six-byte number"),
    pytest.param(component((7, b"\xff\xff\xff\xff\x7f")), "too large", id="33 bits"),
    pytest.param(COMPONENT + b"\7\x20\0", "a length exceeds", id="section too long"),
    pytest.param(component((0, b"\2\xff\xff")), "malformed UTF-8", id="name not UTF-8"),
    pytest.param(
        component((3, b"\1\x50\1\2\x10\1\0\0")), "unknown type 0", id="alias of its own type"
    ),
    pytest.param(component((1, COMPONENT)), "version header for a module", id="no module"),
]


@pytest.mark.parametrize(("data", "text"), REFUSED)
def test_what_is_not_known_is_refused(data: bytes, text: str) -> None:
    """The error says what is wrong and at which byte."""
    with pytest.raises(WasmError, match=text) as caught:
        read_component(data)
    assert 0 <= caught.value.offset <= len(data)
    assert "at byte 0x" in str(caught.value)


def test_nesting_is_bounded() -> None:
    """A deep binary is refused before it exhausts the interpreter's stack."""
    data = COMPONENT
    for _ in range(MAX_DEPTH + 1):
        data = component((4, data))
    with pytest.raises(UnsupportedError, match="levels of nesting"):
        read_component(data)
    types = b"\x42\0"
    for _ in range(MAX_DEPTH + 1):
        types = b"\x42\1\1" + types
    with pytest.raises(UnsupportedError, match="levels of nesting"):
        read_component(component((7, b"\1" + types)))


def test_the_number_of_items_is_bounded() -> None:
    """Three megabytes of one-byte types are refused before each becomes an object."""
    section = (7, number_bytes(1_000_000) + b"\x7f" * 1_000_000)
    with pytest.raises(MalformedError, match="more than 2000000 items"):
        read_component(component((7, number_bytes(1_000_001) + b"\x7f" * 1_000_001), section))


@given(st.integers(0, 2**32 - 1))
def test_numbers_come_back(value: int) -> None:
    """Whatever is written as LEB128 is read as the same number, padded or not."""
    written = number_bytes(value)
    padded = written[:-1] + bytes([written[-1] | 0x80]) + b"\x80" * (4 - len(written)) + b"\0"
    for each in (written, padded if len(written) < 5 else written):
        cursor = Cursor(each)
        assert cursor.u32() == value
        assert cursor.at == len(each)


@given(st.binary(max_size=40))
def test_any_bytes_give_a_component_or_an_error(data: bytes) -> None:
    """Arbitrary sections raise no other exception than a ``WasmError``."""
    for number in range(12):
        try:
            read_component(component((number, data)))
        except WasmError as error:
            assert isinstance(error, MalformedError | WasmError)
