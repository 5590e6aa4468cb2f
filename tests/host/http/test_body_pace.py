"""The pace of a body: what a client has to send to be waited for."""

from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.host.http.body_pace import BodyPace

MOST_S = 30.0
RATE = 500


@given(st.lists(st.floats(0, 29), max_size=50))
def test_single_bytes_do_not_hold_a_connection(gaps: list[float]) -> None:
    """However they are spread, they put the end off by 2 ms each."""
    pace, now = BodyPace(MOST_S, RATE), 100.0
    pace.wait(now)
    for gap in gaps:
        now += gap
        deadline = pace.earn(now, 1)
    assert not gaps or deadline <= 100.0 + MOST_S + len(gaps) / RATE + 1e-6


@given(st.lists(st.floats(0, 29), max_size=50), st.floats(1, 1000))
def test_a_client_that_keeps_the_pace_is_never_late(gaps: list[float], times: float) -> None:
    """Whether it sends a little at a time or much."""
    pace, now = BodyPace(MOST_S, RATE), 100.0
    deadline = pace.wait(now)
    for gap in gaps:
        now += gap
        assert now <= deadline + 1e-6
        deadline = pace.earn(now, int(gap * RATE * times) + 1)
    assert deadline <= now + MOST_S + 1e-6


def test_time_cannot_be_saved_up() -> None:
    """A large piece at the start does not buy an hour of nothing."""
    pace = BodyPace(MOST_S, RATE)
    pace.wait(0)
    assert pace.earn(1, 100_000_000) == 31


def test_the_time_of_others_does_not_count() -> None:
    """While nobody waits for the client, nothing passes, and nothing comes back."""
    pace = BodyPace(MOST_S, RATE)
    assert pace.wait(0) == 30
    pace.rest(20)
    assert not pace.is_waiting
    pace.rest(25)
    assert pace.wait(1000) == 1010
    assert pace.wait(1005) == 1010


def test_without_a_rate_any_byte_is_enough() -> None:
    """Then only silence is bounded."""
    pace = BodyPace(MOST_S, 0)
    pace.wait(0)
    assert [pace.earn(now, 1) for now in (29, 58, 87)] == [59, 88, 117]
