"""Components whose bytes cross in bulk: the same calls, the same values, the same traps."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

from edgezero_spin.host.engine import Engine, EngineSettings, load_component, make_engine
from edgezero_spin.host.errors import GuestTrapped, WitError
from edgezero_spin.host.interface import Err, Interface
from edgezero_spin.host.linking import Instance, link
from edgezero_spin.wasm.bulk_bytes import with_bulk_bytes
from tests.host.wat import HOST, State
from tests.wasm.relaying import ALLOCATOR, PROBLEM, relay_text

EVERY_BYTE = bytes(range(256))

TAKE = '(param "key" string) (param "data" (list u8))'
FIND = '(param "key" string) (result (result (option (list u8)) (error $problem)))'


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine without a pool: these components are tiny."""
    with make_engine(EngineSettings(pooling=False)) as engine:
        yield engine


def in_bulk(text: str) -> bool:
    """Whether a component imports a function in bulk form."""
    return b"-in-bulk" in with_bulk_bytes(bytes(wasmtime.wat2wasm(text)))


def instance_of(
    engine: Engine, folder: Path, text: str, call: Callable[..., Any], *, bulk: bool = True
) -> Instance:
    """Return an instance of a component that imports ``call``; ``bulk=False`` for its own form."""
    path = folder / "relay.wat"
    path.write_text(text)
    component = load_component(engine, path, joined=not bulk)
    return link(engine, component, {HOST: Interface(HOST, {"call": call})}).instantiate(State())


def outcome(instance: Instance, *arguments: Any) -> Any:
    """What a call comes to: what it returns, or how it fails."""
    try:
        return instance.call(None, "call", *arguments)
    except WitError as error:
        return Err(error.payload)


NUMBERS = "(tuple u8 u64 (option char))"
CASES = [
    pytest.param(
        relay_text(TAKE, "i32 i32 i32 i32"), ["schlüssel", EVERY_BYTE], None, id="text and bytes"
    ),
    pytest.param(
        relay_text('(param "n" u64) (result (list u8))', "i64", result="memory"),
        [7],
        EVERY_BYTE,
        id="bytes alone",
    ),
    pytest.param(
        relay_text(FIND, "i32 i32", result="memory", definitions={"problem": PROBLEM}),
        ["k"],
        EVERY_BYTE * 40,
        id="bytes in an option in a result",
    ),
    pytest.param(
        relay_text(FIND, "i32 i32", result="memory", definitions={"problem": PROBLEM}),
        ["k"],
        None,
        id="no bytes",
    ),
    pytest.param(
        relay_text(FIND, "i32 i32", result="memory", definitions={"problem": PROBLEM}),
        ["k"],
        WitError(("other", "größer als ⌘")),
        id="text in an error",
    ),
    pytest.param(
        relay_text(FIND, "i32 i32", result="memory", definitions={"problem": PROBLEM}),
        ["k"],
        WitError(("gone", None)),
        id="an error without text",
    ),
    *(
        pytest.param(
            relay_text(
                f'(param "a" u8) (result (result (tuple (list u8) bool) (error {error})))',
                "i32",
                result="memory",
                definitions=definitions,
            ),
            [1],
            returned,
            id=f"beside {name}",
        )
        for name, error, definitions, failure in [
            ("an enum", "$e", {"e": '(enum "a" "b")'}, "b"),
            ("few flags", "$f", {"f": '(flags "a" "b" "c")'}, frozenset({"a", "c"})),
            (
                "many flags",
                "$f",
                {"f": f"(flags {' '.join(f'{chr(34)}f{n}{chr(34)}' for n in range(20))})"},
                frozenset({"f0", "f19"}),
            ),
            (
                "a record",
                "$r",
                {"r": '(record (field "a" u8) (field "b" f64) (field "c" s16))'},
                {"a": 1, "b": 2.5, "c": -3},
            ),
            (
                "a variant",
                "$v",
                {"v": '(variant (case "a" u64) (case "b" f32) (case "c"))'},
                ("a", 1 << 60),
            ),
            ("a tuple", NUMBERS, {}, (1, 1 << 60, "⌘")),
        ]
        for returned in [(EVERY_BYTE, True), WitError(failure)]
    ),
    pytest.param(
        relay_text(
            '(param "a" f32) (param "data" (list u8)) (param "b" $choice) (param "c" f64) '
            "(result (result (error $problem)))",
            "f32 i32 i32 i32 i64 f64",
            result="memory",
            definitions={"problem": PROBLEM, "choice": '(variant (case "x" u64) (case "y" f32))'},
        ),
        [1.5, EVERY_BYTE, ("y", 2.5), -3.0],
        WitError(("other", "ß")),
        id="bytes between other parameters",
    ),
]


@pytest.mark.parametrize("bulk", [True, False])
@pytest.mark.parametrize(("text", "arguments", "returned"), CASES)
def test_a_call_comes_to_the_same(
    text: str, arguments: list[Any], returned: Any, bulk: bool, engine: Engine, tmp_path: Path
) -> None:
    """Arguments reach the host and results the guest unchanged, in bulk and without."""
    assert in_bulk(text)
    seen: list[Any] = []

    def call(state: State, *arguments: Any) -> Any:
        seen.extend(arguments)
        if isinstance(returned, WitError):
            raise WitError(returned.payload)
        return returned

    with instance_of(engine, tmp_path, text, call, bulk=bulk) as instance:
        expected = Err(returned.payload) if isinstance(returned, WitError) else returned
        assert outcome(instance, *arguments) == expected
    assert seen == arguments


# A guest that says itself where its text and bytes lie.
PLACES = f"""
(component
  (import "{HOST}" (instance $host (export "call" (func {TAKE}))))
  (core module $memory-module
    (memory (export "memory") 1)
    (data (i32.const 1) "{"".join(f"{chr(92)}{byte:02x}" for byte in EVERY_BYTE)}"))
  (core instance $memory-instance (instantiate $memory-module))
  (alias core export $memory-instance "memory" (core memory $memory))
  (core func $lowered (canon lower (func $host "call") (memory $memory)))
  (core module $main-module
    (import "host" "call" (func $call (param i32 i32 i32 i32)))
    (func (export "call") (param i32 i32 i32 i32)
      (call $call (local.get 0) (local.get 1) (local.get 2) (local.get 3))))
  (core instance $main (instantiate $main-module
    (with "host" (instance (export "call" (func $lowered))))))
  (func (export "call") (param "a" u32) (param "b" u32) (param "c" u32) (param "d" u32)
    (canon lift (core func $main "call"))))
"""
LIES = bytes(1) + EVERY_BYTE + bytes(65536 - 257)
ASCII = st.tuples(st.integers(2, 120), st.integers(0, 8))
ANYWHERE = st.tuples(st.integers(0, 300), st.integers(0, 300))


@settings(max_examples=200, deadline=None)
@given(key=ASCII, data=ANYWHERE)
def test_bytes_may_lie_at_any_address(
    placed: Callable[..., list[Any]], key: tuple[int, int], data: tuple[int, int]
) -> None:
    """Even or odd, empty or long: the host sees what lies there."""
    (at, size), (data_at, data_size) = key, data
    text = LIES[at : at + size].decode("ascii")
    assert placed(at, size, data_at, data_size) == [text, LIES[data_at : data_at + data_size]]


@pytest.fixture(scope="module")
def placed(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Calls the guest above with addresses and lengths; returns what the host saw."""
    seen: list[Any] = []

    def call(state: State, *arguments: Any) -> None:
        seen[:] = arguments

    assert in_bulk(PLACES)
    with instance_of(engine, tmp_path_factory.mktemp("places"), PLACES, call) as instance:

        def place(*numbers: int) -> list[Any]:
            instance.call(None, "call", *numbers)
            return list(seen)

        yield place


@pytest.mark.parametrize("bulk", [True, False])
@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param((129, 1, 0, 0), id="text that is not UTF-8"),
        pytest.param((2, 1, 65535, 2), id="bytes past the end, at an odd address"),
        pytest.param((2, 1, 65536, 1), id="bytes past the end, at an even address"),
        pytest.param((2, 1, 0, 0x7FFF_FFFF), id="a length past the end"),
        pytest.param((2, 1, 1, 0x7FFF_FFFF), id="a length that odd addresses make another one"),
        pytest.param((2, 1, 0, 0x8000_0004), id="a length with the sign of UTF-16"),
        pytest.param((2, 1, 1, 0xFFFF_FFFF), id="the largest length"),
        pytest.param((0xFFFF_FFFF, 1, 0, 1), id="the largest address"),
    ],
)
def test_nonsense_traps(
    numbers: tuple[int, ...], bulk: bool, engine: Engine, tmp_path: Path
) -> None:
    """What lies outside the memory, or is no text, stops the guest and reaches nobody."""
    seen: list[Any] = []

    def call(state: State, *arguments: Any) -> None:
        seen.append(arguments)

    instance = instance_of(engine, tmp_path, PLACES, call, bulk=bulk)
    with instance, pytest.raises(GuestTrapped):
        instance.call(None, "call", *numbers)
    assert seen == []


GIVE = relay_text('(param "n" u32) (result (list u8))', "i32", result="memory")


@pytest.mark.parametrize("data", [b"", b"plain", EVERY_BYTE, b"\xff" * 100])
def test_a_guest_is_asked_for_just_the_room_that_bytes_need(
    data: bytes, engine: Engine, tmp_path: Path
) -> None:
    """Once, and for no more than arrives, though the engine asks for what UTF-8 would need."""
    with instance_of(engine, tmp_path, GIVE, lambda state, n: data) as instance:
        assert instance.call(None, "call", 1) == data
        assert instance.call(None, "asked") == len(data)


def test_room_is_found_at_the_very_end_of_a_memory(engine: Engine, tmp_path: Path) -> None:
    """Where the engine wants to see more memory than bytes need, there will be more."""
    last = ALLOCATOR.replace(
        "(local.get $at)))",
        "(if (i32.eq (local.get $even) (i32.const 8)) (then (return (local.get $at))))"
        "(i32.sub (i32.const 131072) (local.get $new))))",
    )
    text = relay_text('(param "n" u32) (result (list u8))', "i32", result="memory", allocator=last)
    data = b"\xff" * 60_000
    with instance_of(engine, tmp_path, text, lambda state, n: data) as instance:
        assert instance.call(None, "call", 1) == data


def test_memory_of_earlier_calls_may_have_been_given_to_others(
    engine: Engine, tmp_path: Path
) -> None:
    """An allocator that goes round in a kilobyte serves call after call."""
    round_ = ALLOCATOR.replace(
        "(global.set $asked",
        "(if (i32.gt_u (i32.add (local.get $at) (local.get $new)) (i32.const 5120))"
        " (then (local.set $at (i32.const 4096)))) (global.set $asked",
    )
    text = relay_text(
        '(param "n" u32) (result (list u8))', "i32", result="memory", allocator=round_
    )
    with instance_of(engine, tmp_path, text, lambda state, n: bytes([n]) * (150 + n)) as instance:
        for n in range(100):
            assert instance.call(None, "call", n) == bytes([n]) * (150 + n)


LEFT_ALONE = [
    pytest.param(
        relay_text('(param "a" (option string)) (param "b" (list u8))', "i32 i32 i32 i32 i32"),
        id="text inside a parameter",
    ),
    pytest.param(
        relay_text('(param "a" (list (list u8)))', "i32 i32"), id="bytes inside a parameter"
    ),
    pytest.param(
        relay_text('(param "a" u32) (result (tuple (list u8) string))', "i32", result="memory"),
        id="two texts in a result",
    ),
    pytest.param(
        relay_text('(param "a" u32) (result (list (list u8)))', "i32", result="memory"),
        id="a list of bytes",
    ),
    pytest.param(
        relay_text(
            '(param "a" u32) (result $entry)',
            "i32",
            result="memory",
            definitions={"entry": '(record (field "key" string) (field "n" u32))'},
        ),
        id="no bytes at all",
    ),
    pytest.param(
        relay_text(
            '(param "a" u32) (result (result (list u8) (error $named)))',
            "i32",
            result="memory",
            definitions={"named": '(variant (case "raw" (list u8)))'},
        ),
        id="bytes behind a name, too",
    ),
    pytest.param(
        relay_text(
            " ".join(f'(param "p{n}" u32)' for n in range(14)) + ' (param "data" (list u8))',
            " ".join(["i32"] * 16),
        ),
        id="no place for one more parameter",
    ),
    pytest.param(
        relay_text(TAKE, "i32 i32 i32 i32", options="string-encoding=utf16"), id="text in UTF-16"
    ),
    pytest.param(
        relay_text(
            '(param "n" u32) (result (list u8))',
            "i32",
            result="memory",
            allocator=ALLOCATOR.replace('"realloc"', '"cabi_import_realloc"'),
            realloc="cabi_import_realloc",
        ),
        id="an allocator with one place",
    ),
    pytest.param(
        relay_text(TAKE, "i32 i32 i32 i32", more='(export "again" (func $call))'),
        id="a function that is exported",
    ),
    pytest.param(
        relay_text(
            TAKE,
            "i32 i32 i32 i32",
            more="""
            (component $other (import "call" (func (param "key" string) (param "data" (list u8)))))
            (instance (instantiate $other (with "call" (func $call))))""",
        ),
        id="a function that another component gets, too",
    ),
]


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_components_whose_functions_cannot_change_come_back_as_they_are(text: str) -> None:
    """Byte for byte."""
    component = bytes(wasmtime.wat2wasm(text))
    assert with_bulk_bytes(component) == component


def test_bytes_alone_change_where_text_is_in_utf16() -> None:
    """How text lies in memory is nothing to bytes."""
    text = relay_text('(param "data" (list u8))', "i32 i32", options="string-encoding=latin1+utf16")
    assert in_bulk(text)


@settings(max_examples=150, deadline=None)
@given(cut=st.integers(0, 2000), at=st.integers(0, 2000), byte=st.integers(0, 255))
def test_damaged_components_come_back_or_stay_damaged(cut: int, at: int, byte: int) -> None:
    """No input raises: whoever compiles the result can say what is wrong with it."""
    whole = bytearray(wasmtime.wat2wasm(relay_text(TAKE, "i32 i32 i32 i32")))
    whole[min(at, len(whole) - 1)] = byte
    with_bulk_bytes(bytes(whole))
    assert with_bulk_bytes(bytes(whole[: min(cut, len(whole) - 1)])) is not None
