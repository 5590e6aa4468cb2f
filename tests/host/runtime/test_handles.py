"""Handles to resources, of the host and of the guest: lent, given away, dropped."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host.errors import (
    Trap,
)
from edgezero_spin.host.factors.wasi.io import Parent
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from edgezero_spin.host.runtime.handles import GuestResource
from edgezero_spin.host.runtime.interface import HostFunction, Interface
from edgezero_spin.host.runtime.linking import link
from edgezero_spin.host.runtime.resources import ResourceTable
from tests.host.runtime.wat import State, instance_of, linked_to, loaded


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine without a pool: these components are tiny."""
    with make_engine(EngineSettings(pooling=False)) as engine:
        yield engine


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
    state = things.state
    assert things.call(None, "use", 21) == 42
    (thing,) = state.seen
    assert thing.dropped_with is state
    assert len(state.table) == 0


class Family(Thing, Parent):
    """A thing that has as many children as its number says."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        for _ in range(number):
            self.adopt()


def test_a_resource_with_children_is_not_dropped(engine: Engine, tmp_path: Path) -> None:
    """The guest's drop traps, and the end of the instance drops the object all the same."""
    made: list[Family] = []

    def new(state: State, number: int) -> Family:
        made.append(Family(number))
        return made[-1]

    functions: dict[str, HostFunction] = {**FIRST.functions, "[constructor]thing": new}
    interfaces = {
        FIRST.name: Interface(FIRST.name, functions, {"thing": Family}),
        SECOND.name: Interface(SECOND.name, SECOND.functions, {"object": Family}),
    }
    text = things_text("wasi:first/api@0.2.0", "wasi:second/api@0.2.0")
    linked = link(engine, loaded(engine, tmp_path, text), interfaces)
    with instance_of(linked) as instance:
        assert instance.call(None, "use", 0) == 0
        with pytest.raises(Trap, match="the resource has children"):
            instance.call(None, "use", 1)
        assert made[1].dropped_with is None
        state = instance.state
    assert [family.dropped_with for family in made] == [state, state]


def test_own_argument_leaves_the_table(things: Any) -> None:
    """An object that the guest gives away is the host's to keep: not dropped, not held."""
    assert things.call(None, "feed", 5) == 5
    (thing,) = things.state.seen
    assert thing.dropped_with is None
    assert len(things.state.table) == 0


def test_own_result_of_an_export(things: Any) -> None:
    """An export that returns a resource hands over the very object."""
    thing = things.call(None, "make", 9)
    assert thing is things.state.seen[0]
    assert len(things.state.table) == 0


def test_borrow_argument_of_an_export(things: Any) -> None:
    """An object can be lent to an export; afterwards nothing of it stays in the instance."""
    thing = Thing(6)
    for _ in range(3):
        assert things.call(None, "look", thing) == 6
    assert len(things.state.table) == 0
    assert thing.dropped_with is None


def test_own_argument_of_an_export(things: Any) -> None:
    """An object given to an export is the instance's, and dropped when the instance closes."""
    thing = Thing(6)
    state = things.state
    things.call(None, "swallow", thing)
    assert len(state.table) == 1
    things.close()
    assert thing.dropped_with is state


def test_wrong_class(things: Any) -> None:
    """An object of another class is not taken for the resource."""
    with pytest.raises(Exception, match="own<thing>"):
        things.call(None, "swallow", object())


class _BoomError(Exception):
    """Raised by a host function of these tests."""


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
