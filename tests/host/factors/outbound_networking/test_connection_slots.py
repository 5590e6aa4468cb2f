"""How many connections an application may hold."""

import pytest

from edgezero_spin.host.factors.outbound_networking.connection_slots import ConnectionSlots


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
