"""Slots of memories: what stays the kernel's own copy between two instances."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from edgezero_spin.host.runtime.instance import Instance
from edgezero_spin.host.runtime.native import memory_data
from edgezero_spin.host.runtime.prepared import PreparedComponent
from tests.host.runtime.wat import instance_of, linked_to

PAGE = 4096
PAGES = 512
"""Pages of the memory that begin with data."""

TEXT = f"""
(component
  (core module $module
    (memory (export "memory") 64)
    (data (i32.const 0) "{"0123456789abcdef" * (PAGE // 16 * PAGES)}")
    (func (export "run") (param i32) (result i32)
      (i32.store (local.get 0) (i32.add (i32.load (local.get 0)) (i32.const 1)))
      (i32.load (local.get 0)))
    (func (export "text") (result i32)
      (i32.store (i32.const 8) (i32.const 16))
      (i32.store (i32.const 12) (i32.const 4))
      (i32.const 8)))
  (core instance $core (instantiate $module))
  (func (export "run") (param "at" u32) (result u32) (canon lift (core func $core "run")))
  (func (export "text") (result string)
    (canon lift (core func $core "text") (memory (core memory $core "memory")))))
"""
"""``run`` adds one to the word at an address and returns it."""


@pytest.fixture(scope="module")
def pooled() -> Iterator[Engine]:
    """An engine with one slot, which scans what was written where this machine can."""
    with make_engine(EngineSettings(max_instances=1)) as engine:
        yield engine


@pytest.fixture
def linked(pooled: Engine, tmp_path: Path) -> PreparedComponent:
    """A component with 2 MiB of data."""
    return linked_to(pooled, tmp_path, TEXT, {})


def private_pages(instance: Instance) -> int:
    """Count pages of the data that are copies of the process's own."""
    (source,) = instance._prepared.memories
    address = memory_data(instance.context, instance.export_address(source))
    with Path("/proc/self/pagemap").open("rb", buffering=0) as file:
        file.seek(address // PAGE * 8)
        entries = struct.unpack(f"<{PAGES}Q", file.read(8 * PAGES))
    present, of_file = 1 << 63, 1 << 61
    return sum(entry & present != 0 and entry & of_file == 0 for entry in entries)


def test_an_end_copies_no_page_that_was_not_written(
    pooled: Engine, linked: PreparedComponent
) -> None:
    """After ten instances that wrote two pages each, the slot has copies of about as many."""
    if pooled.slots is None:
        pytest.skip("the engine does not scan pages here")
    for _ in range(10):
        with instance_of(linked) as instance:
            instance.call(None, "run", PAGE * 100)
            instance.call(None, "run", PAGE * 300)
    with instance_of(linked) as instance:
        assert private_pages(instance) <= 16


def test_each_instance_begins_with_the_data(pooled: Engine, linked: PreparedComponent) -> None:
    """What one instance wrote is not there for the next one, in any part of the memory."""
    places = [0, PAGE * 7, PAGE * (PAGES - 1), PAGE * PAGES, PAGE * 900]
    found = []
    for _ in range(3):
        with instance_of(linked) as instance:
            found.append([instance.call(None, "run", at) for at in places])
    (first, *others) = found
    assert first[0] == int.from_bytes(b"0123", "little") + 1
    assert first[-1] == 1
    assert others == [first, first]


def test_another_component_in_the_slot(pooled: Engine, tmp_path: Path) -> None:
    """Two components by turns in one slot see each their own data."""
    pair = []
    for name, text in (("a", TEXT), ("b", TEXT.replace("0123456789", "9876543210"))):
        folder = tmp_path / name
        folder.mkdir()
        pair.append(linked_to(pooled, folder, text, {}))
    seen = []
    for _ in range(3):
        for linked in pair:
            with instance_of(linked) as instance:
                seen.append(instance.call(None, "text"))
    assert seen == ["0123", "9876"] * 3
