"""``wasi:clocks``: the host's real clocks (ENV-16)."""

import time
from typing import Any, Literal

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.io import Pollable
from edgezero_spin.host.runtime.interface import Interface

__all__ = ["INTERFACES", "SECOND_NS", "datetime_of", "resolution_ns"]

SECOND_NS = 1_000_000_000


def datetime_of(nanoseconds: int) -> dict[str, Any]:
    """Turn nanoseconds since 1970 into a ``datetime`` record; before 1970 counts as 1970."""
    seconds, rest = divmod(max(0, nanoseconds), SECOND_NS)
    return {"seconds": seconds, "nanoseconds": rest}


def resolution_ns(clock: Literal["monotonic", "time"]) -> int:
    """How often a clock changes."""
    return max(1, round(time.get_clock_info(clock).resolution * SECOND_NS))


_WALL_RESOLUTION = datetime_of(resolution_ns("time"))
_MONOTONIC_RESOLUTION = resolution_ns("monotonic")


def _subscribe_instant(state: InstanceState, when: int) -> Pollable:
    return Pollable.at(when)


def _subscribe_duration(state: InstanceState, when: int) -> Pollable:
    return Pollable.at(time.monotonic_ns() + when)


def _display(state: InstanceState, when: object) -> dict[str, Any]:
    return {"utc-offset": 0, "name": "UTC", "in-daylight-saving-time": False}


INTERFACES = (
    Interface(
        "wasi:clocks/monotonic-clock",
        {
            "now": lambda state: time.monotonic_ns(),
            "resolution": lambda state: _MONOTONIC_RESOLUTION,
            "subscribe-instant": _subscribe_instant,
            "subscribe-duration": _subscribe_duration,
        },
        {"pollable": Pollable},
    ),
    Interface(
        "wasi:clocks/wall-clock",
        {
            "now": lambda state: datetime_of(time.time_ns()),
            "resolution": lambda state: _WALL_RESOLUTION,
        },
    ),
    # A component never learns where its host stands: the zone is UTC.
    Interface("wasi:clocks/timezone", {"display": _display, "utc-offset": lambda state, when: 0}),
)
"""All of ``wasi:clocks``."""
