"""Lists of variants reach a guest as any other value, however they are written."""

from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgezero_spin.host.errors import ValueMismatchError
from edgezero_spin.host.runtime import variant_runs
from edgezero_spin.host.runtime.engine import EngineSettings, make_engine
from edgezero_spin.host.runtime.interface import Variants
from edgezero_spin.host.runtime.prepared import PreparedComponent
from tests.host.runtime.wat import State, echo_text, linked_to

CASES = """(variant
    (case "nothing") (case "flag" bool) (case "s8" s8) (case "u16" u16) (case "s32" s32)
    (case "u64" u64) (case "s64" s64) (case "f32" f32) (case "f64" f64) (case "char" char)
    (case "text" string) (case "bytes" (list u8)) (case "numbers" (list s16))
    (case "date" (tuple s32 u8 u8 u32)) (case "pair" (tuple u8 string))
    (case "maybe" (option string)) (case "enum" $e) (case "record" $r))"""
NAMED = {
    "e": '(enum "red" "green")',
    "r": '(record (field "a" u8) (field "b" s64))',
    "v": CASES,
}


def whole(bits: int, *, signed: bool = False) -> st.SearchStrategy[int]:
    """Numbers of so many bits."""
    least = -(1 << bits - 1) if signed else 0
    return st.integers(least, least + (1 << bits) - 1)


def case(name: str, payloads: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, Any]]:
    """Values of a case."""
    return st.tuples(st.just(name), payloads)


VALUES = st.one_of(
    case("nothing", st.none()),
    case("flag", st.booleans()),
    case("s8", whole(8, signed=True)),
    case("u16", whole(16)),
    case("s32", whole(32, signed=True)),
    case("u64", whole(64)),
    case("s64", whole(64, signed=True)),
    case("f32", st.floats(width=32, allow_nan=False)),
    case("f64", st.floats(allow_nan=False)),
    case("char", st.characters(exclude_categories=["Cs"])),
    case("text", st.text(st.characters(exclude_categories=["Cs"]))),
    case("bytes", st.binary()),
    case("numbers", st.lists(whole(16, signed=True))),
    case("date", st.tuples(whole(32, signed=True), whole(8), whole(8), whole(32))),
    case("pair", st.tuples(whole(8), st.just("x"))),
    case("maybe", st.none() | st.just("größe")),
    case("enum", st.sampled_from(["red", "green"])),
    case("record", st.fixed_dictionaries({"a": whole(8), "b": whole(64, signed=True)})),
)


@attrs.define
class AnsweringState(State):
    """What the host function returns."""

    answer: Any = None


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PreparedComponent]:
    """A guest that returns a list of rows, which the host function passes to it."""
    with make_engine(EngineSettings(pooling=False)) as engine:
        text = echo_text("(list (list $v))", "i32 i32", NAMED)
        folder = tmp_path_factory.mktemp("echo")
        yield linked_to(engine, folder, text, {"echo": lambda state, value: state.answer})


def through(echo: PreparedComponent, rows: Any) -> Any:
    """Return what a guest gets for a result of the host."""
    instance = echo.instantiate(AnsweringState(answer=rows))
    try:
        return instance.call(None, "echo", [])
    finally:
        instance.close()


@given(st.lists(st.lists(VALUES, max_size=6), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_rows_arrive_as_they_are(
    echo: PreparedComponent, rows: list[list[tuple[str, Any]]]
) -> None:
    """Every case keeps its payload, in a row by itself, among others, and in rows alike."""
    assert through(echo, rows * 2) == rows * 2
    apart = [Variants(tuple(name for name, _ in row), [value for _, value in row]) for row in rows]
    assert apart == rows
    assert through(echo, apart) == rows


def test_long_and_many_lists(echo: PreparedComponent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists that are not written at once, and shapes that are not kept, arrive as well."""
    monkeypatch.setattr(variant_runs, "MAX_SHAPES", 0)
    rows = [[("s32", n), ("text", str(n))] * n for n in (1, 2, 200)]
    assert through(echo, rows) == rows


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (("flag", 1), "[0][1].flag"),
        (("s8", 128), "[0][1].s8"),
        (("u64", -1), "[0][1].u64"),
        (("s32", 1.5), "[0][1].s32"),
        (("f64", "x"), "[0][1].f64"),
        (("text", b"x"), "[0][1].text"),
        (("nothing", 0), "[0][1].nothing"),
        (("date", (1, 2, 256, 0)), "[0][1].date[2]"),
        (("date", [1, 2, 3, 4]), "[0][1].date"),
        (("maybe", 5), "[0][1].maybe"),
        (("unknown", 5), "[0][1]"),
    ],
)
@pytest.mark.parametrize("apart", [False, True])
def test_values_that_do_not_fit(
    echo: PreparedComponent, value: tuple[str, Any], place: str, apart: bool
) -> None:
    """The one that does not is named, in both forms of a list."""
    row: Any = [("s32", 1), value]
    if apart:
        row = Variants(("s32", value[0]), (1, value[1]))
    with pytest.raises(ValueMismatchError) as raised:
        through(echo, [row])
    assert place in str(raised.value)


def test_variants_are_a_list() -> None:
    """They have the items of the list that they are equal to."""
    variants = Variants(("a", "b"), (1, None))
    assert list(variants) == [("a", 1), ("b", None)]
    assert variants[1] == ("b", None)
    assert variants[:1] == [("a", 1)]
    assert variants != [("a", 1)]
    assert repr(variants) == "[('a', 1), ('b', None)]"
