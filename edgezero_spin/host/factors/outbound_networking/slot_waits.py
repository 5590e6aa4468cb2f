"""Waiting for a free connection slot.

Spin waits for one without end; here the wait has a limit, and there is none where it would be in
vain, because who waits holds every slot.

Source: contract services.md, SVC-5 to SVC-7.
"""

import threading
from collections.abc import Callable
from time import monotonic

from edgezero_spin.host.factors.outbound_networking.connection_slots import ConnectionSlots

__all__ = ["MAX_CONNECTIONS", "WAIT_S", "claim_slot"]

WAIT_S = 30.0
"""Seconds to wait for a slot."""

PATIENCE_S = 0.25

MAX_CONNECTIONS = 1024
"""Open handles of one kind that an instance may hold (SVC-7)."""


def claim_slot(slots: ConnectionSlots, held: int, check: Callable[[], None]) -> bool:
    """Take a slot, waiting for one if need be; return whether it was had. From any thread.

    Args:
        slots: What it is one of.
        held: How many of them the instance that wants it holds.
        check: Called every quarter of a second; what it raises ends the wait.
    """
    if slots.claim():
        return True
    if slots.none_at_all or (slots.most is not None and held >= slots.most):
        slots.give_up()
        return False
    began = monotonic()
    released = threading.Event()
    with slots.waiter(released.set):
        while not slots.claim(monotonic() - began):
            if monotonic() >= began + WAIT_S:
                slots.give_up()
                return False
            released.wait(PATIENCE_S)
            released.clear()
            check()
    return True
