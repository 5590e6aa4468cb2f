"""Large lists reach a guest as small ones do, with the same calls of its allocator."""

import threading
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgezero_spin.host.errors import (
    DeadlineExceeded,
    GuestTrapped,
    OutOfFuel,
    ValueMismatchError,
)
from edgezero_spin.host.runtime import staging, text
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, InstanceLimits, make_engine
from edgezero_spin.host.runtime.instance import Instance
from edgezero_spin.host.runtime.interface import Err, Ok, Some, VariantTable
from edgezero_spin.host.runtime.list_writer import STAGING_BYTES
from edgezero_spin.host.runtime.memory import Context
from edgezero_spin.host.runtime.prepared import PreparedComponent
from tests.host.runtime.wat import HOST, State, echo_text, linked_to

CASES = """(variant
    (case "nothing") (case "flag" bool) (case "s8" s8) (case "u16" u16) (case "s32" s32)
    (case "u64" u64) (case "s64" s64) (case "f32" f32) (case "f64" f64) (case "char" char)
    (case "text" string) (case "bytes" (list u8)) (case "numbers" (list s16))
    (case "date" (tuple s32 u8 u8 u32)) (case "pair" (tuple u8 string))
    (case "maybe" (option string)) (case "enum" $e) (case "record" $r))"""
NAMED = {
    "e": '(enum "red" "green")',
    "f": '(flags "a" "b" "c" "d" "e" "g" "h" "i" "j")',
    "r": '(record (field "a" u8) (field "b" s64))',
    "v": CASES,
    "row": '(record (field "values" (list $v)))',
    "all": """(record (field "e" $e) (field "f" $f) (field "o" (option (option string)))
      (field "s" (result string (error u16))) (field "t" (tuple f32 char bool))
      (field "l" (list (list string))) (field "b" (option (list u8))) (field "v" $v))""",
}


def whole(bits: int, *, signed: bool = False) -> st.SearchStrategy[int]:
    """Numbers of so many bits."""
    least = -(1 << bits - 1) if signed else 0
    return st.integers(least, least + (1 << bits) - 1)


def case(name: str, payloads: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, Any]]:
    """Values of a case."""
    return st.tuples(st.just(name), payloads)


CHARS = st.characters(exclude_categories=["Cs"])
TEXTS = st.text(CHARS)
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
    case("char", CHARS),
    case("text", TEXTS),
    case("bytes", st.binary()),
    case("numbers", st.lists(whole(16, signed=True))),
    case("date", st.tuples(whole(32, signed=True), whole(8), whole(8), whole(32))),
    case("pair", st.tuples(whole(8), st.just("x"))),
    case("maybe", st.none() | st.just("größe")),
    case("enum", st.sampled_from(["red", "green"])),
    case("record", st.fixed_dictionaries({"a": whole(8), "b": whole(64, signed=True)})),
)
ALL = st.fixed_dictionaries(
    {
        "e": st.sampled_from(["red", "green"]),
        "f": st.frozensets(st.sampled_from("abcdeghij")),
        "o": st.none() | st.builds(Some, st.none() | TEXTS),
        "s": st.builds(Ok, TEXTS) | st.builds(Err, whole(16)),
        "t": st.tuples(st.floats(width=32, allow_nan=False), CHARS, st.booleans()),
        "l": st.lists(st.lists(TEXTS, max_size=3), max_size=3),
        "b": st.none() | st.binary(),
        "v": VALUES,
    }
)
ROWS = st.lists(st.lists(VALUES, max_size=6), max_size=4)
# Rows alike, as a table has them.
TABLES = st.lists(VALUES, min_size=1, max_size=4).flatmap(
    lambda row: st.lists(
        st.tuples(*[st.just(cell) | case("nothing", st.none()) for cell in row]).map(list),
        min_size=1,
        max_size=5,
    )
)
TYPES: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
    "rows": ("(list (list $v))", ROWS | TABLES),
    "records": ("(list $all)", st.lists(ALL, max_size=4)),
    "row records": ("(list $row)", TABLES.map(lambda rows: [{"values": row} for row in rows])),
    "texts": ("(list string)", st.lists(TEXTS)),
    "pairs": ("(list (tuple string (list u8)))", st.lists(st.tuples(TEXTS, st.binary()))),
    "embeddings": (
        "(list (list f32))",
        st.lists(st.lists(st.floats(width=32, allow_nan=False), max_size=4)),
    ),
}


@attrs.define
class AnsweringState(State):
    """What the host function returns."""

    answer: Any = None


def prepared(engine: Engine, folder: Any, type_: str) -> PreparedComponent:
    """A guest that returns a list, which the host function passes to it."""
    guest = echo_text(type_, "i32 i32", NAMED)
    return linked_to(engine, folder, guest, {"echo": lambda state, value: state.answer})


def through(echo: PreparedComponent, value: Any) -> tuple[Any, bytes]:
    """Return what a guest gets for a result of the host, and its whole memory."""
    with echo.instantiate(AnsweringState(answer=value)) as instance:
        found = instance.call(None, "echo", [])
        return found, bytes(max((cx.u8 for cx in instance.contexts), key=len))


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """One for all."""
    with make_engine(EngineSettings(pooling=False)) as engine:
        yield engine


@attrs.frozen
class Echoes:
    """The same guests, one by one and staged, by name of the type."""

    small: dict[str, PreparedComponent]
    staged: dict[str, PreparedComponent]


@pytest.fixture(scope="module")
def echoes(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Echoes]:
    """Guests to which every list is small, and those to which every list is large."""
    folder = tmp_path_factory.mktemp("echo")
    with pytest.MonkeyPatch.context() as patch:
        made = []
        for least, elements in ((1 << 40, 1 << 40), (1, 1)):
            patch.setattr(staging, "_MIN_ALLOCATIONS", least)
            patch.setattr(staging, "MIN_ELEMENTS", elements)
            guests = {name: prepared(engine, folder, type_) for name, (type_, _) in TYPES.items()}
            for guest in guests.values():
                through(guest, [])
            made.append(guests)
        yield Echoes(*made)


@pytest.mark.parametrize("name", TYPES)
@given(data=st.data())
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
def test_both_ways_leave_the_same_memory(echoes: Echoes, name: str, data: st.DataObject) -> None:
    """Values arrive, and every byte lies where it does when they are stored one by one."""
    values = data.draw(TYPES[name][1])
    found, memory = through(echoes.staged[name], values)
    assert found == values
    assert memory == through(echoes.small[name], values)[1]


def table_of(rows: list[list[tuple[str, Any]]]) -> VariantTable | None:
    """Return rows as a table, if each column has one case beside ``nothing``."""
    cases = []
    for column in zip(*rows, strict=True):
        names = {name for name, _ in column} - {"nothing"}
        if len(names) > 1 or any(name == "maybe" for name in names):
            return None
        cases.append(names.pop() if names else "s8")
    return VariantTable.of_rows(
        cases, [[value for _, value in row] for row in rows], null="nothing"
    )


@given(rows=TABLES)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
def test_a_table_is_its_rows(echoes: Echoes, rows: list[list[tuple[str, Any]]]) -> None:
    """It equals the list of its rows, and a guest gets the same, one by one and staged."""
    table = table_of(rows)
    if table is None:
        return
    assert table == rows
    assert table[1:] == rows[1:]
    for way in (echoes.small, echoes.staged):
        assert through(way["rows"], table)[0] == rows
        records = VariantTable(
            table.cases, table.columns, len(table), null="nothing", field="values"
        )
        assert records == [{"values": row} for row in rows]
        assert through(way["row records"], records)[0] == records


def test_cases_by_class(echoes: Echoes) -> None:
    """A column may have the cases of its values' classes."""
    cases = {int: "s64", str: "text", type(None): "nothing"}
    table = VariantTable.of_rows([cases, cases], [(1, "a"), ("b", "c"), (None, "d")])
    rows = [
        [("s64", 1), ("text", "a")],
        [("text", "b"), ("text", "c")],
        [("nothing", None), ("text", "d")],
    ]
    assert repr(table) == repr(rows)
    assert through(echoes.staged["rows"], table)[0] == rows
    assert through(echoes.small["rows"], table)[0] == rows


@pytest.mark.parametrize("length", [1, 16, 4097, 70_000])
def test_lists_of_any_length(echoes: Echoes, length: int) -> None:
    """Those that do not fit the staging memory go in parts."""
    values = [f"text {number} {'x' * 50}" for number in range(length)]
    assert through(echoes.staged["texts"], values)[0] == values


def test_one_call_for_all_texts(echoes: Echoes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host asks for the list's own memory; that of its texts is asked for in the engine."""
    sizes: list[int] = []
    allocate = Context.allocate

    def noted(cx: Context, size: int, alignment: int) -> int:
        sizes.append(size)
        return allocate(cx, size, alignment)

    monkeypatch.setattr(Context, "allocate", noted)
    assert len(through(echoes.staged["texts"], ["text"] * 1000)[0]) == 1000
    # The argument of the export, and the result of the host.
    assert sizes == [0, 8000]


@pytest.mark.parametrize("position", [0, 1, 20, 39])
def test_one_large_element(echoes: Echoes, position: int) -> None:
    """An element larger than the staging memory does not keep the others from arriving."""
    values = [str(number) for number in range(40)]
    values[position] = "é" * STAGING_BYTES
    assert through(echoes.staged["texts"], values)[0] == values


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (("flag", 1), "[0][1].flag"),
        (("s8", 128), "[0][1].s8"),
        (("u64", -1), "[0][1].u64"),
        (("s32", 1.5), "[0][1].s32"),
        (("f64", "x"), "[0][1].f64"),
        (("char", "\ud800"), "[0][1].char"),
        (("text", b"x"), "[0][1].text"),
        (("text", "\ud800"), "[0][1].text"),
        (("bytes", "x"), "[0][1].bytes"),
        (("nothing", 0), "[0][1].nothing"),
        (("date", (1, 2, 256, 0)), "[0][1].date[2]"),
        (("date", [1, 2, 3, 4]), "[0][1].date"),
        (("record", {"a": 1}), "[0][1].record"),
        (("record", {"a": 1, "c": 1}), "[0][1].record"),
        (("maybe", 5), "[0][1].maybe"),
        (("unknown", 5), "[0][1]"),
    ],
)
@pytest.mark.parametrize("way", ["small", "staged"])
@pytest.mark.parametrize("as_table", [False, True])
def test_values_that_do_not_fit(
    echoes: Echoes, value: tuple[str, Any], place: str, way: str, as_table: bool
) -> None:
    """The one that does not is named, in both forms of a list."""
    rows: Any = [[("s32", 1), value]]
    if as_table:
        rows = VariantTable.of_rows(("s32", value[0]), [(1, value[1])])
    with pytest.raises(ValueMismatchError) as raised:
        through(getattr(echoes, way)["rows"], rows)
    assert place in str(raised.value)


def test_tables_have_a_value_in_each_place() -> None:
    """A table with fewer is refused where it is made."""
    with pytest.raises(ValueError, match="shorter"):
        VariantTable.of_rows(("s32", "s32"), [(1, 2), (1,)])
    with pytest.raises(ValueError, match="a value for each row"):
        VariantTable(("s32",), [[1, 2]], 3)
    with pytest.raises(ValueError, match="a value for each row"):
        VariantTable.of_rows(("s32",), [(1, 2)])


def test_tables_are_sequences(echoes: Echoes) -> None:
    """They have rows, slices and lengths as lists do, with no columns and no rows as well."""
    table = VariantTable.of_rows(("s32", "text"), [(1, "a"), (2, None), (3, "c")], null="nothing")
    assert (len(table), table[-1], table[1]) == (
        3,
        [("s32", 3), ("text", "c")],
        [("s32", 2), ("nothing", None)],
    )
    assert VariantTable.joined([table[:1], table[1:1], table[1:]]) == table
    found: Any = table[:1]
    found += [1]
    assert found == [table[0], 1]
    with pytest.raises(IndexError):
        table[3]
    assert not VariantTable.of_rows(("s32",), [])
    bare = VariantTable((), (), 3)
    assert bare == [[], [], []]
    assert through(echoes.staged["rows"], bare)[0] == through(echoes.small["rows"], bare)[0] == bare


REALLOC = """
  (core module $memory-module
    (import "h" "call" (func $call))
    (memory (export "memory") 1)
    (global $calls (mut i32) (i32.const 0))
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (if (i32.eq (global.get $calls) (i32.const {number})) (then {fault}))
      (local.set $at (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
      (global.set $top (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))"""


def giving(number: int, fault: str) -> str:
    """Return a guest that asks for texts, and whose allocator does this at its so-many-th call."""
    return f"""(component
  (import "{HOST}" (instance $host
    (export "call" (func)) (export "give" (func (result (list string))))))
  (core func $call (canon lower (func $host "call")))
  {REALLOC.format(number=number, fault=fault)}
  (core instance $m (instantiate $memory-module
    (with "h" (instance (export "call" (func $call))))))
  (alias core export $m "memory" (core memory $memory))
  (core func $give (canon lower (func $host "give")
    (memory $memory) (realloc (core func $m "realloc"))))
  (core module $main-module
    (import "m" "memory" (memory 1))
    (import "h" "give" (func $give (param i32)))
    (func (export "run") (result i32) (call $give (i32.const 16))
      ;; The last byte of the last text.
      (i32.load8_u (i32.sub (i32.add
        (i32.load (i32.sub (i32.add (i32.load (i32.const 16))
          (i32.mul (i32.load (i32.const 20)) (i32.const 8))) (i32.const 8)))
        (i32.load (i32.sub (i32.add (i32.load (i32.const 16))
          (i32.mul (i32.load (i32.const 20)) (i32.const 8))) (i32.const 4)))) (i32.const 1)))))
  (core instance $main (instantiate $main-module (with "m" (instance $m))
    (with "h" (instance (export "give" (func $give))))))
  (func (export "run") (result u32) (canon lift (core func $main "run"))))"""


GIVEN = [f"text {number}" for number in range(99)] + ["the end!"]


def run(
    engine: Engine, folder: Any, guest: str, limits: InstanceLimits | None = None
) -> tuple[Any, Instance]:
    """Call a guest with ``GIVEN``; return what it found."""
    functions = {"call": lambda state: None, "give": lambda state: GIVEN}
    instance = linked_to(engine, folder, guest, functions).instantiate(State(), limits)
    with instance:
        return instance.call(None, "run"), instance


@pytest.mark.parametrize("number", [1, 2, 50, 101])
@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        ("(return (i32.const 65532))", GuestTrapped, "realloc return: beyond end of memory"),
        ("(return (i32.const -4))", GuestTrapped, "realloc return: beyond end of memory"),
        ("(unreachable)", GuestTrapped, "unreachable"),
        ("(call $call)", GuestTrapped, "cannot leave component instance"),
        ("(loop $on (br $on))", DeadlineExceeded, "."),
    ],
)
def test_a_fault_of_realloc_in_the_middle(
    engine: Engine, tmp_path: Any, number: int, fault: str, error: type[Exception], says: str
) -> None:
    """Whatever it does at whichever call ends the guest as it does for a single text."""
    limits = InstanceLimits(deadline_s=0.05) if error is DeadlineExceeded else None
    with pytest.raises(error, match=says) as caught:
        run(engine, tmp_path, giving(number, fault), limits)
    if says != "unreachable":
        assert "unreachable" not in str(caught.value)


def test_unaligned(engine: Engine, tmp_path: Any) -> None:
    """A list within a list is aligned."""
    guest = giving(70, "(return (i32.const 1025))")
    guest = guest.replace("(list string)", "(list (list u32))")
    functions = {"call": lambda state: None, "give": lambda state: [[1, 2]] * 100}
    with (
        linked_to(engine, tmp_path, guest, functions).instantiate(State()) as instance,
        pytest.raises(GuestTrapped, match="realloc return: result not aligned"),
    ):
        instance.call(None, "run")


@pytest.mark.parametrize("pages", [1, 100])
def test_memory_that_grows_in_between(engine: Engine, tmp_path: Any, pages: int) -> None:
    """Texts behind the former end of the memory arrive."""
    grow = f"""(drop (memory.grow (i32.const {pages})))
      (global.set $top (i32.mul (i32.sub (memory.size) (i32.const 1)) (i32.const 65536)))"""
    assert run(engine, tmp_path, giving(60, grow))[0] == ord("!")


def test_texts_that_overlap(engine: Engine, tmp_path: Any) -> None:
    """An allocator that returns one address again and again has the last text there."""
    guest = giving(2, "(global.set $calls (i32.const 1)) (return (i32.const 65500))")
    assert run(engine, tmp_path, guest)[0] == ord("!")


def test_counted_instructions_are_the_guests(tmp_path: Any) -> None:
    """Where they are counted, each text costs what the allocator does, and no more."""
    with make_engine(EngineSettings(pooling=False, fuel=True)) as engine:
        value, instance = run(engine, tmp_path, giving(0, ""))
        assert value == ord("!")
        # One list and a hundred texts.
        assert (instance.fuel_used or 0) < 101 * 25 + 50
        with pytest.raises(OutOfFuel):
            run(engine, tmp_path, giving(0, ""), InstanceLimits(fuel=1000))


def test_a_limit_that_leaves_no_room(engine: Engine, tmp_path: Any) -> None:
    """A guest with less memory than lists are staged in gets them all the same."""
    limits = InstanceLimits(memory_bytes=65536)
    assert run(engine, tmp_path, giving(0, ""), limits)[0] == ord("!")


def test_pooled_instances_on_threads(tmp_path: Any) -> None:
    """Instances that stage lists at the same time do not share what they stage them in."""
    with make_engine(EngineSettings(max_instances=4)) as engine:
        guest = prepared(engine, tmp_path, "(list string)")
        answers: list[bool] = []

        def work(mark: str) -> None:
            texts = [f"{mark} {number}" for number in range(300)]
            answers.extend(through(guest, texts)[0] == texts for _ in range(20))

        threads = [threading.Thread(target=work, args=(mark,)) for mark in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [True] * 40


def test_a_list_too_long_for_the_abi(echoes: Echoes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list within a large list that is longer than any may be is refused, not cut."""
    monkeypatch.setattr(staging, "MAX_LIST_BYTES", 1000)
    monkeypatch.setattr(text, "MAX_LIST_BYTES", 1000)
    rows: list[Any] = [[("nothing", None)]] * 63
    assert through(echoes.staged["rows"], rows)[0] == rows
    with pytest.raises(ValueError, match="exceed the maximum"):
        through(echoes.staged["rows"], [*rows, [("nothing", None)] * 200])
