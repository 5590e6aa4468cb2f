"""Dates and times of PostgreSQL's binary format.

In and out: days and microseconds since the start of 2000, and year, month, day and time of day
in the proleptic Gregorian calendar, with years before 1 as 0 and below. Python's own dates end
at the years 1 and 9999; PostgreSQL's do not.

Source: contract services.md, PG-35 to PG-37.
"""

from datetime import date
from functools import lru_cache

__all__ = ["DAY_US", "HOUR_US", "date_of_days", "days_of_date", "time_of_us", "us_of_time"]

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
"""Microseconds of an hour, and of a day."""

# After so many years, and days, the calendar repeats itself.
_CYCLE_YEARS, _CYCLE_DAYS = 400, 146_097
_EPOCH = date(2000, 1, 1).toordinal()
_LARGEST_YEAR = 262_142


def days_of_date(year: int, month: int, day: int) -> int:
    """Return the days from 1 January 2000 to a date.

    Raises:
        ValueError: There is no such date.
    """
    cycles, rest = divmod(year, _CYCLE_YEARS)
    try:
        ordinal = date(rest + _CYCLE_YEARS, month, day).toordinal()
    except ValueError:
        raise ValueError(f"there is no date {year}-{month:02}-{day:02}") from None
    return ordinal + (cycles - 1) * _CYCLE_DAYS - _EPOCH


@lru_cache(4096)
def date_of_days(days: int) -> tuple[int, int, int]:
    """Return year, month and day of the date that is so many days after 1 January 2000.

    Raises:
        ValueError: The year has more than six digits.
    """
    cycles, rest = divmod(days + _EPOCH - 1, _CYCLE_DAYS)
    found = date.fromordinal(rest + 1)
    year = found.year + cycles * _CYCLE_YEARS
    if abs(year) > _LARGEST_YEAR:
        raise ValueError("the date is too far away")
    return year, found.month, found.day


def us_of_time(hour: int, minute: int, second: int, nanosecond: int) -> int:
    """Return the microseconds from midnight; what is less than one is cut off.

    Raises:
        ValueError: There is no such time of day.
    """
    if hour > 23 or minute > 59 or second > 59 or nanosecond > 999_999_999:
        raise ValueError(f"there is no time {hour:02}:{minute:02}:{second:02}.{nanosecond:09}")
    return ((hour * 60 + minute) * 60 + second) * 1_000_000 + nanosecond // 1000


def time_of_us(microseconds: int) -> tuple[int, int, int, int]:
    """Return hour, minute, second and nanosecond; 24:00 is 0:00."""
    seconds, fraction = divmod(microseconds % DAY_US, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return hour, minute, second, fraction * 1000
