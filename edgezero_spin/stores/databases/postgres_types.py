"""Values of PostgreSQL that Python has no type for: intervals and ranges."""

from datetime import timedelta
from typing import Generic, TypeVar

import attrs

__all__ = ["Interval", "Range"]

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Interval:
    """A PostgreSQL ``interval``, which keeps months, days and time apart.

    Attributes:
        months: Months; a year is twelve.
        days: Days.
        microseconds: The rest.
    """

    months: int = 0
    days: int = 0
    microseconds: int = 0

    @classmethod
    def of(cls, duration: timedelta) -> "Interval":
        """Return the interval of a duration."""
        seconds = duration.seconds * 1_000_000 + duration.microseconds
        return cls(days=duration.days, microseconds=seconds)

    def to_timedelta(self) -> timedelta:
        """Return the duration, a day being 24 hours.

        Raises:
            ValueError: It has months, which have no length.
        """
        if self.months:
            raise ValueError(f"an interval of {self.months} months has no length in days")
        return timedelta(days=self.days, microseconds=self.microseconds)


@attrs.frozen
class Range(Generic[T]):
    """A PostgreSQL ``int4range``, ``int8range`` or ``numrange``.

    Attributes:
        lower: Its lower bound, ``None`` for none.
        upper: Its upper bound, likewise.
        lower_inclusive: Whether the lower bound belongs to it.
        upper_inclusive: Whether the upper bound belongs to it.
    """

    lower: T | None = None
    upper: T | None = None
    lower_inclusive: bool = attrs.field(default=True, kw_only=True)
    upper_inclusive: bool = attrs.field(default=False, kw_only=True)
