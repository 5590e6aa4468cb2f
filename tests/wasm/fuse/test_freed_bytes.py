"""Calls that free what componentize-py copied for them: those, once, and no others."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from edgezero_spin.host.errors import WitError
from edgezero_spin.host.runtime.component_loading import load_component
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from edgezero_spin.host.runtime.interface import HostFunction, Interface
from edgezero_spin.host.runtime.linking import link
from edgezero_spin.wasm.component.linked import CoreExport
from edgezero_spin.wasm.component.linking import link as link_component
from edgezero_spin.wasm.component.reader import read_component
from edgezero_spin.wasm.fuse.freed_bytes import with_freed_bytes
from edgezero_spin.wasm.fuse.packing import packed_component
from tests.host.runtime.wat import HOST, State

IMPORTED = f"{HOST}@0.2.9"

# As componentize-py joins them: libc, the runtime, the bindings that call the imports through
# stubs under names with an older version, and what fills the stubs in. libc calls an import of
# its own accord, too. `free` keeps a list of what it was given, from address 1024 on.
LINKED = """
(component
  (import "{host}@0.2.9" (instance $host
    (type $problem-shape (variant (case "other" string) (case "gone")))
    (export "problem" (type $problem (eq $problem-shape)))
    (export "send" (func (param "to" string) (param "data" (list u8)) (param "more" (list u8))
      (result (result (error $problem)))))
    (export "count" (func (param "data" (list u8)) (result u32)))
    (export "name" (func (param "text" string) (param "numbers" (list u32))))
    (export "log" (func (param "data" (list u8))))))
  (core module $stubs
    (type $send (func (param i32 i32 i32 i32 i32 i32 i32)))
    (type $count (func (param i32 i32) (result i32)))
    (type $name (func (param i32 i32 i32 i32)))
    (type $log (func (param i32 i32)))
    (table (export "$imports") 4 4 funcref)
    (func (export "0") (type $send) (call_indirect (type $send)
      (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
      (local.get 6) (i32.const 0)))
    (func (export "1") (type $count) (call_indirect (type $count)
      (local.get 0) (local.get 1) (i32.const 1)))
    (func (export "2") (type $name) (call_indirect (type $name)
      (local.get 0) (local.get 1) (local.get 2) (local.get 3) (i32.const 2)))
    (func (export "3") (type $log) (call_indirect (type $log)
      (local.get 0) (local.get 1) (i32.const 3))))
  (core module $libc
    (import "{host}@0.2.0" "log" (func $log (param i32 i32)))
    (memory (export "memory") 1)
    (global $freed (mut i32) (i32.const 0))
    (data (i32.const 16) "tostart and stop")
    (func (export "free") (param i32)
      (i32.store (i32.add (i32.const 1024) (i32.shl (global.get $freed) (i32.const 2)))
        (local.get 0))
      (global.set $freed (i32.add (global.get $freed) (i32.const 1))))
    (func (export "freed") (result i32) (global.get $freed))
    (func (export "nth") (param i32) (result i32)
      (i32.load (i32.add (i32.const 1024) (i32.shl (local.get 0) (i32.const 2)))))
    (func (export "write") (call $log (i32.const 16) (i32.const 2))))
  (core module $runtime
    (import "env" "free" (func (param i32)))
    (func (export "{marker}"))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 512)))
  (core module $bindings
    (import "env" "{marker}" (func))
    (import "env" "memory" (memory 0))
    (import "{host}@0.2.0" "send" (func $send (param i32 i32 i32 i32 i32 i32 i32)))
    (import "{host}@0.2.0" "count" (func $count (param i32 i32) (result i32)))
    (import "{host}@0.2.0" "name" (func $name (param i32 i32 i32 i32)))
    (func (export "send") (result i32)
      (call $send (i32.const 16) (i32.const 2) (i32.const 18) (i32.const 5)
        (i32.const 28) (i32.const 4) (i32.const 64))
      (i32.load8_u (i32.const 64)))
    (func (export "count") (result i32) (call $count (i32.const 18) (i32.const 5)))
    (func (export "name") (call $name (i32.const 16) (i32.const 2) (i32.const 20) (i32.const 1)))
)
  (core module $filler
    (import "" "$imports" (table 4 4 funcref))
    (import "" "0" (func $send (param i32 i32 i32 i32 i32 i32 i32)))
    (import "" "1" (func $count (param i32 i32) (result i32)))
    (import "" "2" (func $name (param i32 i32 i32 i32)))
    (import "" "3" (func $log (param i32 i32)))
    (elem (i32.const 0) func $send $count $name $log))

  (core instance $stubs (instantiate $stubs))
  (core instance $libc (instantiate $libc
    (with "{host}@0.2.0" (instance (export "log" (func $stubs "3"))))))
  (core instance $runtime (instantiate $runtime
    (with "env" (instance (export "free" (func $libc "free"))))))
  (core instance $bindings (instantiate $bindings
    (with "env" (instance
      (export "{marker}" (func $runtime "{marker}"))
      (export "memory" (memory $libc "memory"))))
    (with "{host}@0.2.0" (instance
      (export "send" (func $stubs "0"))
      (export "count" (func $stubs "1"))
      (export "name" (func $stubs "2"))))))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $runtime "cabi_realloc" (core func $realloc))
  (core func $send (canon lower (func $host "send") (memory $memory) (realloc $realloc)))
  (core func $count (canon lower (func $host "count") (memory $memory)))
  (core func $name (canon lower (func $host "name") (memory $memory)))
  (core func $log (canon lower (func $host "log") (memory $memory)))
  (core instance (instantiate $filler (with "" (instance
    (export "$imports" (table $stubs "$imports"))
    (export "0" (func $send))
    (export "1" (func $count))
    (export "2" (func $name))
    (export "3" (func $log))))))

  (func (export "send") (result u32) (canon lift (core func $bindings "send")))
  (func (export "count") (result u32) (canon lift (core func $bindings "count")))
  (func (export "name") (canon lift (core func $bindings "name")))
  (func (export "write") (canon lift (core func $libc "write")))
  (func (export "freed") (result u32) (canon lift (core func $libc "freed")))
  (func (export "nth") (param "n" u32) (result u32) (canon lift (core func $libc "nth"))))
"""


def linked(marker: str = "wit_dylib_dealloc_bytes") -> bytes:
    """Return the component above."""
    text = LINKED.replace("{host}", HOST).replace("{marker}", marker)
    return bytes(wasmtime.wat2wasm(text))


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine without a pool: these components are tiny."""
    with make_engine(EngineSettings(pooling=False)) as engine:
        yield engine


@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize(
    ("function", "returned", "seen", "freed"),
    [
        pytest.param("send", 1, ["to", b"start", b"stop"], [18, 28], id="two of three"),
        pytest.param("count", 7, [b"start"], [18], id="with a result of its own"),
        pytest.param(
            "name", None, ["to", [int.from_bytes(b"art ", "little")]], [], id="text and numbers"
        ),
        pytest.param("write", None, [b"to"], [], id="what libc passes"),
    ],
)
def test_copies_of_bytes_are_freed_after_the_call(
    function: str,
    returned: object,
    seen: list[Any],
    freed: list[int],
    joined: bool,
    engine: Engine,
    tmp_path: Path,
) -> None:
    """The address of each, once; text, other lists and what libc passes have owners already.

    The host sees and returns what it did before, in bulk and without.
    """
    got: list[Any] = []

    def send(state: State, *arguments: Any) -> None:
        got.extend(arguments)
        raise WitError(("gone", None))

    def count(state: State, data: bytes) -> int:
        got.append(data)
        return 7

    functions: dict[str, HostFunction] = {
        "send": send,
        "count": count,
        "name": lambda state, *arguments: got.extend(arguments),
        "log": lambda state, data: got.append(data),
    }
    path = tmp_path / "linked.wasm"
    path.write_bytes(packed_component(linked(), frees_bytes=True))
    component = load_component(engine, path, joined=joined)
    joined_to = link(engine, component, {IMPORTED: Interface(IMPORTED, functions)})
    with joined_to.instantiate(State()) as instance:
        assert instance.call(None, function) == returned
        count_freed = instance.call(None, "freed")
        assert [instance.call(None, "nth", n) for n in range(count_freed)] == freed
    assert got == seen


@pytest.mark.parametrize(
    "component",
    [
        pytest.param(linked(marker="other"), id="another runtime"),
        pytest.param(bytes(wasmtime.wat2wasm("(component)")), id="nothing in it"),
    ],
)
def test_other_components_come_back_as_they_are(component: bytes) -> None:
    """Nothing is put in, and nothing is called otherwise."""
    plain = link_component(read_component(component))
    freed, renaming = with_freed_bytes(plain)
    assert freed is plain
    assert renaming.export(CoreExport(3, "f")) == CoreExport(3, "f")
