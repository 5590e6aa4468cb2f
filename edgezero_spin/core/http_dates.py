"""Dates of HTTP header fields: ``Sun, 06 Nov 1994 08:49:37 GMT``.

In: seconds since 1970, or text. Out: the other one. ``email.utils`` does the same and would bring
half a megabyte into every component.

Source: RFC 9110, 5.6.7. Of the three forms only the preferred one is read.
"""

import re
import time

__all__ = ["http_date", "parse_http_date"]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FORM = re.compile(
    rf"(?:{'|'.join(_DAYS)}), (\d\d) ({'|'.join(_MONTHS)}) (\d{{4}}) (\d\d):(\d\d):(\d\d) GMT",
    re.ASCII,
)


def http_date(seconds: float) -> str:
    """Return a moment as a header field has it, without its fraction of a second."""
    at = time.gmtime(seconds)
    return (
        f"{_DAYS[at.tm_wday]}, {at.tm_mday:02} {_MONTHS[at.tm_mon - 1]} {at.tm_year:04} "
        f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT"
    )


def parse_http_date(text: str) -> int | None:
    """Return the seconds since 1970 that a header field says, ``None`` when it says none."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        return None
    day, name, year, hour, minute, second = found.groups()
    # Days of the civil calendar, counted from a year that begins in March.
    month = _MONTHS.index(name) + 1
    years = int(year) - (month <= 2)
    days = (
        years * 365
        + years // 4
        - years // 100
        + years // 400
        + (153 * ((month + 9) % 12) + 2) // 5
        + int(day)
        - 719469
    )
    return ((days * 24 + int(hour)) * 60 + int(minute)) * 60 + int(second)
