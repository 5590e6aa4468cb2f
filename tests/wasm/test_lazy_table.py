"""A component whose modules share a function table, wired so that no instance fills it."""

from collections.abc import Callable

import pytest
import wasmtime
from wasmtime import component as wit

from edgezero_spin.wasm.binary import COMPONENT, sections
from edgezero_spin.wasm.lazy_table import with_lazy_table
from edgezero_spin.wasm.module import Kind, Section, read_module
from edgezero_spin.wasm.wiring import component_bytes, read_component

ENTRIES = 1200
"""Functions of the large module, each with a table entry."""

START = 5
"""Where they stand in the table."""

# What a linker of dynamic libraries makes: a base, a library, a large module that is there
# last and calls the library, and the entries that only then can be filled in.
LINKED = """
(component
  (core module $base
    (type $one (func (param i32) (result i32)))
    (memory (export "memory") 1)
    (table (export "__indirect_function_table") 1300 funcref)
    (global (export "pointer") (mut i32) (i32.const 64))
    (global (export "big:table") i32 (i32.const {start}))
    (global (export "library:table") i32 (i32.const 1250))
    (global (export "limit") (mut i32) (i32.const 7))
    (func (export "late") (type $one)
      (call_indirect (type $one) (local.get 0) (i32.const 1299)))
    (data (i32.const 16) "\\2a")
    {base})
  (core module $library
    (type $one (func (param i32) (result i32)))
    (import "env" "memory" (memory 1))
    (import "env" "__indirect_function_table" (table 0 funcref))
    (import "env" "__table_base" (global $at i32))
    (import "env" "late" (func $late (type $one)))
    (elem (global.get $at) $thrice)
    (func $thrice (export "thrice") (type $one) (i32.mul (local.get 0) (i32.const 3)))
    (func (export "apply") (param i32 i32) (result i32)
      (call_indirect (type $one) (local.get 1) (local.get 0)))
    (func (export "later") (type $one) (call $late (local.get 0)))
    (func (export "answer") (result i32) (i32.load8_u (i32.const 16)))
    {library})
  (core module $big
    (type $one (func (param i32) (result i32)))
    (import "env" "memory" (memory 1))
    (import "env" "__indirect_function_table" (table 1205 funcref))
    (import "env" "__table_base" (global $at i32))
    (import "env" "pointer" (global $pointer (mut i32)))
    (import "env" "apply" (func $apply (param i32 i32) (result i32)))
    (import "env" "late" (func $late (type $one)))
    (import "more" "limit" (global $limit (mut i32)))
    (import "more" "later" (func $later (type $one)))
    (import "more" "answer" (func $answer (result i32)))
    {functions}
    (elem (global.get $at) {names})
    (func (export "own") (param i32 i32) (result i32)
      (call_indirect (type $one) (local.get 1) (local.get 0)))
    (func (export "by-library") (param i32 i32) (result i32)
      (call $apply (local.get 0) (local.get 1)))
    (func (export "late-twice") (type $one) (i32.add
      (call $late (local.get 0)) (call $later (local.get 0))))
    (func (export "base") (result i32)
      (i32.store8 (i32.const 17) (i32.const 1))
      (global.set $limit (i32.add (global.get $limit) (global.get $pointer)))
      (i32.add (global.get $limit) (call $answer))))
  (core module $entries
    (import "env" "memory" (memory 1))
    (import "env" "__indirect_function_table" (table 0 funcref))
    (import "env" "limit" (global (mut i32)))
    (import "library" "thrice" (func $thrice (param i32) (result i32)))
    (func (global.set 0 (i32.const 0)))
    {entries}
    (elem (i32.const 1299) $thrice))

  (core instance $base (instantiate $base))
  (core instance $library (instantiate $library
    (with "env" (instance
      (export "memory" (memory $base "memory"))
      (export "__indirect_function_table" (table $base "__indirect_function_table"))
      (export "__table_base" (global $base "library:table"))
      (export "late" (func $base "late"))))))
  (core instance $big (instantiate $big
    (with "env" (instance
      (export "memory" (memory $base "memory"))
      (export "__indirect_function_table" (table $base "__indirect_function_table"))
      (export "__table_base" (global $base "big:table"))
      (export "pointer" (global $base "pointer"))
      (export "apply" (func $library "apply"))
      (export "late" (func $base "late"))))
    (with "more" (instance
      (export "limit" (global $base "limit"))
      (export "later" (func $library "later"))
      (export "answer" (func $library "answer"))))))
  (core instance $entries (instantiate $entries
    (with "env" (instance $base)) (with "library" (instance $library))))

  (func (export "own") (param "slot" u32) (param "x" u32) (result u32)
    (canon lift (core func $big "own")))
  (func (export "by-library") (param "slot" u32) (param "x" u32) (result u32)
    (canon lift (core func $big "by-library")))
  (func (export "late-twice") (param "x" u32) (result u32)
    (canon lift (core func $big "late-twice")))
  (func (export "base") (result u32) (canon lift (core func $big "base"))))
"""

FUNCTIONS = "\n".join(
    f"(func $f{n} (type $one) (i32.add (local.get 0) (i32.const {n})))" for n in range(ENTRIES)
)


def linked(
    *, entries: int = ENTRIES, base: str = "", library: str = "", last: str = "", text: str = LINKED
) -> bytes:
    """Return the component above, with something added to one of its modules."""
    names = " ".join(f"$f{n}" for n in range(entries))
    filled = text.format(
        functions=FUNCTIONS, names=names, start=START, base=base, library=library, entries=last
    )
    return bytes(wasmtime.wat2wasm(filled))


Call = Callable[..., int]


def running(component: bytes) -> Call:
    """Return a function that calls an export of a fresh instance."""
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    instance = wit.Linker(engine).instantiate(store, wit.Component(engine, component))

    def call(name: str, *arguments: int) -> int:
        function = instance.get_func(store, name)
        assert function is not None
        result: int = function(store, *arguments)
        function.post_return(store)
        return result

    return call


def tables(component: bytes) -> list[tuple[bool, bool]]:
    """Tell of each core module whether it defines a table and whether it imports one."""
    found = []
    for number, start, stop in sections(component):
        if number == 1:
            module = read_module(component[start:stop])
            defined = module.content(Section.TABLE) is not None
            found.append((defined, bool(module.imported(Kind.TABLE))))
    return found


def test_the_large_module_defines_the_table() -> None:
    """Its entries are then the engine's business, at compile time."""
    plain = linked()
    lazy = with_lazy_table(plain)
    assert tables(plain)[:4] == [(True, False), (False, True), (False, True), (False, True)]
    assert tables(lazy)[:4] == [(False, False), (False, True), (True, False), (False, True)]


@pytest.mark.parametrize(
    ("export", "arguments", "answer"),
    [
        ("own", (START, 10), 10),
        ("own", (START + ENTRIES - 1, 10), 10 + ENTRIES - 1),
        ("own", (1250, 10), 30),
        ("by-library", (START + 7, 10), 17),
        ("by-library", (1250, 10), 30),
        ("late-twice", (5,), 30),
        ("base", (), 42 + 7 + 64),
    ],
    ids=["first", "last", "library's", "from library", "library to itself", "stubs", "base"],
)
def test_calls_through_the_table_end_where_they_did(
    export: str, arguments: tuple[int, ...], answer: int
) -> None:
    """Own entries, the library's, those filled in last, memory and globals: all as before."""
    plain = linked()
    assert running(plain)(export, *arguments) == answer
    assert running(with_lazy_table(plain))(export, *arguments) == answer


def test_globals_and_memory_are_those_of_the_base() -> None:
    """What one call leaves there is there in the next, of the same instance only."""
    component = with_lazy_table(linked())
    call = running(component)
    assert [call("base"), call("base")] == [113, 177]
    assert running(component)("base") == 113


@pytest.mark.parametrize("slot", [0, START + ENTRIES, 1298, 1300])
def test_an_empty_entry_still_traps(slot: int) -> None:
    """A wild function pointer is an error in both wirings."""
    for component in (linked(), with_lazy_table(linked())):
        with pytest.raises(wasmtime.WasmtimeError, match=r"uninitialized element|out of bounds"):
            running(component)("own", slot, 1)


def test_a_second_time_changes_nothing() -> None:
    """A build and a host may both do it."""
    once = with_lazy_table(linked())
    assert once != linked()
    assert with_lazy_table(once) == once


OWN_FUNCTION = "(func (result i32) (memory.size))"


@pytest.mark.parametrize(
    "component",
    [
        linked(entries=900),
        linked(base=OWN_FUNCTION),
        linked(library="(start $go) (func $go)"),
        linked(last="(start $go) (func $go)"),
        linked(last='(func (export "needed"))'),
        linked(
            text=LINKED.replace("(elem (global.get $at) {names})", "(elem (i32.const 5) {names})")
        ),
        linked(text=LINKED.replace("1300 funcref", "1204 1300 funcref").replace("{names}", "$f0")),
        bytes(wasmtime.wat2wasm("(component)")),
        bytes(wasmtime.wat2wasm("(module)")),
        COMPONENT + b"garbage",
        linked()[:-9],
        b"",
    ],
    ids=[
        "few entries",
        "a base with code",
        "a library that runs code",
        "last entries that run code",
        "last entries that export",
        "a constant place",
        "one entry",
        "empty component",
        "core module",
        "garbage",
        "cut short",
        "nothing",
    ],
)
def test_another_shape_stays_as_it_is(component: bytes) -> None:
    """Where it is not certain that nothing changes, nothing is changed."""
    assert with_lazy_table(component) == component


def test_reading_and_writing_a_component_loses_nothing() -> None:
    """The wiring's own form says the same when it is read again."""
    parts = read_component(linked())
    assert read_component(component_bytes(parts)) == parts
    assert running(component_bytes(parts))("late-twice", 5) == 30
