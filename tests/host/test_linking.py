"""Components meet host functions: imports, resources, failures and the limits of instances."""

import contextlib
import gc
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host.engine import Engine, EngineSettings, InstanceLimits, make_engine
from edgezero_spin.host.errors import (
    ComponentError,
    DeadlineExceeded,
    EngineBusy,
    GuestTrapped,
    InstanceError,
    LinkError,
    OutOfFuel,
    OutOfMemory,
    Trap,
    WitError,
)
from edgezero_spin.host.interface import HostFunction, Interface
from edgezero_spin.host.linking import ROOT, find_interface, link
from edgezero_spin.host.resources import ResourceTable
from edgezero_spin.host.values import GuestResource
from tests.host.wat import HOST, MEMORY, State, instance_of, linked_to, loaded


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine without a pool: these components are tiny."""
    with make_engine(EngineSettings(pooling=False)) as engine:
        yield engine


def function_text(core: str, type_: str = "(result u32)", core_type: str = "(result i32)") -> str:
    """Return a component that exports ``run`` and imports ``call: func()`` of the host."""
    return f"""
(component
  (import "{HOST}" (instance $host (export "call" (func))))
  (core func $call (canon lower (func $host "call")))
  (core module $module
    (import "host" "call" (func $call))
    (memory (export "memory") 1)
    (func (export "run") {core_type} {core}))
  (core instance $core (instantiate $module
    (with "host" (instance (export "call" (func $call))))))
  (func (export "run") {type_} (canon lift (core func $core "run"))))
"""


CALL = function_text("(call $call) (i32.const 7)")
LOOP = function_text("(loop $again (br $again)) (unreachable)")
UNREACHABLE = function_text("(unreachable)")


# --- finding interfaces ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "offered", "found"),
    [
        ("wasi:io/streams@0.2.0", ["wasi:io/streams"], "wasi:io/streams"),
        ("wasi:io/streams@0.2.11", ["wasi:io/streams"], "wasi:io/streams"),
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
    """The exact name wins; only released WASI 0.2 versions share an interface."""
    # ENV-22
    interface = find_interface(asked, {name: Interface(name) for name in offered})
    assert (interface.name if interface else None) == found


# --- host functions -------------------------------------------------------------------------


def test_call_through(engine: Engine, tmp_path: Path) -> None:
    """A guest calls a host function with the state of its instance."""
    linked = linked_to(engine, tmp_path, CALL, {"call": lambda state: state.seen.append(1)})
    with instance_of(linked) as instance:
        assert instance.call(None, "run") == 7
        assert instance.scope.state.seen == [1]


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
        assert instance.scope.error is None


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
                instance.scope.state.seen.append((number, turn))
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
        assert instance.scope.state.seen == ["inner failed"]


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


def test_unknown_import_of_wasi_03(engine: Engine, tmp_path: Path) -> None:
    """A component with the streams of WASI 0.3 is refused, with what would run it."""  # GEN-7
    text = function_text("(i32.const 7)").replace(
        '(export "call" (func))',
        '(export "call" (func)) (export "s" (func (param "x" (stream u8))))',
    )
    with pytest.raises(ComponentError, match=r"needs WASI 0\.3 .*`spin up`"):
        loaded(engine, tmp_path, text)


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


# --- limits ---------------------------------------------------------------------------------


def test_deadline(engine: Engine, tmp_path: Path) -> None:
    """An endless loop ends at its deadline; other instances go on."""
    # LIFE-6
    endless = linked_to(engine, tmp_path, LOOP, {"call": lambda state: None})
    quick = linked_to(engine, tmp_path, CALL, {"call": lambda state: None})
    with instance_of(quick) as other:
        with (
            instance_of(endless, InstanceLimits(deadline_s=0.05)) as instance,
            pytest.raises(DeadlineExceeded),
        ):
            instance.call(None, "run")
        assert other.call(None, "run") == 7


def test_deadlines_again_after_a_rest(engine: Engine, tmp_path: Path) -> None:
    """The clock starts again for the next deadline after all were released."""
    endless = linked_to(engine, tmp_path, LOOP, {"call": lambda state: None})
    for _ in range(3):
        with (
            instance_of(endless, InstanceLimits(deadline_s=0.02)) as instance,
            pytest.raises(DeadlineExceeded),
        ):
            instance.call(None, "run")


def test_fuel(tmp_path: Path) -> None:
    """Fuel is counted to the unit, and running out has an error of its own."""
    with make_engine(EngineSettings(pooling=False, fuel=True)) as engine:
        linked = linked_to(engine, tmp_path, CALL, {"call": lambda state: None})
        spent = []
        for _ in range(2):
            with instance_of(linked) as instance:
                instance.call(None, "run")
            spent.append(instance.fuel_used)
        assert spent[0] is not None and spent[0] > 0
        assert spent[0] == spent[1]
        endless = linked_to(engine, tmp_path, LOOP, {"call": lambda state: None})
        with (
            instance_of(endless, InstanceLimits(fuel=10_000)) as instance,
            pytest.raises(OutOfFuel),
        ):
            instance.call(None, "run")
        assert instance.fuel_used == 10_000


def test_no_fuel_is_counted_unless_asked(engine: Engine, tmp_path: Path) -> None:
    """Without the setting there is no figure, and a fuel limit is refused."""
    linked = linked_to(engine, tmp_path, CALL, {"call": lambda state: None})
    with instance_of(linked) as instance:
        assert instance.fuel_used is None
    with pytest.raises(InstanceError, match="fuel=True"):
        instance_of(linked, InstanceLimits(fuel=1))


GROW = function_text("(memory.grow (i32.const 99))")


def test_memory_limit_when_growing(engine: Engine, tmp_path: Path) -> None:
    """Growing past the limit fails inside the guest, as WASM has it."""
    # LIFE-9
    linked = linked_to(engine, tmp_path, GROW, {"call": lambda state: None})
    with instance_of(linked, InstanceLimits(memory_bytes=100 * 65536)) as instance:
        assert instance.call(None, "run") == 1
    with instance_of(linked, InstanceLimits(memory_bytes=99 * 65536)) as instance:
        assert instance.call(None, "run") == 2**32 - 1


@pytest.mark.parametrize("pooling", [False, True])
def test_memory_limit_at_start(tmp_path: Path, pooling: bool) -> None:
    """A component that needs more than its limit to start does not start."""
    settings = EngineSettings(pooling=pooling, max_instances=2)
    with make_engine(settings) as engine:
        linked = linked_to(engine, tmp_path, CALL, {"call": lambda state: None})
        with pytest.raises(OutOfMemory):
            instance_of(linked, InstanceLimits(memory_bytes=1000))
        with instance_of(linked) as instance:
            assert instance.call(None, "run") == 7


def bytes_text(type_: str, exported: str) -> str:
    """Return a component that exports ``run`` and imports ``call`` of some type with bytes."""
    return f"""
(component
  (import "{HOST}" (instance $host (export "call" (func {type_}))))
  (core module $memory
    (memory (export "memory") 2400)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64)))
  (core instance $memory-instance (instantiate $memory))
  (alias core export $memory-instance "memory" (core memory $bytes))
  (alias core export $memory-instance "cabi_realloc" (core func $realloc))
  (core func $call
    (canon lower (func $host "call") (memory $bytes) (realloc $realloc)))
  (core module $module
    (import "host" "call" (func $call (param i32 i32)))
    (import "memory" "memory" (memory 0))
    {exported})
  (core instance $core (instantiate $module
    (with "host" (instance (export "call" (func $call))))
    (with "memory" (instance $memory-instance))))
  (func (export "run") (param "size" u32) (result u32) (canon lift (core func $core "run"))))
"""


TAKE_BYTES = bytes_text(
    '(param "data" (list u8))',
    """(func (export "run") (param i32) (result i32)
      (call $call (i32.const 0) (local.get 0)) (local.get 0))""",
)
GIVE_BYTES = bytes_text(
    '(param "size" u32) (result (list u8))',
    """(func (export "run") (param i32) (result i32)
      (call $call (local.get 0) (i32.const 16)) (i32.load (i32.const 20)))""",
)
TAKE_BYTES_IN_A_LIST = bytes_text(
    '(param "data" (list (list u8)))',
    """(func (export "run") (param i32) (result i32)
      (i32.store (i32.const 16) (i32.const 1024))
      (i32.store (i32.const 20) (local.get 0))
      (call $call (i32.const 16) (i32.const 1)) (local.get 0))""",
)
MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("text", "size", "larger"),
    [
        pytest.param(TAKE_BYTES, 127 * MIB, 129 * MIB, id="by themselves"),
        pytest.param(TAKE_BYTES_IN_A_LIST, 2_000_000, 4_000_000, id="inside another value"),
    ],
)
def test_the_most_bytes_that_one_call_carries(
    text: str, size: int, larger: int, engine: Engine, tmp_path: Path
) -> None:
    """What is past the limit is a trap that says what the limits are, here and in Spin."""
    sizes: list[int] = []

    def take(state: State, data: bytes | list[bytes]) -> None:
        sizes.append(len(data if isinstance(data, bytes) else data[0]))

    linked = linked_to(engine, tmp_path, text, {"call": take})
    with linked.instantiate(State()) as instance:
        instance.call(None, "run", size)
        assert sizes == [size]
        with pytest.raises(GuestTrapped, match="128 MiB cross, but of bytes inside other values"):
            instance.call(None, "run", larger)


def test_a_guest_is_given_megabytes_in_one_call(engine: Engine, tmp_path: Path) -> None:
    """As many as fit into its memory."""
    data = bytes(range(256)) * 4096
    linked = linked_to(engine, tmp_path, GIVE_BYTES, {"call": lambda state, size: data * size})
    with linked.instantiate(State()) as instance:
        assert instance.call(None, "run", 40) == 40 * MIB


def test_pool_is_full(tmp_path: Path) -> None:
    """One instance too many is refused with an error of its own, until another closes."""
    with make_engine(EngineSettings(pooling=True, max_instances=2)) as engine:
        assert engine.pooling
        linked = linked_to(engine, tmp_path, CALL, {"call": lambda state: None})
        first, second = instance_of(linked), instance_of(linked)
        with pytest.raises(EngineBusy):
            instance_of(linked)
        first.close()
        with instance_of(linked) as third:
            assert third.call(None, "run") == 7
        second.close()


def test_closing(engine: Engine, tmp_path: Path) -> None:
    """A closed instance can be closed again, and refuses calls."""
    linked = linked_to(engine, tmp_path, CALL, {"call": lambda state: None})
    instance = instance_of(linked)
    instance.close()
    instance.close()
    with pytest.raises(InstanceError, match="closed"):
        instance.call(None, "run")


def test_one_call_at_a_time(engine: Engine, tmp_path: Path) -> None:
    """A host function can neither call into its own instance nor close it."""
    holder: list[Any] = []

    def reenter(state: State) -> None:
        with pytest.raises(InstanceError, match="in a call"):
            holder[0].call(None, "run")
        with pytest.raises(InstanceError, match="in a call"):
            holder[0].close()

    linked = linked_to(engine, tmp_path, CALL, {"call": reenter})
    with instance_of(linked) as instance:
        holder.append(instance)
        assert instance.call(None, "run") == 7


def _resident_kib() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def _open_files() -> set[tuple[str, str]]:
    """Number and target of every descriptor, but the one that lists them."""
    found = set()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add((path.name, str(path.readlink())))
    return found


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize("pooling", [False, True])
def test_instances_leave_nothing(tmp_path: Path, pooling: bool) -> None:
    """Memory and open files stay flat over thousands of instances, failing ones included."""
    with make_engine(EngineSettings(pooling=pooling, max_instances=2)) as engine:
        linked = linked_to(engine, tmp_path, CALL, {"call": _boom_for_odd})

        def turns(count: int) -> None:
            for number in range(count):
                state = State(seen=[number])
                with linked.instantiate(state) as instance:
                    if number % 2:
                        with pytest.raises(_BoomError):
                            instance.call(None, "run")
                    else:
                        instance.call(None, "run")

        turns(500)
        # What earlier tests left goes now, not while the instances are counted.
        gc.collect()
        memory, files = _resident_kib(), _open_files()
        turns(3000)
        # One forgotten store per instance would be at least 3000 times 4 KiB.
        assert _resident_kib() - memory < 4000
        assert _open_files() == files


def _boom_for_odd(state: State) -> None:
    if state.seen[0] % 2:
        raise _BoomError


# --- resources ------------------------------------------------------------------------------


class Thing:
    """A host resource that remembers its end."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.dropped_with: object = None

    def drop(self, state: object) -> None:
        self.dropped_with = state


def things_text(first: str, second: str) -> str:
    """Return a component that imports the resource ``thing`` from two interfaces.

    ``second`` only uses it, as ``wasi:http/types`` uses streams.
    """
    return f"""
(component
  (import "{first}" (instance $first
    (export "thing" (type $thing (sub resource)))
    (export "[constructor]thing" (func (param "n" u32) (result (own $thing))))
    (export "[method]thing.number" (func (param "self" (borrow $thing)) (result u32)))
    (export "[static]thing.eat" (func (param "it" (own $thing)) (result u32)))))
  (alias export $first "thing" (type $thing))
  (import "{second}" (instance $second
    (alias outer 1 $thing (type $outer))
    (export "object" (type $object (eq $outer)))
    (export "peek" (func (param "it" (borrow $object)) (result u32)))))
  (core func $new (canon lower (func $first "[constructor]thing")))
  (core func $number (canon lower (func $first "[method]thing.number")))
  (core func $eat (canon lower (func $first "[static]thing.eat")))
  (core func $peek (canon lower (func $second "peek")))
  (core func $drop (canon resource.drop $thing))
  (core module $module
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "number" (func $number (param i32) (result i32)))
    (import "" "eat" (func $eat (param i32) (result i32)))
    (import "" "peek" (func $peek (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
    (func (export "use") (param i32) (result i32) (local $it i32) (local $sum i32)
      (local.set $it (call $new (local.get 0)))
      (local.set $sum (i32.add (call $number (local.get $it)) (call $peek (local.get $it))))
      (call $drop (local.get $it))
      (local.get $sum))
    (func (export "feed") (param i32) (result i32) (call $eat (call $new (local.get 0))))
    (func (export "look") (param i32) (result i32) (local $n i32)
      (local.set $n (call $peek (local.get 0)))
      (call $drop (local.get 0))
      (local.get $n))
    (func (export "swallow") (param i32)))
  (core instance $core (instantiate $module (with "" (instance
    (export "new" (func $new)) (export "number" (func $number)) (export "eat" (func $eat))
    (export "peek" (func $peek)) (export "drop" (func $drop))))))
  (func (export "make") (param "n" u32) (result (own $thing))
    (canon lift (core func $core "make")))
  (func (export "use") (param "n" u32) (result u32) (canon lift (core func $core "use")))
  (func (export "feed") (param "n" u32) (result u32) (canon lift (core func $core "feed")))
  (func (export "look") (param "it" (borrow $thing)) (result u32)
    (canon lift (core func $core "look")))
  (func (export "swallow") (param "it" (own $thing)) (canon lift (core func $core "swallow"))))
"""


def _new(state: State, number: int) -> Thing:
    thing = Thing(number)
    state.seen.append(thing)
    return thing


def _number(state: State, thing: Thing) -> int:
    return thing.number


FIRST = Interface(
    "wasi:first/api",
    {
        "[constructor]thing": _new,
        "[method]thing.number": _number,
        "[static]thing.eat": _number,
    },
    {"thing": Thing},
)
SECOND = Interface("wasi:second/api", {"peek": _number}, {"object": Thing})
THINGS = {interface.name: interface for interface in (FIRST, SECOND)}


@pytest.fixture(params=["0.2.0 0.2.0", "0.2.0 0.2.9"])
def things(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> Any:
    """An instance that shares a resource between interfaces, also of different releases."""
    first, second = request.param.split()
    text = things_text(f"wasi:first/api@{first}", f"wasi:second/api@{second}")
    with instance_of(link(engine, loaded(engine, tmp_path, text), THINGS)) as instance:
        yield instance


def test_resource_is_shared_and_dropped(things: Any) -> None:
    """A guest's handle reaches the object through both interfaces; dropping it drops the object."""
    state = things.scope.state
    assert things.call(None, "use", 21) == 42
    (thing,) = state.seen
    assert thing.dropped_with is state
    assert len(state.table) == 0


def test_own_argument_leaves_the_table(things: Any) -> None:
    """An object that the guest gives away is the host's to keep: not dropped, not held."""
    assert things.call(None, "feed", 5) == 5
    (thing,) = things.scope.state.seen
    assert thing.dropped_with is None
    assert len(things.scope.state.table) == 0


def test_own_result_of_an_export(things: Any) -> None:
    """An export that returns a resource hands over the very object."""
    thing = things.call(None, "make", 9)
    assert thing is things.scope.state.seen[0]
    assert len(things.scope.state.table) == 0


def test_borrow_argument_of_an_export(things: Any) -> None:
    """An object can be lent to an export; afterwards nothing of it stays in the instance."""
    thing = Thing(6)
    for _ in range(3):
        assert things.call(None, "look", thing) == 6
    assert len(things.scope.state.table) == 0
    assert thing.dropped_with is None


def test_own_argument_of_an_export(things: Any) -> None:
    """An object given to an export is the instance's, and dropped when the instance closes."""
    thing = Thing(6)
    state = things.scope.state
    things.call(None, "swallow", thing)
    assert len(state.table) == 1
    things.close()
    assert thing.dropped_with is state


def test_wrong_class(things: Any) -> None:
    """An object of another class is not taken for the resource."""
    with pytest.raises(Exception, match="own<thing>"):
        things.call(None, "swallow", object())


def test_destructor_that_fails(engine: Engine, tmp_path: Path) -> None:
    """An exception while the guest drops a handle stops the guest, as in any host function."""

    class Stubborn(Thing):
        def drop(self, state: object) -> None:
            raise _BoomError("never")

    interfaces = {
        "wasi:first/api": Interface(
            "wasi:first/api",
            {**FIRST.functions, "[constructor]thing": lambda state, n: Stubborn(n)},
            {"thing": Stubborn},
        ),
        "wasi:second/api": Interface("wasi:second/api", SECOND.functions, {"object": Stubborn}),
    }
    text = things_text("wasi:first/api@0.2.0", "wasi:second/api@0.2.0")
    linked = link(engine, loaded(engine, tmp_path, text), interfaces)
    with instance_of(linked) as instance, pytest.raises(_BoomError):
        instance.call(None, "use", 1)


def test_resource_limit(engine: Engine, tmp_path: Path) -> None:
    """A guest that hoards handles is stopped at its table's limit, and only that guest."""
    text = things_text("wasi:first/api@0.2.0", "wasi:second/api@0.2.0")
    linked = link(engine, loaded(engine, tmp_path, text), THINGS)
    state = State(table=ResourceTable(limit=2))
    with linked.instantiate(state) as instance:
        instance.call(None, "swallow", Thing(1))
        instance.call(None, "swallow", Thing(2))
        with pytest.raises(Trap, match="holds 2 host resources"):
            instance.call(None, "use", 1)
        assert len(state.seen) == 1


GUEST_RESOURCE = """
(component
  (core module $ends-module
    (global $ends (mut i32) (i32.const 0))
    (func (export "end") (param i32)
      (global.set $ends (i32.add (global.get $ends) (local.get 0))))
    (func (export "ends") (result i32) (global.get $ends)))
  (core instance $ends (instantiate $ends-module))
  (type $box' (resource (rep i32) (dtor (core func $ends "end"))))
  (core func $new (canon resource.new $box'))
  (core module $module
    (import "" "new" (func $new (param i32) (result i32)))
    (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
    (func (export "rep") (param i32) (result i32) (local.get 0))
    (func (export "take") (param i32) (result i32) (local.get 0)))
  (core instance $core (instantiate $module
    (with "" (instance (export "new" (func $new))))))
  (export $box "box" (type $box'))
  (func (export "make") (param "n" u32) (result (own $box))
    (canon lift (core func $core "make")))
  (func (export "rep") (param "it" (borrow $box)) (result u32)
    (canon lift (core func $core "rep")))
  (func (export "take") (param "it" (own $box)) (result u32)
    (canon lift (core func $core "take")))
  (func (export "ends") (result u32) (canon lift (core func $ends "ends"))))
"""


def test_resources_of_the_guest(engine: Engine, tmp_path: Path) -> None:
    """A handle to the component's own resource can be lent, dropped and given back."""
    linked = link(engine, loaded(engine, tmp_path, GUEST_RESOURCE), {})
    with instance_of(linked) as instance, instance_of(linked) as other:
        box = instance.call(None, "make", 40)
        assert isinstance(box, GuestResource)
        assert instance.call(None, "rep", box) == 40
        with pytest.raises(Exception, match="GuestResource of this instance"):
            other.call(None, "rep", box)
        box.close()
        box.close()
        assert instance.call(None, "ends") == 40
        with pytest.raises(Exception, match="live GuestResource"):
            instance.call(None, "rep", box)
        given = instance.call(None, "make", 2)
        instance.call(None, "take", given)
        with pytest.raises(Exception, match="live GuestResource"):
            instance.call(None, "take", given)
        left = instance.call(None, "make", 3)
    left.close()


def test_another_engine(engine: Engine, tmp_path: Path) -> None:
    """A component of one engine is not linked with another."""
    with make_engine(EngineSettings(pooling=False)) as other, pytest.raises(LinkError):
        link(other, loaded(engine, tmp_path, CALL), {})


BOTH_TEXT = """
(component
  (import "test:host/api" (instance $host
    (export "thing" (type $thing (sub resource)))
    (export "[constructor]thing" (func (param "n" u32) (result (own $thing))))
    (export "both" (func
      (param "one" (borrow $thing)) (param "other" (borrow $thing)) (result u32)))))
  (core func $new (canon lower (func $host "[constructor]thing")))
  (core func $both (canon lower (func $host "both")))
  (core module $module
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "both" (func $both (param i32 i32) (result i32)))
    (func (export "run") (result i32)
      (call $both (call $new (i32.const 20)) (call $new (i32.const 22)))))
  (core instance $core (instantiate $module (with "" (instance
    (export "new" (func $new)) (export "both" (func $both))))))
  (func (export "run") (result u32) (canon lift (core func $core "run"))))
"""


def test_a_call_lends_two_handles(engine: Engine, tmp_path: Path) -> None:
    """As polling two pollables does; wasmtime 50.0 stops it unless its tasks are off."""
    functions: dict[str, HostFunction] = {
        "[constructor]thing": _new,
        "both": lambda state, one, other: one.number + other.number,
    }
    linked = linked_to(engine, tmp_path, BOTH_TEXT, functions, {"thing": Thing})
    with instance_of(linked) as instance:
        assert instance.call(None, "run") == 42
