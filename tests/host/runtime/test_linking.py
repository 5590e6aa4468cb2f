"""Components meet host functions: what is found, what crosses, and what fails."""

import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgezero_spin.host.errors import (
    GuestTrapped,
    InstanceError,
    LinkError,
    Trap,
    WitError,
)
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from edgezero_spin.host.runtime.interface import Interface
from edgezero_spin.host.runtime.linking import ROOT, find_interface, link
from tests.host.runtime.wat import (
    CALL,
    HOST,
    MEMORY,
    State,
    function_text,
    instance_of,
    linked_to,
    loaded,
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine without a pool: these components are tiny."""
    with make_engine(EngineSettings(pooling=False)) as engine:
        yield engine


UNREACHABLE = function_text("(unreachable)")


# --- finding interfaces ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "offered", "found"),
    [
        ("wasi:io/streams@0.2.0", ["wasi:io/streams"], "wasi:io/streams"),
        ("wasi:io/streams@0.2.11", ["wasi:io/streams"], "wasi:io/streams"),
        ("wasi:cli/exit@0.3.0", ["wasi:cli/exit", "wasi:cli/exit@0.3"], "wasi:cli/exit@0.3"),
        ("wasi:cli/exit@0.3.7", ["wasi:cli/exit@0.3"], "wasi:cli/exit@0.3"),
        ("wasi:cli/exit@0.3.0-rc-2026-03-15", ["wasi:cli/exit@0.3"], "wasi:cli/exit@0.3"),
        ("wasi:cli/exit@0.3.0-rc-2026-01-06", ["wasi:cli/exit@0.3"], None),
        ("wasi:cli/exit@0.2.0-rc-2026-03-15", ["wasi:cli/exit"], None),
        ("wasi:io/streams@0.3.0", ["wasi:io/streams"], None),
        ("wasi:io/streams@0.2.0-rc-2023-11-10", ["wasi:io/streams"], None),
        ("wasi:keyvalue/store@0.2.0-draft2", ["wasi:keyvalue/store"], None),
        (
            "wasi:keyvalue/store@0.2.0-draft2",
            ["wasi:keyvalue/store@0.2.0-draft2"],
            "wasi:keyvalue/store@0.2.0-draft2",
        ),
        (
            "wasi:io/streams@0.2.1",
            ["wasi:io/streams", "wasi:io/streams@0.2.1"],
            "wasi:io/streams@0.2.1",
        ),
        ("fermyon:spin/variables@2.0.0", ["fermyon:spin/variables"], None),
        ("fermyon:spin/variables", ["fermyon:spin/variables"], "fermyon:spin/variables"),
    ],
)
def test_find_interface(asked: str, offered: list[str], found: str | None) -> None:
    """The exact name wins; releases of 0.2, and 0.3 with its candidate, share an interface."""
    # ENV-22, XP-2
    interface = find_interface(asked, {name: Interface(name) for name in offered})
    assert (interface.name if interface else None) == found


# --- host functions -------------------------------------------------------------------------


def test_call_through(engine: Engine, tmp_path: Path) -> None:
    """A guest calls a host function with the state of its instance."""
    linked = linked_to(engine, tmp_path, CALL, {"call": lambda state: state.seen.append(1)})
    with instance_of(linked) as instance:
        assert instance.call(None, "run") == 7
        assert instance.state.seen == [1]


def test_root_function(engine: Engine, tmp_path: Path) -> None:
    """A function that the world imports by itself is found under ROOT."""
    text = """
(component
  (import "answer" (func $answer (result u32)))
  (core func $lowered (canon lower (func $answer)))
  (core module $module
    (import "" "answer" (func $answer (result i32)))
    (func (export "run") (result i32) (call $answer)))
  (core instance $core (instantiate $module
    (with "" (instance (export "answer" (func $lowered))))))
  (func (export "run") (result u32) (canon lift (core func $core "run"))))
"""
    root = Interface(ROOT, {"answer": lambda state: 42})
    linked = link(engine, loaded(engine, tmp_path, text), {ROOT: root})
    with instance_of(linked) as instance:
        assert instance.call(None, "run") == 42


def many_arguments(count: int) -> str:
    """Return a component that passes ``count`` numbers through the host function ``sum``."""
    parameters = " ".join(f'(param "p{index}" u32)' for index in range(count))
    core = "(param" + " i32" * count + ")" if count else ""
    gets = " ".join(f"(local.get {index})" for index in range(count))
    return f"""
(component
  (import "{HOST}" (instance $host (export "sum" (func {parameters} (result u32)))))
  (core func $lowered (canon lower (func $host "sum")))
  (core module $module
    (import "" "sum" (func $sum {core} (result i32)))
    (func (export "run") {core} (result i32) (call $sum {gets})))
  (core instance $core (instantiate $module
    (with "" (instance (export "sum" (func $lowered))))))
  (func (export "run") {parameters} (result u32) (canon lift (core func $core "run"))))
"""


@pytest.mark.parametrize("count", range(6))
def test_argument_counts(engine: Engine, tmp_path: Path, count: int) -> None:
    """Arguments arrive in order, however many there are."""
    seen: list[tuple[int, ...]] = []

    def add(state: State, *numbers: int) -> int:
        seen.append(numbers)
        return sum(numbers)

    linked = linked_to(engine, tmp_path, many_arguments(count), {"sum": add})
    with instance_of(linked) as instance:
        assert instance.call(None, "run", *range(count)) == sum(range(count))
        with pytest.raises(TypeError, match=f"takes {count} arguments"):
            instance.call(None, "run", *range(count + 1))
    assert seen == [tuple(range(count))]


FALLIBLE = f"""
(component
  (import "{HOST}" (instance $host
    (export "try" (func (param "n" u32) (result (result u32 (error string)))))))
  {MEMORY}
  (core func $lowered (canon lower (func $host "try") (memory $memory) (realloc $realloc)))
  (core module $module
    (import "" "try" (func $try (param i32 i32)))
    (func (export "run") (param i32) (result i32)
      (call $try (local.get 0) (i32.const 16)) (i32.const 16)))
  (core instance $core (instantiate $module
    (with "" (instance (export "try" (func $lowered))))))
  (func (export "run") (param "n" u32) (result (result u32 (error string)))
    (canon lift (core func $core "run") (memory $memory) (realloc $realloc))))
"""


def test_result_at_the_top(engine: Engine, tmp_path: Path) -> None:
    """A host function returns ok and raises err; a caller of an export gets the same."""

    def attempt(state: State, number: int) -> int:
        if number > 9:
            raise WitError(f"{number} is too large")
        return number + 1

    linked = linked_to(engine, tmp_path, FALLIBLE, {"try": attempt})
    with instance_of(linked) as instance:
        assert instance.call(None, "run", 1) == 2
        with pytest.raises(WitError) as caught:
            instance.call(None, "run", 10)
        assert caught.value.payload == "10 is too large"
        assert instance.call(None, "run", 2) == 3


def test_wit_error_without_a_result_type(engine: Engine, tmp_path: Path) -> None:
    """WitError from a function that cannot fail in WIT stops the guest and reaches the caller."""

    def refuse(state: State) -> None:
        raise WitError("nobody asked")

    linked = linked_to(engine, tmp_path, CALL, {"call": refuse})
    with instance_of(linked) as instance:
        with pytest.raises(WitError, match="nobody asked"):
            instance.call(None, "run")
        with pytest.raises(InstanceError, match="stopped in an earlier call"):
            instance.call(None, "run")


# --- failures -------------------------------------------------------------------------------


class _BoomError(Exception):
    pass


def _boom(state: State) -> None:
    raise _BoomError("from the host")


def test_exception_of_a_host_function(engine: Engine, tmp_path: Path) -> None:
    """What a host function raises comes out of call, with the line that raised it."""
    linked = linked_to(engine, tmp_path, CALL, {"call": _boom})
    with instance_of(linked) as instance:
        with pytest.raises(_BoomError) as caught:
            instance.call(None, "run")
        frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert frames[-1] == "_boom"


def test_interrupt_passes_through(engine: Engine, tmp_path: Path) -> None:
    """Not even KeyboardInterrupt is lost inside the engine."""

    def interrupt(state: State) -> None:
        raise KeyboardInterrupt

    linked = linked_to(engine, tmp_path, CALL, {"call": interrupt})
    with instance_of(linked) as instance, pytest.raises(KeyboardInterrupt):
        instance.call(None, "run")


def test_exceptions_do_not_cross_threads(engine: Engine, tmp_path: Path) -> None:
    """Each of several failing instances raises its own exception, never another's."""

    def fail(state: State) -> None:
        raise _BoomError(state.seen[0])

    linked = linked_to(engine, tmp_path, CALL, {"call": fail})
    wrong: list[object] = []
    start = threading.Barrier(4)

    def work(number: int) -> None:
        start.wait()
        for turn in range(100):
            with instance_of(linked) as instance:
                instance.state.seen.append((number, turn))
                try:
                    instance.call(None, "run")
                except _BoomError as error:
                    if error.args != ((number, turn),):
                        wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_nested_instances(engine: Engine, tmp_path: Path) -> None:
    """A host function may run another instance; failures find their own way out."""
    inner = linked_to(engine, tmp_path, CALL, {"call": _boom})

    def run_inner(state: State) -> None:
        with instance_of(inner) as instance, pytest.raises(_BoomError):
            instance.call(None, "run")
        state.seen.append("inner failed")

    outer = linked_to(engine, tmp_path, CALL, {"call": run_inner})
    with instance_of(outer) as instance:
        assert instance.call(None, "run") == 7
        assert instance.state.seen == ["inner failed"]


def test_trap(engine: Engine, tmp_path: Path) -> None:
    """A wasm trap becomes GuestTrapped with a short message and the wasm frames."""
    linked = linked_to(engine, tmp_path, UNREACHABLE, {"call": lambda state: None})
    with instance_of(linked) as instance:
        with pytest.raises(GuestTrapped) as caught:
            instance.call(None, "run")
        assert type(caught.value) is GuestTrapped
        assert "unreachable" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "wasm backtrace" in caught.value.backtrace
        with pytest.raises(InstanceError):
            instance.call(None, "run")


def test_deliberate_trap(engine: Engine, tmp_path: Path) -> None:
    """A Trap that a host function raises gains the wasm frames."""

    def trap(state: State) -> None:
        raise Trap("the stream is closed")

    linked = linked_to(engine, tmp_path, CALL, {"call": trap})
    with instance_of(linked) as instance, pytest.raises(Trap) as caught:
        instance.call(None, "run")
    assert str(caught.value) == "the stream is closed"
    assert "wasm backtrace" in caught.value.backtrace


@pytest.mark.parametrize("known", [True, False], ids=["function", "interface"])
def test_unknown_import(engine: Engine, tmp_path: Path, known: bool) -> None:
    """What the host lacks stops the guest only when called, and is named with a remedy."""
    component = loaded(engine, tmp_path, CALL)
    linked = link(engine, component, {HOST: Interface(HOST)} if known else {})
    with instance_of(linked) as instance, pytest.raises(Trap) as caught:
        instance.call(None, "run")
    assert f"call of {HOST}" in str(caught.value)
    assert "spin up" in str(caught.value)


def test_unused_import_of_wasi_03(engine: Engine, tmp_path: Path) -> None:
    """A component that imports a stream of WASI 0.3 and does not use it runs."""  # GEN-7
    text = function_text("(i32.const 7)").replace(
        '(export "call" (func))',
        '(export "call" (func)) (export "s" (func (param "x" (stream u8))))',
    )
    with instance_of(linked_to(engine, tmp_path, text, {})) as instance:
        assert instance.call(None, "run") == 7


def test_missing_exports(engine: Engine, tmp_path: Path) -> None:
    """Asking for an export that is not there says what is."""
    linked = linked_to(engine, tmp_path, CALL, {})
    assert linked.exports == ("run",)
    with instance_of(linked) as instance:
        with pytest.raises(InstanceError, match=r"wasi:http/incoming-handler \(exported: run\)"):
            instance.call("wasi:http/incoming-handler", "handle")
        with pytest.raises(InstanceError, match="walk"):
            instance.call(None, "walk")


def exporting(name: str) -> str:
    """Return a component that exports an interface ``name`` with the function ``go``."""
    return f"""
(component
  (core module $module (func (export "go") (result i32) (i32.const 3)))
  (core instance $core (instantiate $module))
  (func $go (result u32) (canon lift (core func $core "go")))
  (instance $api (export "go" (func $go)))
  (export "{name}" (instance $api)))
"""


@pytest.mark.parametrize(
    ("exported", "asked", "found"),
    [
        ("wasi:http/incoming-handler@0.2.0", "wasi:http/incoming-handler", True),
        ("wasi:http/incoming-handler@0.2.9", "wasi:http/incoming-handler", True),
        ("wasi:http/incoming-handler@0.2.9", "wasi:http/incoming-handler@0.2.9", True),
        ("wasi:http/incoming-handler@0.2.9", "wasi:http/incoming-handler@0.2.0", False),
        ("wasi:http/handler@0.3.0", "wasi:http/handler", False),
    ],
)
def test_export_versions(
    engine: Engine, tmp_path: Path, exported: str, asked: str, found: bool
) -> None:
    """An interface without a version finds any WASI 0.2 release of it, and nothing newer."""
    linked = link(engine, loaded(engine, tmp_path, exporting(exported)), {})
    assert linked.export_of(asked) == (exported if found else None)
    if found:
        with instance_of(linked) as instance:
            assert instance.call(asked, "go") == 3


def test_another_engine(engine: Engine, tmp_path: Path) -> None:
    """A component of one engine is not linked with another."""
    with make_engine(EngineSettings(pooling=False)) as other, pytest.raises(LinkError):
        link(other, loaded(engine, tmp_path, CALL), {})
