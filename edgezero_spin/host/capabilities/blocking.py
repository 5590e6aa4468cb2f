"""For host functions that block: databases and servers that take their time.

A guest's thread that waits for a server should not keep another guest from computing, and
should notice when its own time is up.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from edgezero_spin.host.errors import DeadlineExceeded, Trap
from edgezero_spin.host.instance import InstanceState

__all__ = ["away", "check", "may_go_on"]


def _never() -> bool:
    return False


def check(state: InstanceState) -> None:
    """Raise what a wait of no length raises.

    Raises:
        Trap: The host is stopping.
        DeadlineExceeded: The instance's time is up.
    """
    state.wait(_never, 0)


def may_go_on(state: InstanceState) -> bool:
    """Whether ``check`` would raise nothing."""
    try:
        check(state)
    except (DeadlineExceeded, Trap):
        return False
    return True


@contextmanager
def away(state: InstanceState) -> Iterator[None]:
    """Count the thread as asleep, and send what the guest wrote so far."""
    state.before_wait()
    around = state.around_wait
    if around is not None:
        around(True)
    try:
        yield
    finally:
        if around is not None:
            around(False)
