"""Connections that are kept for the next handle."""

import threading
from collections.abc import Callable

import pytest

from edgezero_spin.host.factors.database_servers import pools
from edgezero_spin.host.factors.database_servers.pools import ConnectionPool


class Connection:
    """A connection that is as good as new whenever it is given back."""

    check: Callable[[], None]

    def __init__(self) -> None:
        self.closed = threading.Event()

    def begin_reset(self) -> bool:
        return True

    def finish_reset(self) -> bool:
        return True

    def abandon(self) -> None:
        self.closed.set()

    def close(self) -> None:
        self.closed.set()


def taken(pool: ConnectionPool[Connection]) -> Connection:
    """A connection of the pool."""
    assert pool.slots.claim()
    return pool.take(lambda: None, lambda address: False)


def test_an_unused_connection_is_closed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nobody uses the pool any more; each of those that came back."""
    monkeypatch.setattr(pools, "IDLE_S", 0.01)
    pool = ConnectionPool[Connection](lambda check, blocked: Connection())
    for _ in range(2):
        first, second = taken(pool), taken(pool)
        pool.give_back(first)
        pool.give_back(second)
        assert first.closed.wait(10) and second.closed.wait(10)
    pool.close()


def test_a_connection_is_used_again_and_closed_with_its_pool() -> None:
    """Unless it is in use: then it is closed when it comes back."""
    pool = ConnectionPool[Connection](lambda check, blocked: Connection())
    first = taken(pool)
    pool.give_back(first)
    assert taken(pool) is first
    second = taken(pool)
    pool.give_back(second)
    pool.close()
    pool.close()
    assert second.closed.is_set() and not first.closed.is_set()
    pool.give_back(first)
    assert first.closed.is_set()
