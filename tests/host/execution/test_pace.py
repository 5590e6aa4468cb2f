"""Which components are thought to be quick."""

from edgezero_spin.host.execution.pace import MOST_PROBATION, PROBATION, QUICK_S, TRUSTED, Pace


def here(pace: Pace, spent_s: float, *, slept: bool = False) -> None:
    """A request on the thread of the loop."""
    assert pace.quick
    pace.runs_here()
    pace.ran_here(spent_s, slept=slept)


def elsewhere_until_quick(pace: Pace) -> int:
    """Requests on other threads until the next one is tried."""
    count = 0
    while not pace.quick:
        pace.ran_elsewhere(slept=False)
        count += 1
    return count


def test_one_that_takes_longer_now_and_then_stays_quick() -> None:
    """The mean counts: a collection of garbage in between is no reason to change."""
    pace = Pace()
    for _ in range(10):
        here(pace, 4 * QUICK_S)
        for _ in range(20):
            here(pace, QUICK_S / 4)
    assert pace.quick


def test_one_that_always_takes_longer_is_found_out_soon() -> None:
    """A few requests are enough, one where it is far off."""
    pace = Pace()
    for _ in range(12):
        if pace.quick:
            here(pace, 1.5 * QUICK_S)
    assert not pace.quick
    pace = Pace()
    here(pace, 100 * QUICK_S)
    assert not pace.quick


def test_one_that_sleeps_is_tried_less_and_less_often() -> None:
    """Twice as many requests go elsewhere each time, up to a bound."""
    pace = Pace()
    waits = []
    for _ in range(9):
        here(pace, 0, slept=True)
        waits.append(elsewhere_until_quick(pace))
    assert waits == [16, 32, 64, 128, 256, 512, 1024, 1024, 1024]
    assert (PROBATION, MOST_PROBATION) == (16, 1024)


def test_one_that_still_sleeps_elsewhere_is_not_tried() -> None:
    """As long as it sleeps there it would here, and a few in a row have to be awake."""
    pace = Pace()
    here(pace, 0, slept=True)
    for _ in range(100):
        pace.ran_elsewhere(slept=True)
    assert elsewhere_until_quick(pace) == PROBATION


def test_one_that_was_quick_for_long_starts_anew() -> None:
    """What it once did is forgotten after enough quick requests in a row, not after a few."""
    pace = Pace()
    for count, expected in ((TRUSTED - 1, 32), (TRUSTED, 16)):
        here(pace, 0, slept=True)
        elsewhere_until_quick(pace)
        for _ in range(count):
            here(pace, 0)
        here(pace, 0, slept=True)
        assert elsewhere_until_quick(pace) == expected


def test_nothing_is_quick_while_one_that_was_thought_to_be_still_runs() -> None:
    """The loop asks, so that another thread has taken it over: the request is not quick."""
    pace = Pace()
    pace.runs_here()
    assert not pace.quick
    pace.ran_here(0, slept=False)
    assert pace.quick
