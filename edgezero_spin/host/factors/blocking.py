"""For host functions that block: databases and servers that take their time.

A guest's thread that waits for a server should not keep another guest from computing, and
should notice when its own time is up.
"""

from contextlib import AbstractContextManager, nullcontext

from edgezero_spin.host.errors import DeadlineExceeded, Trap
from edgezero_spin.host.factors.instance import InstanceState

__all__ = ["asking", "away", "check", "may_go_on"]


def check(state: InstanceState) -> None:
    """Raise what a wait of no length raises.

    Raises:
        Trap: The host is stopping.
        DeadlineExceeded: The instance's time is up.
    """
    state.check()


def may_go_on(state: InstanceState) -> bool:
    """Whether ``check`` would raise nothing."""
    try:
        check(state)
    except (DeadlineExceeded, Trap):
        return False
    return True


def away(state: InstanceState) -> AbstractContextManager[None]:
    """Count the thread as asleep, and send what the guest wrote so far."""
    return state.asleep()


def asking(state: InstanceState, service: object) -> AbstractContextManager[None]:
    """``away`` while a service is asked that says of itself that it is ``remote``."""
    return away(state) if getattr(service, "remote", False) else nullcontext()
