"""How many connections an application may hold."""

import pytest

from edgezero_spin.host.factors.outbound_networking import connection_slots
from edgezero_spin.host.factors.outbound_networking.connection_slots import ConnectionSlots
from edgezero_spin.host.observers import ConnectionUse, Observer


@pytest.mark.parametrize(("most", "claims"), [(0, [False]), (1, [True, False]), (None, [True] * 3)])
def test_slots(most: int | None, claims: list[bool]) -> None:
    """As many as there are, and one more after a release (NET-42)."""
    slots = ConnectionSlots(most)
    assert [slots.claim() for _ in claims] == claims
    if most:
        slots.release()
        assert slots.claim()


def test_slots_of_a_kind_count_against_the_total() -> None:
    """What one kind holds is missing for another, and nothing is lost by being refused (NET-41)."""
    total = ConnectionSlots(2)
    http, redis = ConnectionSlots(None, total), ConnectionSlots(1, total)
    assert [http.claim(), redis.claim(), redis.claim(), http.claim()] == [True, True, False, False]
    redis.release()
    assert [http.claim(), redis.claim()] == [True, False]
    http.release()
    assert redis.claim()


def test_who_waits_is_told_of_each_release() -> None:
    """Of the same kind or another, as long as the wait lasts (NET-41)."""
    total = ConnectionSlots(2)
    http, redis = ConnectionSlots(1, total), ConnectionSlots(1, total)
    told: list[str] = []
    assert http.claim()
    assert redis.claim()
    with http.waiter(lambda: told.append("told")):
        assert not http.claim()
        redis.release()
        assert told == ["told"]
        http.release()
        assert len(told) > 1
    told.clear()
    assert http.claim()
    http.release()
    assert told == []


def test_no_slot_at_all_is_known_at_once() -> None:
    """Nobody has to wait for what there never is (NET-40)."""
    assert ConnectionSlots(0).none_at_all
    assert ConnectionSlots(1, ConnectionSlots(0)).none_at_all
    assert not ConnectionSlots(1, ConnectionSlots(1)).none_at_all


class Uses(Observer):
    """What became of connections."""

    def __init__(self, *kinds: ConnectionSlots) -> None:
        self.seen: list[ConnectionUse] = []
        for slots in kinds:
            slots.observer = self

    def connection_used(self, use: ConnectionUse) -> None:
        self.seen.append(use)


def test_an_observer_is_told_of_each_connection() -> None:
    """What became of it, which limit refused it, and how much of both is used then (TEL-43)."""
    total = ConnectionSlots(2)
    http, redis = ConnectionSlots(4, total, "http"), ConnectionSlots(1, total, "redis")
    uses = Uses(http, redis)
    assert redis.claim() and not redis.claim()
    redis.report_rejection()
    assert http.claim() and not http.claim()
    http.report_rejection()
    redis.release()
    assert uses.seen == [
        ConnectionUse("redis", "acquired", None, None, 1.0, 0.5),
        ConnectionUse("redis", "rejected", None, "factor", 1.0, 0.5),
        ConnectionUse("http", "acquired", None, None, 0.25, 1.0),
        ConnectionUse("http", "rejected", None, "global", 0.25, 1.0),
        ConnectionUse("redis", "released", None, None, 0.0, 0.5),
    ]


def test_a_wait_is_told_with_its_length() -> None:
    """Once, when it ends with a connection (TEL-43)."""
    slots = ConnectionSlots(1, kind="mysql")
    assert slots.claim()
    uses = Uses(slots)
    assert slots.wait(0, slots.release)
    assert [use.event for use in uses.seen] == ["released", "acquired"]
    waited_s = uses.seen[1].waited_s
    assert waited_s is not None and 0 <= waited_s < connection_slots.WAIT_S


@pytest.mark.parametrize("most", [0, 1])
def test_a_wait_in_vain_is_told_as_a_refusal(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, whether or not it took time."""
    monkeypatch.setattr(connection_slots, "WAIT_S", 0.0)
    slots = ConnectionSlots(most, kind="pg")
    assert slots.claim() or most == 0
    uses = Uses(slots)
    assert not slots.wait(0, lambda: None)
    assert [(use.event, use.limit) for use in uses.seen] == [("rejected", "factor")]
