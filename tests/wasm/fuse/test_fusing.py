"""Fused components behave as they did, and have one core module per component instance."""

from pathlib import Path

import attrs
import pytest
import wasmtime

from edgezero_spin.wasm.component.errors import UnsupportedError, WasmError
from edgezero_spin.wasm.component.linked import LiftedFunction, LinkedComponent, LoweredFunction
from edgezero_spin.wasm.component.linking import link
from edgezero_spin.wasm.component.reader import read_component
from edgezero_spin.wasm.core_module import CODE, ELEMENT, GLOBAL, TABLE, read_core_module
from edgezero_spin.wasm.fuse.fusing import fuse
from tests.wasm.fuse.generated import Running, differences, engine, pair


def linked(text: str) -> LinkedComponent:
    """A component as text, linked."""
    return link(read_component(bytes(wasmtime.wat2wasm(f"(component {text})"))))


LIFT = """
  (func (export "run") (param "x" u32) (result u32) (canon lift (core func $b "run")))
  (func (export "run-again") (param "x" u32) (result u32) (canon lift (core func $b "run")))"""

LIBRARY = """
  (core module $library
    (memory (export "memory") 1)
    (table (export "table") 10 funcref)
    (global (export "base") i32 (i32.const 3))
    (global (export "top") (mut i32) (i32.const 100))
    (func (export "twice") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
    (data (i32.const 8) "library"))
  (core instance $a (instantiate $library))"""


def user(body: str, imports: str = "") -> str:
    """A second module that imports the library, and exports ``run``."""
    return f"""{LIBRARY}
      (core module $user
        (import "lib" "memory" (memory 1))
        (import "lib" "table" (table $t 10 funcref))
        (import "lib" "base" (global $base i32))
        (import "lib" "top" (global $top (mut i32)))
        (import "lib" "twice" (func $twice (param i32) (result i32)))
        {imports} {body})
      (core instance $b (instantiate $user (with "lib" (instance $a)))) {LIFT}"""


CASES = {
    "a call of another module": user("""
        (func (export "run") (param i32) (result i32) (call $twice (local.get 0)))"""),
    "a memory and a mutable global that are shared": user("""
        (func (export "run") (param i32) (result i32)
          (global.set $top (i32.add (global.get $top) (i32.const 4)))
          (i32.store (global.get $top) (local.get 0))
          (i32.add (i32.load8_u (i32.const 9)) (i32.load (global.get $top))))"""),
    "offsets from an imported constant": user("""
        (elem (table $t) (offset (i32.add (global.get $base) (i32.const 1))) func $twice $own)
        (data (global.get $base) "user")
        (func $own (param i32) (result i32) (i32.add (local.get 0) (global.get $base)))
        (func (export "run") (param i32) (result i32)
          (i32.add (i32.load8_u (i32.const 3))
            (call_indirect $t (param i32) (result i32) (local.get 0)
              (i32.and (local.get 0) (i32.const 7)))))"""),
    "tail calls, blocks with a type and branch tables": user("""
        (type $f (func (param i32) (result i32)))
        (elem (table $t) (i32.const 0) func $twice)
        (func (export "run") (type $f)
          (block $d (block $c (block $b
            (br_table $b $c $d (i32.and (local.get 0) (i32.const 3))))
            (return_call $twice (local.get 0)))
            (return_call_indirect $t (type $f) (local.get 0) (i32.const 0)))
          (local.get 0) (loop (param i32) (result i32) (i32.const 1) (i32.add))
          (if (type $f) (param i32) (result i32) (i32.const 1) (then) (else)))"""),
    "exceptions that one module throws and another catches": """
      (core module $library
        (tag (export "tag") (param i32))
        (func (export "raise") (param i32) (throw 0 (local.get 0))))
      (core instance $a (instantiate $library))
      (core module $user
        (import "lib" "tag" (tag $e (param i32)))
        (import "lib" "raise" (func $raise (param i32)))
        (tag $other)
        (func (export "run") (param i32) (result i32)
          (block $caught (result i32)
            (block $all (try_table (catch $other $all) (catch $e $caught)
              (call $raise (local.get 0))))
            (i32.const 7))))
      (core instance $b (instantiate $user (with "lib" (instance $a))))"""
    + LIFT,
    "several memories": user(
        """
        (memory $own 1)
        (data (memory $own) (i32.const 0) "own")
        (func (export "run") (param i32) (result i32)
          (memory.copy $own 0 (i32.const 16) (i32.const 8) (i32.const 4))
          (i32.store8 $own (i32.const 17) (memory.grow $own (i32.const 1)))
          (v128.store $own (i32.const 32) (v128.load $own (i32.const 0)))
          (i32.add (i32.load $own (i32.const 32)) (i32.load $own (i32.const 16))))"""
    ),
    "a module whose first memory is not the first": """
      (core module $a1 (memory (export "m") 1) (data (i32.const 0) "aaaa"))
      (core module $b1 (memory 1) (data (i32.const 0) "bbbb")
        (func (export "run") (param i32) (result i32)
          (memory.fill (i32.const 8) (i32.const 1) (i32.const 2))
          (i32.store16 (i32.const 1) (memory.size))
          (i32.add (i32.load (i32.const 0)) (i32.load offset=4 align=2 (i32.const 4)))))
      (core instance $a (instantiate $a1))
      (core instance $b (instantiate $b1))"""
    + LIFT,
    "passive segments and references": user("""
        (elem $p func $twice $own)
        (elem declare func $own)
        (data $d "passive")
        (func $own (param i32) (result i32) (local.get 0))
        (func (export "run") (param i32) (result i32)
          (table.init $t $p (i32.const 0) (i32.const 0) (i32.const 2))
          (memory.init $d (i32.const 0) (i32.const 0) (i32.const 7))
          (data.drop $d) (elem.drop $p)
          (table.set $t (i32.const 5) (ref.func $own))
          (i32.add (ref.is_null (table.get $t (i32.const 6))) (i32.add
            (call_indirect $t (param i32) (result i32) (local.get 0) (i32.const 5))
            (i32.load (i32.const 0)))))"""),
    "one module twice": """
      (core module $m (global $n (mut i32) (i32.const 0))
        (func (export "run") (param i32) (result i32)
          (global.set $n (i32.add (global.get $n) (local.get 0))) (global.get $n)))
      (core instance $a (instantiate $m)) (core instance $b (instantiate $m))
      (func (export "a") (param "x" u32) (result u32) (canon lift (core func $a "run")))"""
    + LIFT,
    "a start function before segments of another module": """
      (core module $m
        (memory (export "memory") 1) (table (export "table") 4 funcref)
        (func $start (i32.store (i32.const 0) (i32.const 1)))
        (data (i32.const 4) "zzzz") (start $start))
      (core instance $a (instantiate $m))
      (core module $n
        (import "a" "memory" (memory 1)) (import "a" "table" (table 4 funcref))
        (elem (i32.const 2) $run) (data (i32.const 0) "yyyyyy")
        (func $start (i32.store8 (i32.const 1) (i32.load8_u (i32.const 2))))
        (func $run (export "run") (param i32) (result i32)
          (i32.add (i32.load (i32.const 0)) (i32.load (i32.const 4))))
        (start $start))
      (core instance $b (instantiate $n (with "a" (instance $a))))"""
    + LIFT,
    "a trap in a start function": """
      (core module $m (func $s unreachable) (start $s)
        (func (export "run") (param i32) (result i32) (local.get 0)))
      (core instance $b (instantiate $m))"""
    + LIFT,
    "a segment that does not fit": """
      (core module $m (table 2 funcref) (elem (i32.const 2) func 0)
        (func (export "run") (param i32) (result i32) (local.get 0)))
      (core instance $b (instantiate $m))"""
    + LIFT,
}


@pytest.fixture(scope="module")
def wasm() -> wasmtime.Engine:
    """An engine that takes every instruction tested here."""
    return engine()


@pytest.mark.parametrize("name", CASES)
def test_fused_and_unfused_behave_alike(name: str, wasm: wasmtime.Engine) -> None:
    """Results, traps and memories are the same, fused into one module and into two."""
    plain = linked(CASES[name])
    for number in range(3):
        assert differences(plain, number, wasm) == []


@pytest.mark.parametrize("number", range(25))
def test_generated_modules_behave_alike(number: int, tmp_path: Path, wasm: wasmtime.Engine) -> None:
    """Pairs of modules that a fuzzer made behave alike, with all their instructions."""
    assert differences(pair(number, tmp_path), number, wasm) == []


def test_the_comparison_sees_a_difference(wasm: wasmtime.Engine) -> None:
    """A constant folded although code sets the global would show."""
    plain = linked(CASES["a memory and a mutable global that are shared"])
    (core,) = fuse(plain).core_instances
    wrong = core.module.replace(b"\x7f\x01\x41\xe4\x00\x0b", b"\x7f\x01\x41\xe5\x00\x0b")
    assert wrong != core.module
    running = [Running(wasm, plain), Running(wasm, fuse(plain))]
    assert running[0].call("run", [1]) == running[1].call("run", [1])
    assert running[0].call("run", [1]) != running[1].call("run", [2])


def test_one_module_is_left_with_what_is_needed() -> None:
    """Constants, tables without users and unreachable functions are gone."""
    (core,) = fuse(linked(CASES["a call of another module"])).core_instances
    module = read_core_module(core.module)
    assert len(module.functions) == 2
    assert not {GLOBAL, TABLE, ELEMENT} & module.sections.keys()
    assert [name for name, _, _ in module.exports] == ["1.run"]


SHIM = """
  (import "send" (func $send (param "x" u32) (result u32)))
  (import "unused" (func $unused))
  (core module $shim
    (table (export "$imports") 2 2 funcref)
    (func (export "0") (param i32) (result i32)
      (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0)))
    (func (export "1") (call_indirect (i32.const 1))))
  (core instance $shim-instance (instantiate $shim))
  (core module $main
    (import "host" "send" (func $send (param i32) (result i32)))
    (import "host" "unused" (func $unused))
    (func $dead (call $unused))
    (func (export "run") (param i32) (result i32) (call $send (local.get 0))))
  (core instance $b (instantiate $main (with "host" (instance
    (export "send" (func $shim-instance "0")) (export "unused" (func $shim-instance "1"))))))
  (core func $lowered (canon lower (func $send)))
  (core func $lowered-unused (canon lower (func $unused)))
  (core module $fixup
    (import "" "0" (func (param i32) (result i32))) (import "" "1" (func))
    (import "" "$imports" (table 2 2 funcref))
    (elem (i32.const 0) func 0 1) CODE)
  (core instance (instantiate $fixup (with "" (instance
    (export "$imports" (table $shim-instance "$imports"))
    (export "0" (func $lowered)) (export "1" (func $lowered-unused))))))"""


def test_shims_become_what_they_call() -> None:
    """The table between shim and fix-up is gone, and with it the import that nobody calls."""
    (core,) = fuse(linked(SHIM.replace("CODE", "") + LIFT)).core_instances
    assert [each.source.callee.path for each in core.imports] == [("send",)]  # type: ignore[union-attr]
    assert TABLE not in read_core_module(core.module).sections


def test_shims_stay_where_the_table_changes() -> None:
    """A table that code writes to is called through as before."""
    code = '(func (export "set") (table.set (i32.const 0) (ref.null func)))'
    lift = '(func (export "set") (canon lift (core func $f "set")))'
    text = SHIM.replace("CODE", code).replace("(core instance (inst", "(core instance $f (inst")
    (core,) = fuse(linked(text + LIFT + lift)).core_instances
    assert TABLE in read_core_module(core.module).sections
    assert len(core.imports) == 2


def test_component_instances_are_fused_by_themselves() -> None:
    """Calls between component instances stay lowers, of what the callee exports now."""
    plain = linked("""
      (component $inner
        (core module $l (func (export "f") (result i32) i32.const 5))
        (core module $m (import "" "f" (func (result i32))) (export "g" (func 0)))
        (core instance $a (instantiate $l))
        (core instance $b (instantiate $m (with "" (instance $a))))
        (func (export "run") (result u32) (canon lift (core func $b "g"))))
      (instance $i (instantiate $inner))
      (core func $run (canon lower (func $i "run")))
      (core module $user (import "" "run" (func (result i32))) (export "run" (func 0)))
      (core instance $u (instantiate $user (with "" (instance (export "run" (func $run))))))
      (func (export "run") (result u32) (canon lift (core func $u "run")))""")
    fused = fuse(plain)
    assert [each.instance for each in fused.core_instances] == [1, 0]
    source = fused.core_instances[1].imports[0].source
    assert isinstance(source, LoweredFunction)
    assert isinstance(source.callee, LiftedFunction)
    assert source.callee.core.instance == 0


def test_names_of_functions_survive(wasm: wasmtime.Engine) -> None:
    """A trap names the guest's functions as its module did."""
    plain = linked(
        user("""(func $inside unreachable)
        (func $outside (export "run") (param i32) (result i32) (call $inside) (local.get 0))""")
    )
    running = Running(wasm, fuse(plain))
    lifted = running.linked.exports["run"]
    assert isinstance(lifted, LiftedFunction)
    with pytest.raises(wasmtime.Trap) as caught:
        running.export(lifted.core)(running.store, 1)
    frames = [frame.func_name for frame in caught.value.frames]
    assert frames == ["inside", "outside"]


RUN = '(func (export "run")'
REFUSED = [
    ("(memory i64 1)", "64-bit"),
    ("(memory 1 1 shared)", "shared"),
    (f"(memory 1) {RUN} (drop (i32.atomic.load (i32.const 0))))", "atomic"),
    ("(type $s (struct))", "other than functions"),
    (f"(type $f (func)) {RUN} (local (ref null $f)))", "by index"),
    (f"{RUN} (drop (ref.i31 (i32.const 1))))", "garbage-collection"),
    ("(global anyref (ref.null any))", "garbage-collected"),
    (f"(type $f (func)) {RUN} (call_ref $f (ref.null $f)))", "by index"),
    (f"(type $f (func)) {RUN} unreachable (call_ref $f))", "call_ref"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_proposals_that_are_not_read_are_refused_by_name(text: str, message: str) -> None:
    """No instruction is passed over without knowing how long it is."""
    lift = '(func (export "run") (canon lift (core func $b "run")))' if RUN in text else ""
    with pytest.raises(UnsupportedError, match=message):
        fuse(linked(f"(core module $m {text}) (core instance $b (instantiate $m)) {lift}"))


def test_damaged_code_is_an_error() -> None:
    """A byte of code changed to an unknown one gives a module or a ``WasmError``."""
    plain = linked(CASES["passive segments and references"])
    library, core = plain.core_instances
    start, end = read_core_module(core.module).sections[CODE]
    refused = 0
    for at in range(start, end):
        module = bytearray(core.module)
        module[at] = 0x63
        damaged = attrs.evolve(core, module=bytes(module))
        try:
            fuse(attrs.evolve(plain, core_instances=(library, damaged)))
        except WasmError:
            refused += 1
    assert refused > 20
