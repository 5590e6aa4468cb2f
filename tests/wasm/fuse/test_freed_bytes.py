"""Copies that componentize-py makes for a call: handed over to be freed, those and no others."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import wasmtime

from edgezero_spin.host.runtime.component_loading import load_component
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from edgezero_spin.host.runtime.linking import link
from edgezero_spin.wasm.component.linked import CoreExport
from edgezero_spin.wasm.component.linking import link as link_component
from edgezero_spin.wasm.component.reader import read_component
from edgezero_spin.wasm.fuse.freed_bytes import with_freed_bytes
from edgezero_spin.wasm.fuse.packing import packed_component
from tests.host.runtime.wat import State

# As componentize-py joins them: libc, the runtime, and the bindings that lower values with its
# help. Lists of type 0 are bytes, which it has copied to address 4096; others are lowered one
# element after the other. Each call of `wit_dylib_dealloc_bytes` is written down from 1024 on.
LINKED = """
(component
  (core module $libc (memory (export "memory") 1))
  (core module $runtime
    (import "env" "memory" (memory 0))
    (global $noted (mut i32) (i32.const 1024))
    (func $note (param i32)
      (i32.store (global.get $noted) (local.get 0))
      (global.set $noted (i32.add (global.get $noted) (i32.const 4))))
    (func (export "{pop_list}") (param $context i32) (param $type i32) (param $at i32)
      (result i32)
      (i32.store (local.get $at)
        (select (i32.const 0) (i32.const 4096) (local.get $type)))
      (i32.add (local.get $context) (i32.const -100)))
    (func (export "wit_dylib_dealloc_bytes") (param i32 i32 i32 i32 i32)
      (call $note (local.get 0)) (call $note (local.get 1)) (call $note (local.get 2))
      (call $note (local.get 3)) (call $note (local.get 4)))
    (func (export "noted") (result i32)
      (i32.shr_u (i32.sub (global.get $noted) (i32.const 1024)) (i32.const 2)))
    (func (export "nth") (param i32) (result i32)
      (i32.load (i32.add (i32.const 1024) (i32.shl (local.get 0) (i32.const 2))))))
  (core module $bindings
    (import "env" "{pop_list}" (func $pop_list (param i32 i32 i32) (result i32)))
    (import "env" "wit_dylib_dealloc_bytes" (func (param i32 i32 i32 i32 i32)))
    (import "env" "memory" (memory 0))
    (func (export "lower") (param $type i32) (param $count i32) (result i32)
      (i32.add
        (i32.mul (i32.const 10000)
          (call $pop_list
            (i32.add (local.get $count) (i32.const 100)) (local.get $type) (i32.const 8)))
        (i32.load (i32.const 8)))))

  (core instance $libc (instantiate $libc))
  (core instance $runtime (instantiate $runtime
    (with "env" (instance (export "memory" (memory $libc "memory"))))))
  (core instance $bindings (instantiate $bindings (with "env" (instance
    (export "{pop_list}" (func $runtime "{pop_list}"))
    (export "wit_dylib_dealloc_bytes" (func $runtime "wit_dylib_dealloc_bytes"))
    (export "memory" (memory $libc "memory"))))))

  (func (export "lower") (param "type" u32) (param "count" u32) (result u32)
    (canon lift (core func $bindings "lower")))
  (func (export "noted") (result u32) (canon lift (core func $runtime "noted")))
  (func (export "nth") (param "n" u32) (result u32) (canon lift (core func $runtime "nth"))))
"""


def linked(pop_list: str = "wit_dylib_pop_list") -> bytes:
    """Return the component above."""
    return bytes(wasmtime.wat2wasm(LINKED.replace("{pop_list}", pop_list)))


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine without a pool: these components are tiny."""
    with make_engine(EngineSettings(pooling=False)) as engine:
        yield engine


@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize(
    ("type_", "count", "returned", "handed_over"),
    [
        pytest.param(0, 5, 5_4096, [105, 4096, 5, 1, 1], id="bytes"),
        pytest.param(0, 0, 4096, [100, 4096, 0, 1, 1], id="no bytes"),
        pytest.param(1, 7, 7_0000, [], id="another list"),
    ],
)
def test_copies_are_handed_over_with_the_call(
    type_: int,
    count: int,
    returned: int,
    handed_over: list[int],
    joined: bool,
    engine: Engine,
    tmp_path: Path,
) -> None:
    """Context, address, length, alignment, "later"; the bindings get what they got before.

    What they hand over themselves is left to them.
    """
    path = tmp_path / "linked.wasm"
    path.write_bytes(packed_component(linked(), frees_bytes=True))
    component = load_component(engine, path, joined=joined)
    with link(engine, component, {}).instantiate(State()) as instance:
        assert instance.call(None, "lower", type_, count) == returned
        noted = instance.call(None, "noted")
        assert [instance.call(None, "nth", n) for n in range(noted)] == handed_over


@pytest.mark.parametrize(
    "component",
    [
        pytest.param(linked(pop_list="other"), id="another runtime"),
        pytest.param(bytes(wasmtime.wat2wasm("(component)")), id="nothing in it"),
    ],
)
def test_other_components_come_back_as_they_are(component: bytes) -> None:
    """Nothing is put in, and nothing is called otherwise."""
    plain = link_component(read_component(component))
    freed, renaming = with_freed_bytes(plain)
    assert freed is plain
    assert renaming.export(CoreExport(3, "f")) == CoreExport(3, "f")
