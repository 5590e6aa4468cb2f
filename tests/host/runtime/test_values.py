"""WIT values cross to the host and back unchanged, and misfits are named with their place."""

import math
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgezero_spin.host.errors import ValueMismatchError
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from edgezero_spin.host.runtime.instance import Instance
from edgezero_spin.host.runtime.interface import Err, Ok, Some
from tests.host.runtime.components import instance_of as made_of
from tests.host.runtime.wat import State, echo_text, instance_of, linked_to

RECORD = '(record (field "status-code" u16) (field "name" string))'
VARIANT = '(variant (case "none") (case "size" u64) (case "text" string))'
ENUM = '(enum "red" "dark-green")'
FLAGS = '(flags "read" "write" "exec")'
SURROGATE = chr(0xD800)


@attrs.frozen
class Shape:
    """A WIT type as text, its core types, and the types that it names."""

    type_: str
    flat: str
    named: Mapping[str, str] = attrs.field(factory=dict)


SHAPES = {
    "bool": Shape("bool", "i32"),
    "s8": Shape("s8", "i32"),
    "u8": Shape("u8", "i32"),
    "s16": Shape("s16", "i32"),
    "u16": Shape("u16", "i32"),
    "s32": Shape("s32", "i32"),
    "u32": Shape("u32", "i32"),
    "s64": Shape("s64", "i64"),
    "u64": Shape("u64", "i64"),
    "f32": Shape("f32", "f32"),
    "f64": Shape("f64", "f64"),
    "char": Shape("char", "i32"),
    "string": Shape("string", "i32 i32"),
    "list<u8>": Shape("(list u8)", "i32 i32"),
    "list<s16>": Shape("(list s16)", "i32 i32"),
    "list<u32>": Shape("(list u32)", "i32 i32"),
    "list<f64>": Shape("(list f64)", "i32 i32"),
    "list<bool>": Shape("(list bool)", "i32 i32"),
    "list<string>": Shape("(list string)", "i32 i32"),
    "list<list<u8>>": Shape("(list (list u8))", "i32 i32"),
    "headers": Shape("(list (tuple string (list u8)))", "i32 i32"),
    "texts": Shape("(list (tuple string string))", "i32 i32"),
    "list<f32>": Shape("(list f32)", "i32 i32"),
    "pair": Shape("(tuple u32 string)", "i32 i32 i32"),
    "triple": Shape("(tuple u8 s64 f32)", "i32 i64 f32"),
    "one": Shape("(tuple u8)", "i32"),
    "record": Shape("$r", "i32 i32 i32", {"r": RECORD}),
    "list<record>": Shape("(list $r)", "i32 i32", {"r": RECORD}),
    "variant": Shape("$v", "i32 i64 i32", {"v": VARIANT}),
    "list<variant>": Shape("(list $v)", "i32 i32", {"v": VARIANT}),
    "enum": Shape("$e", "i32", {"e": ENUM}),
    "flags": Shape("$f", "i32", {"f": FLAGS}),
    "option<string>": Shape("(option string)", "i32 i32 i32"),
    "option<option<u32>>": Shape("(option (option u32))", "i32 i32 i32"),
    "result": Shape("(result)", "i32"),
    "list<result>": Shape("(list (result u32 (error string)))", "i32 i32"),
    "option<result>": Shape("(option (result (error u8)))", "i32 i32 i32"),
}
"""Every value type that can cross, alone and in the compositions of wasi:http."""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine without a pool: these components are tiny."""
    with make_engine(EngineSettings(pooling=False)) as engine:
        yield engine


Echoes = Callable[[str], Instance]


@pytest.fixture(scope="module")
def echoes(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Echoes]:
    """A live instance per shape; its host function notes what it saw and returns it."""
    made: dict[str, Instance] = {}

    def echo(name: str) -> Instance:
        if name not in made:
            shape = SHAPES[name]
            text = echo_text(shape.type_, shape.flat, shape.named)
            folder = tmp_path_factory.mktemp("echo")
            linked = linked_to(engine, folder, text, {"echo": _note_and_return})
            made[name] = instance_of(linked)
        return made[name]

    yield echo
    for instance in made.values():
        instance.close()


def _note_and_return(state: State, value: Any) -> Any:
    state.seen.append(value)
    return value


def _same(found: object, expected: object) -> bool:
    if isinstance(expected, float) and math.isnan(expected):
        return isinstance(found, float) and math.isnan(found)
    return found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bool", True),
        ("bool", False),
        ("s8", -128),
        ("s8", 127),
        ("u8", 0),
        ("u8", 255),
        ("s16", -32768),
        ("u16", 65535),
        ("s32", -(2**31)),
        ("u32", 2**32 - 1),
        ("s64", -(2**63)),
        ("s64", 2**63 - 1),
        ("u64", 2**64 - 1),
        ("f32", 1.5),
        ("f32", math.inf),
        ("f32", math.nan),
        ("f64", -0.1),
        ("f64", -math.inf),
        ("f64", math.nan),
        ("char", "a"),
        ("char", "\0"),
        ("char", "😀"),
        ("string", ""),
        ("string", "nul \0 inside, ä and 😀"),
        ("list<u8>", b""),
        ("list<u8>", bytes(range(256)) * 5),
        ("list<s16>", []),
        ("list<s16>", [-1, 0, 32767]),
        ("list<u32>", [0, 2**32 - 1]),
        ("list<f64>", [0.5, -2.0]),
        ("list<bool>", [True, False]),
        ("list<string>", ["", "a", "ä"]),
        ("list<list<u8>>", [b"", b"\0\xff"]),
        ("headers", []),
        ("headers", [("host", b"a"), ("x", b"\xff")]),
        ("pair", (7, "seven")),
        ("triple", (255, -1, 0.5)),
        ("one", (1,)),
        ("record", {"status-code": 404, "name": "missing"}),
        ("list<record>", [{"status-code": 1, "name": ""}, {"status-code": 2, "name": "b"}]),
        ("variant", ("none", None)),
        ("variant", ("size", 2**64 - 1)),
        ("variant", ("text", "t")),
        ("list<variant>", [("text", "t"), ("none", None), ("size", 0)]),
        ("enum", "dark-green"),
        ("flags", frozenset()),
        ("flags", frozenset({"read", "exec"})),
        ("option<string>", None),
        ("option<string>", ""),
        ("option<option<u32>>", None),
        ("option<option<u32>>", Some(None)),
        ("option<option<u32>>", Some(5)),
        ("list<result>", [Ok(1), Err("no"), Ok(0)]),
        ("option<result>", None),
        ("option<result>", Ok(None)),
        ("option<result>", Err(255)),
    ],
)
def test_round_trip(echoes: Echoes, name: str, value: Any) -> None:
    """The host sees exactly what was sent, and the caller gets exactly what it returned."""
    instance = echoes(name)
    answer = instance.call(None, "echo", value)
    seen = instance.state.seen.pop()
    assert _same(seen, value)
    assert _same(answer, value)


@pytest.mark.parametrize(
    ("name", "value", "arrives"),
    [
        ("list<u8>", bytearray(b"ab"), b"ab"),
        ("list<u8>", memoryview(b"abc")[1:], b"bc"),
        ("list<u32>", (1, 2), [1, 2]),
        ("flags", {"write"}, frozenset({"write"})),
        ("f64", 3, 3.0),
        ("u8", True, 1),
    ],
)
def test_accepted_as_well(echoes: Echoes, name: str, value: Any, arrives: Any) -> None:
    """Forms that are equally clear are taken, and arrive in the one canonical form."""
    instance = echoes(name)
    assert _same(instance.call(None, "echo", value), arrives)
    assert _same(instance.state.seen.pop(), arrives)


@pytest.mark.parametrize(
    ("name", "value", "place", "expected"),
    [
        ("bool", 1, "argument 0", "bool"),
        ("s8", 128, "argument 0", "s8 (-128 to 127)"),
        ("u8", -1, "argument 0", "u8 (0 to 255)"),
        ("u16", 65536, "argument 0", "u16"),
        ("s32", 2**31, "argument 0", "s32"),
        ("u32", -1, "argument 0", "u32"),
        ("u64", 2**64, "argument 0", "u64"),
        ("s64", 2**200, "argument 0", "s64"),
        ("u32", 1.0, "argument 0", "u32"),
        ("f64", "1", "argument 0", "f64"),
        ("f64", 10**400, "argument 0", "f64"),
        ("f32", 10**400, "argument 0", "f32"),
        ("list<f64>", [0.5, 10**400], "argument 0[1]", "f64"),
        ("char", "ab", "argument 0", "char"),
        ("char", SURROGATE, "argument 0", "char"),
        ("string", b"bytes", "argument 0", "string"),
        ("string", SURROGATE, "argument 0", "string"),
        ("list<u8>", "text", "argument 0", "list<u8>"),
        ("list<u8>", [1, 2], "argument 0", "list<u8>"),
        ("list<u32>", [1, -1], "argument 0[1]", "u32"),
        ("list<string>", "ab", "argument 0", "list<string>"),
        ("headers", [("a", b""), ("b", "x")], "argument 0[1][1]", "list<u8>"),
        ("headers", [("a",)], "argument 0[0]", "tuple<string, list<u8>>"),
        ("record", {"status-code": 1}, "argument 0", "record {status-code, name}"),
        ("record", {"status-code": 1, "name": 2}, "argument 0.name", "string"),
        ("list<record>", [{"status-code": -1, "name": ""}], "argument 0[0].status-code", "u16"),
        ("variant", ("nothing", None), "argument 0", "variant {none, size, text}"),
        ("variant", ("none", 1), "argument 0.none", "no payload"),
        ("variant", ("size", "x"), "argument 0.size", "u64"),
        ("variant", "none", "argument 0", "variant"),
        ("enum", "blue", "argument 0", "enum {red, dark-green}"),
        ("enum", [], "argument 0", "enum"),
        ("flags", {"fly"}, "argument 0", "flags {read, write, exec}"),
        ("flags", "read", "argument 0", "flags"),
        ("option<option<u32>>", 5, "argument 0", "Some"),
        ("list<result>", [1], "argument 0[0]", "Ok or Err"),
        ("list<result>", [Ok("x")], "argument 0[0].ok", "u32"),
        ("option<result>", Ok(1), "argument 0.ok", "no payload"),
    ],
)
def test_misfit(echoes: Echoes, name: str, value: Any, place: str, expected: str) -> None:
    """A value that does not fit is refused before the guest runs, and its place is named."""
    instance = echoes(name)
    with pytest.raises(ValueMismatchError) as caught:
        instance.call(None, "echo", value)
    assert caught.value.place == place
    assert expected in caught.value.expected
    assert instance.state.seen == []


def test_misfit_of_a_host_result(engine: Engine, tmp_path: Path) -> None:
    """What a host function returns is checked too, and the guest does not go on."""
    shape = SHAPES["headers"]
    linked = linked_to(
        engine,
        tmp_path,
        echo_text(shape.type_, shape.flat),
        {"echo": lambda state, value: [("ok", b""), ("bad", None)]},
    )
    with instance_of(linked) as instance, pytest.raises(ValueMismatchError) as caught:
        instance.call(None, "echo", [])
    assert caught.value.place == "result[1][1]"


def test_bytes_larger_than_the_scratch_array(echoes: Echoes) -> None:
    """Long lists of bytes take another path, with the same result."""
    data = bytes(range(256)) * 1024  # 256 KiB
    instance = echoes("list<u8>")
    for size in (64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, len(data)):
        assert instance.call(None, "echo", data[:size]) == data[:size]
        assert instance.state.seen.pop() == data[:size]


@pytest.mark.parametrize("name", ["string", "list<u8>", "list<u32>", "headers"])
def test_nothing_needs_no_memory(engine: Engine, tmp_path: Path, name: str) -> None:
    """An allocator may answer 0 for no bytes, before the memory was ever looked at."""
    shape = SHAPES[name]
    text = echo_text(shape.type_, shape.flat)
    body = "(local $at i32) (local $missing i32)"
    assert body in text
    text = text.replace(body, f"{body} (if (i32.eqz (local.get 3)) (then (return (i32.const 0))))")
    linked = linked_to(engine, tmp_path, text, {"echo": _note_and_return})
    nothing = {"string": "", "list<u8>": b""}.get(name, [])
    with instance_of(linked) as instance:
        assert instance.call(None, "echo", nothing) == nothing


scalars = st.characters(exclude_categories=["Cs"])
texts = st.text(scalars)
records = st.fixed_dictionaries({"status-code": st.integers(0, 65535), "name": texts})
variants = st.one_of(
    st.just(("none", None)),
    st.tuples(st.just("size"), st.integers(0, 2**64 - 1)),
    st.tuples(st.just("text"), texts),
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "s64": st.integers(-(2**63), 2**63 - 1),
    "f32": st.floats(width=32, allow_nan=False),
    "f64": st.floats(allow_nan=False),
    "char": scalars,
    "string": texts,
    "list<u8>": st.binary(max_size=500),
    "headers": st.lists(st.tuples(texts, st.binary())),
    "list<record>": st.lists(records),
    "list<variant>": st.lists(variants),
    "flags": st.frozensets(st.sampled_from(["read", "write", "exec"])),
    "option<option<u32>>": st.none() | st.builds(Some, st.none() | st.integers(0, 2**32 - 1)),
    "list<result>": st.lists(st.builds(Ok, st.integers(0, 9)) | st.builds(Err, texts)),
}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
@pytest.mark.parametrize("name", VALUES)
def test_any_value_round_trips(echoes: Echoes, name: str, data: st.DataObject) -> None:
    """Generated values of every composed type survive both directions."""
    value = data.draw(VALUES[name])
    instance = echoes(name)
    assert instance.call(None, "echo", value) == value
    assert instance.state.seen.pop() == value


def test_f32_is_rounded(echoes: Echoes) -> None:
    """A float that f32 cannot hold exactly arrives as the nearest one."""
    (nearest,) = struct.unpack("f", struct.pack("f", 0.1))
    instance = echoes("f32")
    assert instance.call(None, "echo", 0.1) == nearest
    assert instance.state.seen.pop() == nearest


@pytest.mark.parametrize(("value", "arrives"), [(1e300, math.inf), (-1e300, -math.inf)])
def test_f32_too_large_is_infinite(echoes: Echoes, value: float, arrives: float) -> None:
    """As in memory, where a list of them lies."""
    assert echoes("f32").call(None, "echo", value) == arrives
    assert echoes("triple").call(None, "echo", (1, 1, value)) == (1, 1, arrives)
    assert echoes("list<f32>").call(None, "echo", [value]) == [arrives]


@pytest.mark.parametrize("encoding", ["utf8", "utf16", "latin1+utf16"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("string", "\u0133 and more"),
        ("list<string>", ["", "latin-1: \xe4", "\u0133"]),
        ("headers", [("\u0133", b"a"), ("\xe4", b"")]),
        ("texts", [("\u0133", "\U0001f600"), ("\xe4", "")]),
    ],
)
def test_text_in_every_encoding(
    engine: Engine, tmp_path: Path, encoding: str, name: str, value: Any
) -> None:
    """Whichever encoding a guest has, text comes and goes as it is."""
    shape = SHAPES[name]
    text = echo_text(shape.type_, shape.flat)
    option = "(realloc $realloc)"
    assert text.count(option) > 1
    text = text.replace(option, f"{option} string-encoding={encoding}")
    linked = linked_to(engine, tmp_path, text, {"echo": _note_and_return})
    with instance_of(linked) as instance:
        assert instance.call(None, "echo", value) == value
        assert instance.state.seen == [value]


def test_texts_count_in_each_call_by_themselves(engine: Engine) -> None:
    """Those that are in memory have a bound in one call, and none in all calls together."""
    text = f"""(component
      (import "host" (func $host (param "texts" (tuple {"string " * 9}))))
      (core module $M (memory (export "mem") 300))
      (core instance $m (instantiate $M))
      (core func $host (canon lower (func $host) (memory (core memory $m "mem"))))
      (core module $C
        (import "" "mem" (memory 1))
        (import "" "host" (func $host (param i32)))
        (func (export "run") (local $left i32)
          (i32.store (i32.const 4) (i32.const 0x1000000))
          (local.set $left (i32.const 9))
          (loop $again
            (call $host (i32.const 0))
            (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))))
      (core instance $c (instantiate $C (with "" (instance
        (export "mem" (memory $m "mem")) (export "host" (func $host))))))
      (func (export "run") (canon lift (core func $c "run"))))"""
    sizes = []
    host = {"host": lambda state, texts: sizes.append(len(texts[0]))}
    with made_of(engine, text, host) as instance:
        instance.call(None, "run")
    assert sizes == [16 << 20] * 9


def test_threads_do_not_mix(engine: Engine, tmp_path: Path) -> None:
    """Instances that run at the same time each see their own values and state only."""
    shape = SHAPES["headers"]
    linked = linked_to(
        engine, tmp_path, echo_text(shape.type_, shape.flat), {"echo": _note_and_return}
    )
    wrong: list[object] = []
    start = threading.Barrier(4)

    def work(number: int) -> None:
        start.wait()
        for turn in range(150):
            value = [(f"{number}-{turn}-{index}", bytes([number]) * turn) for index in range(5)]
            with instance_of(linked) as instance:
                if instance.call(None, "echo", value) != value:
                    wrong.append(value)
                if instance.state.seen != [value]:
                    wrong.append(instance.state.seen)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def _resident_kib() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("list<u8>", b"x" * 2000, "x"),
        ("headers", [("name", b"x" * 100)] * 20, [("name", b"x" * 100)] * 20 + [("a", 1)]),
        ("list<record>", [{"status-code": 1, "name": "n" * 500}] * 20, [{}]),
        ("list<variant>", [("text", "t" * 500)] * 20, [("text", "t" * 500), ("text", 1)]),
        ("list<result>", [Err("e" * 500)] * 20, [Err("e" * 500), Err(1)]),
    ],
)
def test_nothing_leaks(echoes: Echoes, name: str, good: Any, bad: Any) -> None:
    """Memory stays flat over thousands of calls, refused ones included."""
    instance = echoes(name)

    def turns(count: int) -> None:
        for _ in range(count):
            instance.call(None, "echo", good)
            instance.state.seen.clear()
            with pytest.raises(ValueMismatchError):
                instance.call(None, "echo", bad)

    turns(200)
    before = _resident_kib()
    turns(600)
    # One forgotten value per call would be at least 600 times 10 KiB as the engine stores it.
    assert _resident_kib() - before < 3000
