"""A packed component has one core module of its own and behaves as before on any host."""

import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import wasmtime
from wasmtime import component as wit

from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from edgezero_spin.wasm.binary import COMPONENT, sections
from edgezero_spin.wasm.component.canonical_format import canonical_bytes, read_canonical
from edgezero_spin.wasm.component.cursor import Cursor
from edgezero_spin.wasm.component.definitions import CoreModule
from edgezero_spin.wasm.component.reader import read_component
from edgezero_spin.wasm.core_module import TABLE, read_core_module
from edgezero_spin.wasm.fuse.packing import packed_component
from tests.host.runtime.components import component, instance_of

TOOL = Path(sysconfig.get_path("scripts")) / "wasm-tools"

# A program of two modules that share a memory and a table, as a linker of dynamic libraries
# makes them; one lowered function needs the memory, the other two do not.
LINKED = """
(component
  (import "host" (instance $host
    (export "file" (type $file (sub resource)))
    (export "open" (func (result (own $file))))
    (export "upper" (func (param "text" string) (result string)))))
  (alias export $host "file" (type $file))
  (core module $shim
    (table (export "$imports") 1 1 funcref)
    (func (export "0") (param i32 i32 i32)
      (call_indirect (param i32 i32 i32)
        (local.get 0) (local.get 1) (local.get 2) (i32.const 0))))
  (core module $library
    (memory (export "memory") 1)
    (table (export "table") 10 funcref)
    (global (export "base") i32 (i32.const 3))
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (memory.copy (local.get $at) (local.get 0) (local.get 1))
      (local.get $at))
    (func (export "reset") (param i32) (global.set $next (i32.const 1024)))
    (func (export "next") (result i32) (global.get $next))
    (func (export "unused") (unreachable)))
  (core module $main
    (import "env" "memory" (memory 1))
    (import "env" "table" (table 10 funcref))
    (import "env" "base" (global $base i32))
    (import "host" "upper" (func $upper (param i32 i32 i32)))
    (import "host" "open" (func $open (result i32)))
    (import "host" "drop" (func $drop (param i32)))
    (elem (global.get $base) $twice)
    (func $twice (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
    (func (export "run") (param i32) (result i32)
      (call_indirect (param i32) (result i32) (local.get 0) (i32.const 3)))
    (func (export "wild") (call_indirect (i32.const 4)))
    (func (export "open") (call $drop (call $open)))
    (func (export "shout") (param i32 i32) (result i32)
      (call $upper (local.get 0) (local.get 1) (i32.const 16)) (i32.const 16)))
  (core module $fix-up
    (import "" "$imports" (table 1 1 funcref))
    (import "" "0" (func (param i32 i32 i32)))
    (elem (i32.const 0) func 0))
  (core instance $s (instantiate $shim))
  (core instance $l (instantiate $library))
  (core func $open (canon lower (func $host "open")))
  (core func $drop (canon resource.drop $file))
  (core instance $m (instantiate $main (with "env" (instance $l)) (with "host" (instance
    (export "upper" (func $s "0")) (export "open" (func $open)) (export "drop" (func $drop))))))
  (core func $upper (canon lower (func $host "upper")
    (memory (core memory $l "memory")) (realloc (core func $l "realloc")) string-encoding=utf16))
  (core instance (instantiate $fix-up (with "" (instance
    (export "$imports" (table $s "$imports")) (export "0" (func $upper))))))
  (func (export "run") (param "x" u32) (result u32) (canon lift (core func $m "run")))
  (func (export "wild") (canon lift (core func $m "wild")))
  (func (export "open") (canon lift (core func $m "open")))
  (func (export "next") (result u32) (canon lift (core func $l "next")))
  (func $shout (param "text" string) (result string) (canon lift (core func $m "shout")
    (memory (core memory $l "memory")) (realloc (core func $l "realloc"))
    (post-return (core func $l "reset")) string-encoding=utf16))
  (component $exports
    (import "f" (func $f (param "text" string) (result string)))
    (export "shout" (func $f)))
  (instance $words (instantiate $exports (with "f" (func $shout))))
  (export "words" (instance $words)))
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine without a pool: these components are tiny."""
    with make_engine(EngineSettings(pooling=False)) as engine:
        yield engine


def binary(text: str) -> bytes:
    """A component as text, in binary form."""
    return bytes(wasmtime.wat2wasm(text))


class Running:
    """An instance of the component above on the engine's own component interface."""

    def __init__(self, wasm: bytes) -> None:
        engine = wasmtime.Engine()
        self.store = wasmtime.Store(engine)
        self.dropped: list[int] = []
        linker = wit.Linker(engine)
        type_ = wit.ResourceType.host(7)
        with linker.root() as root, root.add_instance("host") as host:
            host.add_resource("file", type_, lambda _, rep: self.dropped.append(rep))
            host.add_func("open", lambda _: wit.ResourceHost.own(5, 7))
            host.add_func("upper", lambda _, text: text.upper())
        self.instance = linker.instantiate(self.store, wit.Component(engine, wasm))

    def call(self, *path: str, arguments: tuple[object, ...] = ()) -> Any:
        """Call an export."""
        index = None
        for name in path:
            index = self.instance.get_export_index(self.store, name, index)
        assert index is not None
        function = self.instance.get_func(self.store, index)
        assert function is not None
        result = function(self.store, *arguments)
        function.post_return(self.store)
        return result


def cores(wasm: bytes) -> list[bytes]:
    """The core modules of a component."""
    found = read_component(wasm).definitions
    return [each.data for each in found if isinstance(each, CoreModule)]


@pytest.mark.parametrize("change", [lambda wasm: wasm, packed_component])
def test_calls_give_what_they_gave(change: Callable[[bytes], bytes]) -> None:
    """Text and resources cross, the table is filled, what a call allocates is given back, and
    a wild call still traps."""
    running = Running(change(binary(LINKED)))
    assert running.call("run", arguments=(21,)) == 42
    assert running.call("words", "shout", arguments=("schön",)) == "SCHÖN"
    assert running.call("next") == 1024
    running.call("open")
    assert running.dropped == [5]
    with pytest.raises(wasmtime.WasmtimeError, match="uninitialized element"):
        running.call("wild")


def test_one_module_is_left_beside_shim_and_fix_up(tmp_path: Path) -> None:
    """It has what is needed, the table defined, and an independent validator takes it."""
    wasm = packed_component(binary(LINKED))
    shim, fused, fix_up = cores(wasm)
    assert len(cores(binary(LINKED))) == 4
    assert len(read_core_module(fused).functions) == 7
    assert TABLE in read_core_module(fused).sections
    assert len(read_core_module(shim).functions) == 1
    assert len(read_core_module(fix_up).imports) == 2
    file = tmp_path / "packed.wasm"
    file.write_bytes(wasm)
    subprocess.run([TOOL, "validate", file], check=True)


def test_custom_sections_stay_but_names_by_index() -> None:
    """Who made a component is still told; names of definitions would name others."""
    customs = b"\0\x0a\x09producers" + b"\0\x0f\x0ecomponent-name"
    packed = packed_component(binary(LINKED) + customs)
    found = [packed[start:stop] for number, start, stop in sections(packed) if number == 0]
    assert found == [b"\x09producers"]


def test_asynchronous_functions_are_packed(engine: Engine) -> None:
    """Built-ins with a memory come after the instance, callbacks and `task.return` stay."""
    text = component(
        """
        (func (export "start") (result i32)
          (i32.store8 (i32.const 8) (i32.const 33))
          (call $context.set (i32.const 9))
          (i32.const 1))
        (func (export "callback") (param i32 i32 i32) (result i32)
          (drop (call $stream.new))
          (drop (call $set.poll (call $set.new) (i32.const 16)))
          (call $task.return-u32 (i32.add (call $context.get) (i32.load8_u (i32.const 8))))
          (i32.const 0))""",
        """
        (func (export "run") async (result u32)
          (canon lift (core func $i "start") async (callback (core func $i "callback"))))""",
    )
    packed = packed_component(binary(text))
    assert len(cores(packed)) == 3
    for source in (text, packed):
        with instance_of(engine, source) as instance:
            assert instance.call(None, "run") == 42


NESTED = """(component
  (component $c (core module $m (func (export "f"))) (core instance $i (instantiate $m))
    (func (export "f") (canon lift (core func $i "f"))))
  (instance $i (instantiate $c)) (export "f" (func $i "f")))"""

STARTING = """(component
  (core module $m (func $go) (start $go) (func (export "f"))) (core instance $i (instantiate $m))
  (func (export "f") (canon lift (core func $i "f"))))"""

DESTROYING = """(component
  (core module $m (func (export "f") (param i32)))
  (core instance $i (instantiate $m))
  (func (export "f") (param "x" u32) (canon lift (core func $i "f")))
  (type $r (resource (rep i32) (dtor (core func $i "f"))))
  (export "r" (type $r)))"""

EXPORTING = """(component
  (core module $m (func (export "f"))) (core instance $i (instantiate $m))
  (func (export "f") (canon lift (core func $i "f")))
  (export "m" (core module $m)))"""


@pytest.mark.parametrize(
    "wasm",
    [
        pytest.param(binary(NESTED), id="an instance of its own"),
        pytest.param(binary(STARTING), id="a start function"),
        pytest.param(binary(DESTROYING), id="a destructor"),
        pytest.param(binary(EXPORTING), id="an exported module"),
        pytest.param(binary("(component)"), id="no core module"),
        pytest.param(binary("(module)"), id="a core module"),
        pytest.param(COMPONENT + b"garbage", id="garbage"),
        pytest.param(binary(LINKED)[:-9], id="cut short"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_other_shapes_come_back_as_they_are(wasm: bytes) -> None:
    """Byte for byte."""
    assert packed_component(wasm) == wasm


CANONICALS = [
    "00 00 05 02 03 01 04 02 07",
    "00 00 85 01 04 02 06 07 03 05 04 40",
    "01 00 03 03 00 01 04 90 01",
    "02 03",
    "03 c0 01",
    "04 7f",
    "05",
    "06 01",
    "09 01 00 00",
    "09 00 79 01 03 00",
    "09 00 05 00",
    "09 00 c0 00 00",
    "0a 7f 01",
    "0b 7e 00",
    "0c 01",
    "0d",
    "0e 04",
    "0f 04 02 03 00 06",
    "11 04 01",
    "14 04",
    "17 04 01 03 02",
    "19 04 00",
    "1c 01 03 00",
    "1e",
    "1f",
    "20 01 05",
    "21 00 05",
    "24",
]


@pytest.mark.parametrize("code", CANONICALS)
def test_canonical_definitions_are_written_as_they_are_read(code: str) -> None:
    """Of every form: numbers, options, flags, memories and results."""
    data = bytes.fromhex(code)
    cursor = Cursor(data)
    assert canonical_bytes(read_canonical(cursor)) == data
    assert cursor.at == len(data)
