"""Streams, futures and waitable sets between synchronous tasks of one instance."""

import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import wasmtime

from edgezero_spin.host.errors import GuestTrapped
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from edgezero_spin.host.runtime.handles import ComponentInstance
from edgezero_spin.host.runtime.prepared import Imports, PreparedComponent
from edgezero_spin.host.runtime.streams import COMPLETED, MAX_PIECE, Shared
from edgezero_spin.wasm.component.linking import link
from edgezero_spin.wasm.component.reader import read_component
from edgezero_spin.wasm.component.types import Primitive, StreamType
from tests.host.runtime.wat import State


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine without a pool."""
    with make_engine(EngineSettings(pooling=False)) as engine:
        yield engine


def guest(body: str) -> str:
    """Return a component whose ``run`` executes this code, with the built-ins at hand."""
    return f"""(component
  (type $s (stream u32)) (type $f (future u8))
  (core module $memory (memory (export "m") 1))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "m" (core memory $m))
  (core func $new (canon stream.new $s))
  (core func $read (canon stream.read $s async (memory $m)))
  (core func $write (canon stream.write $s async (memory $m)))
  (core func $wait-read (canon stream.read $s (memory $m)))
  (core func $cancel (canon stream.cancel-read $s async))
  (core func $drop-r (canon stream.drop-readable $s))
  (core func $drop-w (canon stream.drop-writable $s))
  (core func $new-f (canon future.new $f))
  (core func $drop-fw (canon future.drop-writable $f))
  (core func $set (canon waitable-set.new))
  (core func $drop-set (canon waitable-set.drop))
  (core func $join (canon waitable.join))
  (core func $poll (canon waitable-set.poll (memory $m)))
  (core func $wait (canon waitable-set.wait (memory $m)))
  (core func $less (canon backpressure.dec))
  (core module $main
    (import "m" "m" (memory 1))
    (import "" "new" (func $new (result i64)))
    (import "" "read" (func $read (param i32 i32 i32) (result i32)))
    (import "" "write" (func $write (param i32 i32 i32) (result i32)))
    (import "" "wait-read" (func $wait-read (param i32 i32 i32) (result i32)))
    (import "" "cancel" (func $cancel (param i32) (result i32)))
    (import "" "drop-r" (func $drop-r (param i32)))
    (import "" "drop-w" (func $drop-w (param i32)))
    (import "" "new-f" (func $new-f (result i64)))
    (import "" "drop-fw" (func $drop-fw (param i32)))
    (import "" "set" (func $set (result i32)))
    (import "" "drop-set" (func $drop-set (param i32)))
    (import "" "join" (func $join (param i32 i32)))
    (import "" "poll" (func $poll (param i32 i32) (result i32)))
    (import "" "wait" (func $wait (param i32 i32) (result i32)))
    (import "" "less" (func $less))
    (func (export "run") (result i32) (local $r i32) (local $w i32) (local $both i64)
      (local.set $both (call $new))
      (local.set $r (i32.wrap_i64 (local.get $both)))
      (local.set $w (i32.wrap_i64 (i64.shr_u (local.get $both) (i64.const 32))))
      {body}))
  (core instance $i (instantiate $main (with "m" (instance $memory)) (with "" (instance
    (export "new" (func $new)) (export "read" (func $read)) (export "write" (func $write))
    (export "wait-read" (func $wait-read)) (export "cancel" (func $cancel))
    (export "drop-r" (func $drop-r)) (export "drop-w" (func $drop-w))
    (export "new-f" (func $new-f)) (export "drop-fw" (func $drop-fw))
    (export "set" (func $set)) (export "drop-set" (func $drop-set))
    (export "join" (func $join)) (export "poll" (func $poll)) (export "wait" (func $wait))
    (export "less" (func $less))))))
  (func (export "run") (result u32) (canon lift (core func $i "run"))))"""


def run(engine: Engine, body: str, *, element: str = "u32", pages: int = 1) -> object:
    """Run a guest with streams of an element and so much memory; return its result."""
    text = guest(body).replace("(stream u32)", f"(stream {element})")
    wasm = bytes(wasmtime.wat2wasm(text.replace('(export "m") 1)', f'(export "m") {pages})')))
    component = PreparedComponent(
        engine,
        link(read_component(wasm)),
        Imports(),
        lambda module: wasmtime.Module(engine.native, module),
    )
    with component.instantiate(State()) as instance:
        return instance.call(None, "run")


PENDING = "(drop (call $read (local.get $r) (i32.const 16) (i32.const 4)))"
"""A read of four numbers to address 16 that pends."""


@pytest.mark.parametrize(
    ("body", "result"),
    [
        pytest.param(
            "(call $read (local.get $r) (i32.const 16) (i32.const 4))", 0xFFFF_FFFF, id="pends"
        ),
        pytest.param(
            f"""{PENDING} (i32.store (i32.const 64) (i32.const 7))
            (drop (call $write (local.get $w) (i32.const 64) (i32.const 1)))
            (i32.load (i32.const 16))""",
            7,
            id="copied from end to end",
        ),
        pytest.param(
            """(drop (call $read (local.get $r) (i32.const 68) (i32.const 2)))
            (i64.store (i32.const 64) (i64.const 0x300000004))
            (drop (call $write (local.get $w) (i32.const 64) (i32.const 2)))
            (i32.load (i32.const 72))""",
            3,
            id="copied within itself",
        ),
        pytest.param(
            f"{PENDING} (call $write (local.get $w) (i32.const 64) (i32.const 9))",
            4 << 4,
            id="the later side completes with what there was room for",
        ),
        pytest.param(
            f"""{PENDING} (call $join (local.get $r) (call $set))
            (drop (call $write (local.get $w) (i32.const 64) (i32.const 1)))
            (drop (call $write (local.get $w) (i32.const 64) (i32.const 2)))
            (if (i32.ne (call $poll (i32.const 3) (i32.const 96)) (i32.const 2))
              (then (unreachable)))
            (i32.load (i32.const 100))""",
            3 << 4,
            id="one event for all that was copied until it is delivered",
        ),
        pytest.param("(call $poll (call $set) (i32.const 96))", 0, id="no event in an empty set"),
        pytest.param(f"{PENDING} (call $cancel (local.get $r))", 2, id="cancelled"),
        pytest.param(
            """(call $drop-w (local.get $w))
            (call $read (local.get $r) (i32.const 16) (i32.const 1))""",
            1,
            id="the writer is gone",
        ),
    ],
)
def test_results(engine: Engine, body: str, result: int) -> None:
    """What reads, writes and polls return."""  # CA-5, CA-6, CA-16, CA-50, CA-53
    assert run(engine, body) == result


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param(f"{PENDING} {PENDING}", "concurrent operations", id="busy"),
        pytest.param(
            f"{PENDING} (call $drop-r (local.get $r))", "cannot remove busy stream", id="drop busy"
        ),
        pytest.param(
            f"(call $drop-w (local.get $w)) {PENDING} {PENDING}",
            "after being notified that the writable end dropped",
            id="done",
        ),
        pytest.param(
            "(drop (call $read (local.get $w) (i32.const 16) (i32.const 1)))",
            "handle index 2 used with the wrong type",
            id="wrong end",
        ),
        pytest.param(
            "(drop (call $read (local.get $r) (i32.const 2) (i32.const 1)))",
            "pointer not aligned",
            id="unaligned",
        ),
        pytest.param(
            "(drop (call $read (local.get $r) (i32.const 65532) (i32.const 2)))",
            "out of bounds",
            id="out of bounds",
        ),
        pytest.param(
            "(drop (call $read (local.get $r) (i32.const 0) (i32.const 0x10000000)))",
            "read/write count too large",
            id="too many",
        ),
        pytest.param(
            "(drop (call $cancel (local.get $r)))", "when no read is pending", id="not pending"
        ),
        pytest.param(
            "(call $join (local.get $r) (call $set)) (call $drop-set (i32.const 3))",
            "resource has children",
            id="set with members",
        ),
        pytest.param(
            "(call $drop-fw (i32.wrap_i64 (i64.shr_u (call $new-f) (i64.const 32))))",
            "without first writing a value",
            id="unwritten future",
        ),
        pytest.param(
            "(drop (call $wait-read (local.get $r) (i32.const 16) (i32.const 1)))",
            "cannot block a synchronous task",
            id="read that waits",
        ),
        pytest.param(
            "(drop (call $wait (call $set) (i32.const 96)))",
            "cannot block a synchronous task",
            id="wait",
        ),
        pytest.param("(call $less)", "backpressure counter overflow", id="backpressure"),
    ],
)
def test_traps(engine: Engine, body: str, says: str) -> None:
    """What a guest must not do, named."""
    # TR-7, TR-10, TR-12, TR-14, TR-18 to TR-21, TR-24, TR-26
    with pytest.raises(GuestTrapped, match=says):
        run(engine, f"{body} (i32.const 0)")


@pytest.mark.parametrize(
    ("element", "count"),
    [
        pytest.param("", (1 << 28) - 1, id="elements without values"),
        pytest.param("u32", 1 << 22, id="numbers"),
    ],
)
def test_a_copy_between_guests_makes_no_objects(engine: Engine, element: str, count: int) -> None:
    """However many elements go at once, the host holds no more than their bytes."""
    body = f"""(drop (call $read (local.get $r) (i32.const 0x2000000) (i32.const {count})))
        (call $write (local.get $w) (i32.const 0) (i32.const {count}))"""
    tracemalloc.start()
    try:
        assert run(engine, body, element=element, pages=1024) == count << 4
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 24 << 20


class _Guest:
    """A guest's side of a copy, without a guest."""

    of_host = False
    is_empty = False
    takes = None

    def __init__(self, remaining: int) -> None:
        self.component: ComponentInstance | None = ComponentInstance(1)
        self.remaining = remaining
        self.pieces: list[int] = []
        self.results: list[int] = []

    def take(self, count: int, *, to_host: bool) -> Any:
        """Return so many elements."""
        self.remaining -= count
        return ["text"] * count

    def put(self, items: Any, *, from_host: bool) -> None:
        """Note how many elements came."""
        self.remaining -= len(items)
        self.pieces.append(len(items))

    def copied(self, reclaim: Callable[[], None]) -> None:
        """Do nothing."""

    def done(self, result: int) -> None:
        """Note the result."""
        self.results.append(result)


def test_other_elements_go_in_pieces() -> None:
    """All of them are copied at once as the guests see it."""
    stream = Shared(StreamType(Primitive.STRING))
    reader, writer = _Guest(2 * MAX_PIECE + 10), _Guest(2 * MAX_PIECE + 1)
    stream.read(reader)
    stream.write(writer)
    assert reader.pieces == [MAX_PIECE, MAX_PIECE, 1]
    assert (reader.remaining, writer.remaining, writer.results) == (9, 0, [COMPLETED])
