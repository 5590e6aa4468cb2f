"""The clock of a test: what it says, and how this process is made to say it.

A component has the clock of its host, and no time zone but UTC. Natively the clock of the
process is fixed while a request runs, by time-machine: it changes the functions of ``time``
and ``datetime`` themselves, so they follow also where a module has names of its own for
them, and monotonic clocks, on which timers depend, go on.

Source: contract spin-host.md, TEST-26, TEST-31.
"""

import os
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from edgezero_spin.testing.errors import KitError

if TYPE_CHECKING:
    import time_machine

__all__ = ["NativeClock", "nanoseconds_of"]

UTC_ZONE = "UTC0"

# time-machine sets TZ itself, where the application can see it, for a time in UTC; it does
# not for one with another fixed offset.
ANY_OFFSET = timezone(timedelta(hours=1))

_ctime, _asctime = time.ctime, time.asctime


def nanoseconds_of(now: datetime) -> int:
    """Return a time in nanoseconds since 1970; one without a zone is UTC."""
    aware = now.replace(tzinfo=UTC) if now.tzinfo is None else now
    return round(aware.timestamp() * 1_000_000) * 1000


class NativeClock:
    """The clock and time zone of this process, as a component would find them.

    ``set`` before a request, ``release`` after it.
    """

    def __init__(self, now_ns: int | None) -> None:
        """Fix a time, or leave the time that it is and only the zone to set.

        Raises:
            KitError: A time is to be fixed and time-machine is not installed.
        """
        self._fixed = None if now_ns is None else _fixed(now_ns)
        self._away = False

    def set(self) -> None:
        """Make it so."""
        # Only where the zone can be set and is another: most servers have UTC already.
        self._away = hasattr(time, "tzset") and (time.timezone, *time.tzname) != (0, "UTC", "UTC")
        if self._away:
            before = os.environ.get("TZ")
            os.environ["TZ"] = UTC_ZONE
            time.tzset()
            # The application is not to see how.
            if before is None:
                del os.environ["TZ"]
            else:
                os.environ["TZ"] = before
        if self._fixed is not None:
            self._fixed.start()
            time.ctime, time.asctime = _fixed_ctime, _fixed_asctime

    def release(self) -> None:
        """Put both back. The environment has to be what it was."""
        if self._fixed is not None:
            time.ctime, time.asctime = _ctime, _asctime
            self._fixed.stop()
        if self._away:
            self._away = False
            time.tzset()


def _fixed(now_ns: int) -> "time_machine.travel":
    try:
        import time_machine
    except ImportError:
        raise KitError(
            "now=... fixes the clock of this process by time-machine, which is not installed: "
            "pip install 'edgezero-spin[testing]'"
        ) from None
    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now_ns // 1000)
    return time_machine.travel(now.astimezone(ANY_OFFSET), tick=False)


# What time-machine leaves out.


def _fixed_ctime(seconds: Any = None, /) -> str:
    return _ctime(time.time() if seconds is None else seconds)


def _fixed_asctime(when: Any = None, /) -> str:
    return _asctime(time.localtime() if when is None else when)
