"""The table of host objects behind one instance's handles."""

import pytest

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.runtime.resources import ResourceTable


def test_push_get_take() -> None:
    """An object is found by its rep until it is taken."""
    table = ResourceTable()
    thing = object()
    rep = table.push(thing)
    assert table.get(rep) is thing
    assert len(table) == 1
    assert table.take(rep) is thing
    assert len(table) == 0


@pytest.mark.parametrize("method", ["get", "take"])
def test_stale_rep(method: str) -> None:
    """A rep is not used again, so a stale one is caught and never another object."""
    table = ResourceTable()
    stale = table.push("first")
    table.take(stale)
    table.push("second")
    with pytest.raises(Trap, match=f"resource {stale}"):
        getattr(table, method)(stale)


def test_limit() -> None:
    """The limit counts what is held, not what was ever pushed."""
    table = ResourceTable(limit=2)
    first = table.push("a")
    table.push("b")
    table.take(first)
    table.check_room(1)
    table.push("c")
    with pytest.raises(Trap, match="holds 2"):
        table.check_room(1)
    with pytest.raises(Trap, match="holds 2"):
        table.push("d")


def test_what_was_one_too_many_is_freed_with_the_rest() -> None:
    """It may be a connection or a file, and nobody else knows of it."""
    table = ResourceTable(limit=1)
    table.push("a")
    with pytest.raises(Trap):
        table.push("b")
    assert table.drain() == ["b", "a"]


def test_limit_below_one() -> None:
    """A table that can hold nothing is a mistake."""
    with pytest.raises(ValueError, match="at least 1"):
        ResourceTable(limit=0)


def test_drain() -> None:
    """The youngest comes out first, so children go before what they belong to."""
    table = ResourceTable()
    for name in ("body", "stream"):
        table.push(name)
    assert table.drain() == ["stream", "body"]
    assert len(table) == 0
