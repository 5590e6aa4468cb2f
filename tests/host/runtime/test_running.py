"""Instances that run: their limits, their end, and what they leave."""

import contextlib
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host.errors import (
    ComponentError,
    DeadlineExceeded,
    EngineBusy,
    GuestTrapped,
    InstanceError,
    OutOfFuel,
    OutOfMemory,
)
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, InstanceLimits, make_engine
from tests.host.runtime.wat import CALL, HOST, State, function_text, instance_of, linked_to


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine without a pool: these components are tiny."""
    with make_engine(EngineSettings(pooling=False)) as engine:
        yield engine


LOOP = function_text("(loop $again (br $again)) (unreachable)")


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


def _tables(start: str) -> str:
    return f"""(component
      (core module $m {start}
        (func (export "run") (result i32)
          (table.grow 0 (ref.null func) (i32.const 150000))
          (table.grow 0 (ref.null func) (i32.const 150000))
          i32.sub))
      (core instance $i (instantiate $m))
      (func (export "run") (result s32) (canon lift (core func $i "run"))))"""


@pytest.mark.parametrize("pooling", [False, True])
def test_tables_have_an_end(tmp_path: Path, pooling: bool) -> None:
    """Growing one past 200 000 elements fails in the guest, and none begins larger.

    Without a pool as with one: elements are memory of the host that no other limit counts.
    """
    with make_engine(EngineSettings(pooling=pooling, max_instances=2)) as engine:
        with instance_of(linked_to(engine, tmp_path, _tables("(table 1 funcref)"), {})) as one:
            assert one.call(None, "run") == 1 - -1
        with pytest.raises((GuestTrapped, ComponentError), match="table"):
            instance_of(linked_to(engine, tmp_path, _tables("(table 200001 funcref)"), {}))


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
        pytest.param(TAKE_BYTES_IN_A_LIST, 127 * MIB, 129 * MIB, id="inside another value"),
    ],
)
def test_the_most_bytes_that_one_call_carries(
    text: str, size: int, larger: int, engine: Engine, tmp_path: Path
) -> None:
    """What is past the limit is a trap that says what the limit is, here and in Spin."""
    sizes: list[int] = []

    def take(state: State, data: bytes | list[bytes]) -> None:
        sizes.append(len(data if isinstance(data, bytes) else data[0]))

    linked = linked_to(engine, tmp_path, text, {"call": take})
    with linked.instantiate(State()) as instance:
        instance.call(None, "run", size)
        assert sizes == [size]
        with pytest.raises(GuestTrapped, match="128 MiB cross"):
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


class _BoomError(Exception):
    """Raised by a host function of these tests."""


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
