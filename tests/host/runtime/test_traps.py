"""A guest that breaks a rule of the canonical ABI is stopped, and the host says which rule."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host.errors import GuestTrapped, InstanceError
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from edgezero_spin.host.runtime.interface import HostFunction
from tests.host.runtime.wat import HOST, MEMORY, State, linked_to


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine without a pool: these components are tiny."""
    with make_engine(EngineSettings(pooling=False)) as engine:
        yield engine


class Thing:
    """A resource of the host that notes when it is dropped."""

    def drop(self, state: State) -> None:
        """Note it."""
        state.seen.append("dropped")


FUNCTIONS: dict[str, HostFunction] = {
    "make": lambda state: Thing(),
    "look": lambda state, thing: None,
    "take": lambda state, thing: None,
    "both": lambda state, one, other: None,
    "both-borrowed-first": lambda state, one, other: None,
    "text": lambda state, text: state.seen.append(text),
    "list": lambda state, values: state.seen.append(values),
    "bytes": lambda state, values: state.seen.append(values),
    "nested": lambda state, values: state.seen.append([len(value) for value in values]),
    "char": lambda state, value: state.seen.append(value),
    "choice": lambda state, value: state.seen.append(value),
    "give": lambda state: "given",
}


def guest(body: str, realloc: str = "$realloc") -> str:
    """Return a component whose ``run`` executes this code, with the host's functions at hand."""
    return f"""(component
  (import "{HOST}" (instance $host
    (export "thing" (type $thing (sub resource)))
    (export "other" (type $other (sub resource)))
    (export "make" (func (result (own $thing))))
    (export "look" (func (param "x" (borrow $thing))))
    (export "take" (func (param "x" (own $thing))))
    (export "both" (func (param "x" (own $thing)) (param "y" (borrow $thing))))
    (export "both-borrowed-first" (func (param "x" (borrow $thing)) (param "y" (own $thing))))
    (export "text" (func (param "x" string)))
    (export "list" (func (param "x" (list u32))))
    (export "bytes" (func (param "x" (list u8))))
    (export "nested" (func (param "x" (list (list u8)))))
    (export "char" (func (param "x" char)))
    (export "choice" (func (param "x" (option u32))))
    (export "give" (func (result string)))))
  (alias export $host "thing" (type $thing))
  (alias export $host "other" (type $other))
  {MEMORY}
  (core module $bad-module
    (func (export "unaligned") (param i32 i32 i32 i32) (result i32) (i32.const 1025))
    (func (export "beyond") (param i32 i32 i32 i32) (result i32) (i32.const 65535)))
  (core instance $bad (instantiate $bad-module))
  (alias core export $bad "unaligned" (core func $unaligned))
  (alias core export $bad "beyond" (core func $beyond))
  (core func $make (canon lower (func $host "make")))
  (core func $look (canon lower (func $host "look")))
  (core func $take (canon lower (func $host "take")))
  (core func $both (canon lower (func $host "both")))
  (core func $borrowed-first (canon lower (func $host "both-borrowed-first")))
  (core func $text (canon lower (func $host "text") (memory $memory)))
  (core func $list (canon lower (func $host "list") (memory $memory)))
  (core func $bytes (canon lower (func $host "bytes") (memory $memory)))
  (core func $nested (canon lower (func $host "nested") (memory $memory)))
  (core func $char (canon lower (func $host "char")))
  (core func $choice (canon lower (func $host "choice")))
  (core func $give (canon lower (func $host "give") (memory $memory) (realloc {realloc})))
  (core func $drop (canon resource.drop $thing))
  (core func $drop-other (canon resource.drop $other))
  (core module $main-module
    (import "m" "memory" (memory 1))
    (import "h" "make" (func $make (result i32)))
    (import "h" "look" (func $look (param i32)))
    (import "h" "take" (func $take (param i32)))
    (import "h" "both" (func $both (param i32 i32)))
    (import "h" "borrowed-first" (func $borrowed-first (param i32 i32)))
    (import "h" "text" (func $text (param i32 i32)))
    (import "h" "list" (func $list (param i32 i32)))
    (import "h" "bytes" (func $bytes (param i32 i32)))
    (import "h" "nested" (func $nested (param i32 i32)))
    (import "h" "char" (func $char (param i32)))
    (import "h" "choice" (func $choice (param i32 i32)))
    (import "h" "give" (func $give (param i32)))
    (import "h" "drop" (func $drop (param i32)))
    (import "h" "drop-other" (func $drop-other (param i32)))
    (func (export "run") (local $h i32) {body}))
  (core instance $main (instantiate $main-module
    (with "m" (instance $memory-instance))
    (with "h" (instance
      (export "make" (func $make)) (export "look" (func $look)) (export "take" (func $take))
      (export "both" (func $both)) (export "borrowed-first" (func $borrowed-first))
      (export "text" (func $text)) (export "list" (func $list)) (export "bytes" (func $bytes))
      (export "nested" (func $nested)) (export "char" (func $char))
      (export "choice" (func $choice)) (export "give" (func $give))
      (export "drop" (func $drop)) (export "drop-other" (func $drop-other))))))
  (func (export "run") (canon lift (core func $main "run"))))"""


def run(engine: Engine, folder: Path, text: str) -> list[Any]:
    """Run a guest and return what the host's functions noted."""
    linked = linked_to(engine, folder, text, FUNCTIONS, {"thing": Thing, "other": Exception})
    state = State()
    with linked.instantiate(state) as instance:
        instance.call(None, "run")
    return state.seen


MADE = "(local.set $h (call $make))"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param("(call $look (i32.const 0))", "unknown handle index 0", id="index 0"),
        pytest.param("(call $look (i32.const 7))", "unknown handle index 7", id="unknown"),
        pytest.param("(call $take (i32.const -1))", "unknown handle index 4294967295", id="huge"),
        pytest.param(
            f"{MADE} (call $drop (local.get $h)) (call $drop (local.get $h))",
            "unknown handle index 1",
            id="dropped twice",
        ),
        pytest.param(
            f"{MADE} (call $take (local.get $h)) (call $look (local.get $h))",
            "unknown handle index 1",
            id="used after it was given away",
        ),
        pytest.param(
            f"{MADE} (call $drop-other (local.get $h))",
            "handle index 1 used with the wrong type",
            id="another type",
        ),
        pytest.param(
            f"{MADE} (call $both (local.get $h) (local.get $h))",
            "unknown handle index 1",
            id="lent after it was given away",
        ),
        pytest.param(
            f"{MADE} (call $borrowed-first (local.get $h) (local.get $h))",
            "cannot remove owned resource while borrowed",
            id="given away while lent",
        ),
        pytest.param(
            "(call $text (i32.const 65530) (i32.const 7))",
            "string content out-of-bounds",
            id="text past the end",
        ),
        pytest.param(
            "(call $text (i32.const -1) (i32.const 2))",
            "string content out-of-bounds",
            id="text at the last address",
        ),
        pytest.param(
            "(call $bytes (i32.const 0) (i32.const -1))", "128 MiB", id="more bytes than may cross"
        ),
        pytest.param(
            "(call $list (i32.const 65532) (i32.const 2))",
            "list content out-of-bounds",
            id="list past the end",
        ),
        pytest.param(
            "(call $list (i32.const 2) (i32.const 1))", "unaligned pointer", id="unaligned list"
        ),
        pytest.param(
            """(i32.store (i32.const 8) (i32.const 65535)) (i32.store (i32.const 12) (i32.const 2))
            (call $nested (i32.const 8) (i32.const 1))""",
            "list content out-of-bounds",
            id="inner list past the end",
        ),
        pytest.param(
            "(i32.store8 (i32.const 0) (i32.const 255)) (call $text (i32.const 0) (i32.const 1))",
            "invalid utf-8",
            id="no UTF-8",
        ),
        pytest.param("(call $char (i32.const 0xd800))", "invalid `char`", id="surrogate"),
        pytest.param("(call $char (i32.const 0x110000))", "invalid `char`", id="no code point"),
        pytest.param(
            "(call $choice (i32.const 2) (i32.const 0))",
            "invalid variant discriminant",
            id="unknown case",
        ),
        pytest.param("(call $give (i32.const 2))", "unaligned pointer", id="unaligned result"),
        pytest.param("(call $give (i32.const 65532))", "out of bounds", id="result past the end"),
    ],
)
def test_a_broken_rule(engine: Engine, tmp_path: Path, body: str, says: str) -> None:
    """Nothing outside the guest's memory is read or written, and the rule is named."""
    # CA-8, TR-11, TR-12, TR-26, TR-27, TR-28
    with pytest.raises(GuestTrapped) as caught:
        run(engine, tmp_path, guest(body))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("realloc", "says"),
    [("$unaligned", None), ("$beyond", "realloc return: beyond end of memory")],
)
def test_what_realloc_returns_is_checked(
    engine: Engine, tmp_path: Path, realloc: str, says: str | None
) -> None:
    """Text needs no alignment; an address whose text would end past the memory is a trap."""
    text = guest("(call $give (i32.const 16))", realloc)
    if says is None:
        run(engine, tmp_path, text)
        return
    with pytest.raises(GuestTrapped, match=says):
        run(engine, tmp_path, text)


def test_lists_that_overlap_are_bounded(engine: Engine, tmp_path: Path) -> None:
    """A guest of 64 KiB cannot make the host hold gigabytes by naming the same bytes often."""
    fill = """(local.set $h (i32.const 0))
      (loop $on
        (i32.store (local.get $h) (i32.const 0))
        (i32.store (i32.add (local.get $h) (i32.const 4)) (i32.const 65536))
        (local.set $h (i32.add (local.get $h) (i32.const 8)))
        (br_if $on (i32.lt_u (local.get $h) (i32.const 32768))))
      (call $nested (i32.const 0) (i32.const 4096))"""
    with pytest.raises(GuestTrapped, match="128 MiB"):
        run(engine, tmp_path, guest(fill))


def test_memory_that_grows_is_seen(engine: Engine, tmp_path: Path) -> None:
    """What a guest writes after it grew its memory arrives."""
    body = """(call $bytes (i32.const 0) (i32.const 4))
      (drop (memory.grow (i32.const 1)))
      (i32.store (i32.const 131068) (i32.const 0x04030201))
      (call $bytes (i32.const 131068) (i32.const 4))"""
    assert run(engine, tmp_path, guest(body)) == [bytes(4), b"\1\2\3\4"]


def test_indices_are_used_again(engine: Engine, tmp_path: Path) -> None:
    """The index freed last is the next one, and each resource is dropped once."""  # CA-8
    body = f"""{MADE} (call $drop (local.get $h))
      (if (i32.ne (call $make) (local.get $h)) (then (unreachable)))
      (if (i32.ne (call $make) (i32.const 2)) (then (unreachable)))"""
    assert run(engine, tmp_path, guest(body)) == ["dropped"] * 3


def test_an_instance_that_trapped_is_not_called_again(engine: Engine, tmp_path: Path) -> None:
    """Its memory may be in any state."""
    linked = linked_to(engine, tmp_path, guest("(unreachable)"), FUNCTIONS, {"thing": Thing})
    with linked.instantiate(State()) as instance:
        with pytest.raises(GuestTrapped) as caught:
            instance.call(None, "run")
        assert "unreachable" in str(caught.value)
        assert "wasm backtrace" in caught.value.backtrace
        with pytest.raises(InstanceError, match="stopped in an earlier call"):
            instance.call(None, "run")


FRAMES = """(component
  (core module $m
    (func $_ZN4core9panicking5panic17h0123456789abcdefE (unreachable))
    (func $_RNvNtCs1234_7mycrate3foo3bar
      (call $_ZN4core9panicking5panic17h0123456789abcdefE) (nop))
    (func $_ZN6Basket3addEi (call $_RNvNtCs1234_7mycrate3foo3bar) (nop))
    (func (export "run") (call $_ZN6Basket3addEi) (nop)))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))"""


def test_frames_have_the_names_of_their_language(engine: Engine, tmp_path: Path) -> None:
    """Rust's of both kinds and C++'s are demangled, in a fused module as well."""
    with (
        linked_to(engine, tmp_path, FRAMES, {}).instantiate(State()) as instance,
        pytest.raises(GuestTrapped) as raised,
    ):
        instance.call(None, "run")
    assert raised.value.message == "wasm trap: wasm `unreachable` instruction executed"
    names = re.findall(r"\d+: +0x[0-9a-f]+ - (.*)", raised.value.backtrace)
    assert names[:3] == ["core::panicking::panic", "mycrate::foo::bar", "Basket::add(int)"]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("(unreachable)", "wasm `unreachable` instruction executed"),
        ("(drop (i32.load (i32.const -1)))", "out of bounds memory access"),
        ("(drop (i32.div_u (i32.const 1) (i32.const 0)))", "integer divide by zero"),
        ("(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))", "integer overflow"),
        ("(drop (i32.trunc_f32_s (f32.const nan)))", "invalid conversion to integer"),
        ("(call_indirect (i32.const 0))", "uninitialized element"),
        ("(call_indirect (i32.const 9))", "undefined element: out of bounds table access"),
        ("(call_indirect (param i32) (i32.const 1) (i32.const 1))", "indirect call type mismatch"),
        ("(call $run)", "call stack exhausted"),
    ],
)
def test_each_trap_of_the_engine_is_told_by_its_code(
    code: str, says: str, engine: Engine, tmp_path: Path
) -> None:
    """In one line, with the frames behind it."""
    text = f"""(component
      (core module $m (memory 1) (table 2 funcref) (elem (i32.const 1) func $run)
        (func $run (export "run") {code}))
      (core instance $i (instantiate $m))
      (func (export "run") (canon lift (core func $i "run"))))"""
    with (
        linked_to(engine, tmp_path, text, {}).instantiate(State()) as instance,
        pytest.raises(GuestTrapped) as raised,
    ):
        instance.call(None, "run")
    assert raised.value.message == f"wasm trap: {says}"
    assert "wasm backtrace" in raised.value.backtrace
