"""``wasi:clocks@0.3``: the host's real clocks, and waiting for them on its event loop.

Source: contract wasi03.md, section 5.
"""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.clocks import SECOND_NS
from edgezero_spin.host.runtime.interface import Interface

__all__ = ["INTERFACES_03"]

_RESOLUTION = max(1, round(time.get_clock_info("monotonic").resolution * SECOND_NS))


def _wait_for(state: InstanceState, duration: int) -> Coroutine[Any, Any, None] | None:
    # Nothing to wait for costs the guest no suspension.
    return asyncio.sleep(duration / SECOND_NS) if duration else None


def _wait_until(state: InstanceState, mark: int) -> Coroutine[Any, Any, None] | None:
    return _wait_for(state, max(0, mark - time.monotonic_ns()))


INTERFACES_03 = (
    Interface("wasi:clocks/types@0.3"),
    Interface(
        "wasi:clocks/monotonic-clock@0.3",
        {
            "now": lambda state: time.monotonic_ns(),
            "get-resolution": lambda state: _RESOLUTION,
            "wait-for": _wait_for,
            "wait-until": _wait_until,
        },
    ),
)
"""``wasi:clocks@0.3`` as far as componentize-py needs it."""
