"""Dates and times of PostgreSQL's binary format.

In and out: days and microseconds since the start of 2000, and year, month, day and time of day
in the proleptic Gregorian calendar, with years before 1 as 0 and below. Python's own dates end
at the years 1 and 9999; PostgreSQL's do not.

Source: ``src/backend/utils/adt/datetime.c`` (``date2j``); contract services.md, PG-35 to PG-37.
"""

from functools import lru_cache

__all__ = ["DAY_US", "HOUR_US", "date_of_days", "days_of_date", "time_of_us", "us_of_time"]

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
"""Microseconds of an hour, and of a day."""

_DAYS_OF_400_YEARS = 146_097
# Days from 1 March of the year 0 to 1 January 2000.
_EPOCH = 730_425
_LONG_MONTHS = (1, 3, 5, 7, 8, 10, 12)
_LARGEST_YEAR = 262_142


def days_of_date(year: int, month: int, day: int) -> int:
    """Return the days from 1 January 2000 to a date.

    Raises:
        ValueError: There is no such date.
    """
    if not 1 <= month <= 12 or not 1 <= day <= _days_of_month(year, month):
        raise ValueError(f"there is no date {year}-{month:02}-{day:02}")
    # Years that begin in March have their leap day at the end.
    years, months = (year, month - 3) if month > 2 else (year - 1, month + 9)
    century, rest = divmod(years, 400)
    leap_days = rest // 4 - rest // 100
    days = 365 * rest + leap_days + (153 * months + 2) // 5 + day - 1
    return century * _DAYS_OF_400_YEARS + days - _EPOCH


@lru_cache(4096)
def date_of_days(days: int) -> tuple[int, int, int]:
    """Return year, month and day of the date that is so many days after 1 January 2000.

    Raises:
        ValueError: The year has more than six digits.
    """
    century, rest = divmod(days + _EPOCH, _DAYS_OF_400_YEARS)
    years = (rest - rest // 1460 + rest // 36_524 - rest // 146_096) // 365
    rest -= 365 * years + years // 4 - years // 100
    months = (5 * rest + 2) // 153
    day = rest - (153 * months + 2) // 5 + 1
    month = months + 3 if months < 10 else months - 9
    year = 400 * century + years + (month <= 2)
    if abs(year) > _LARGEST_YEAR:
        raise ValueError("the date is too far away")
    return year, month, day


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


def _days_of_month(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 31 if month in _LONG_MONTHS else 30
