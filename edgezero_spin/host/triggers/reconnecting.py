"""Reconnection to a server that goes away and comes back.

In: how to connect and what to do with a connection. Out: the same again after each loss, with
waits that grow, until the policy's time is up.

Source: contract services.md, RDT-4, RDT-9, MQT-2, MQT-5.
"""

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import NoReturn

from edgezero_spin.errors import HostError
from edgezero_spin.host.triggers.trigger import EventSink, TriggerFailedError

__all__ = ["ServerGoneError", "stay_connected"]

logger = logging.getLogger("edgezero_spin.host")


class ServerGoneError(HostError):
    """A server cannot be reached, or went away; it may come back. It repeats no password."""


async def stay_connected(
    name: str, attempt: Callable[[Callable[[], None]], Awaitable[None]], events: EventSink
) -> NoReturn:
    """Connect, and again whenever the connection is lost.

    The first loss is logged as an error, and so is the return; attempts in between are not.

    Args:
        name: What is connected to, for the log.
        attempt: Connects and listens; calls its argument once it is connected. Raises
            ``ServerGoneError`` when it cannot be or is no longer.
        events: Says how long to try, and how often; notified when it listens, or cannot yet.

    Raises:
        TriggerFailedError: It could not be connected to for as long as the policy allows, or what
            ``attempt`` raised.
    """
    policy = events.reconnect
    connected_s: float | None = None
    lost_s: float | None = None
    delay_s = policy.first_delay_s

    def connected() -> None:
        nonlocal connected_s, lost_s
        if lost_s is not None:
            logger.warning("%s: connected again", name)
        connected_s, lost_s = monotonic(), None
        events.began()

    while True:
        try:
            await attempt(connected)
        except ServerGoneError as error:
            now = monotonic()
            if connected_s is not None and now - connected_s > policy.most_delay_s:
                # It was there for a while: this loss has nothing to do with the last one.
                delay_s = policy.first_delay_s
            connected_s = None
            if lost_s is None:
                lost_s = now
                if policy.timeout_s > 0:
                    logger.error("%s: %s; trying again%s", name, error, _for(policy.timeout_s))
                    events.began()
            left_s = policy.timeout_s - (now - lost_s)
            if left_s <= 0:
                gave_up = f"; gave up after {policy.timeout_s:g} s" if policy.timeout_s > 0 else ""
                raise TriggerFailedError(f"{error}{gave_up}") from error
            await asyncio.sleep(min(left_s, delay_s * random.uniform(0.5, 1)))
            delay_s = min(policy.most_delay_s, 2 * delay_s)


def _for(timeout_s: float) -> str:
    return "" if timeout_s == math.inf else f" for up to {timeout_s:g} s"
