"""Cron expressions as Spin has them: six fields, seconds first, in UTC.

In: an expression. Out: the next moment after another. A seventh field names years. Where days of
the month and of the week are both restricted, a moment has to be in both.

Source: contract services.md, CRN-2 to CRN-4, SVQ-5, V-68, V-69. The library says what an
expression means.
"""

import re
from datetime import UTC, datetime, timedelta

__all__ = ["CronSchedule"]

FIELDS = "second minute hour day-of-month month day-of-week"
_NAMES = (*FIELDS.split(), "year")
EXAMPLE = "0 */5 * * * *"

MOST_YEARS = 50
"""Years in which an expression has to come true once."""

# Friday's last: `5L` here, `L5` for the library.
_LAST_WEEKDAY = re.compile(r"(?i)(?<![A-Z0-9])([0-7]|SUN|MON|TUE|WED|THU|FRI|SAT)L(?![A-Z0-9])")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"
# The library has more: hashed and random values, which differ from one start to the next.
_WRITTEN = re.compile(rf"(?i)(?:[0-9*?,/#LW-]|{_MONTHS}|{'|'.join(_WEEKDAYS)})+")


class CronSchedule:
    """When a cron expression comes true."""

    def __init__(self, expression: str) -> None:
        """Read an expression. Needs the extra ``cron``.

        Raises:
            ValueError: It is not one, or never comes true. The message says what to write.
        """
        from croniter import CroniterError, croniter

        fields = expression.split()
        if len(fields) == 5:
            raise ValueError(
                f"{expression!r} has five fields; put the second in front: '0 {expression}'"
            )
        if len(fields) not in (6, 7):
            raise ValueError(_refusal(expression, f"it has {len(fields)} fields"))
        written = list(fields)
        fields[5] = _LAST_WEEKDAY.sub(_library_last, fields[5])
        try:
            if not all(map(_WRITTEN.fullmatch, fields)):
                raise ValueError("it has characters of no field")
            expanded = croniter.expand(" ".join(fields), second_at_beginning=True)[0]
        except (CroniterError, ValueError, KeyError) as error:
            reason = _wrong_field(fields, written) or "its fields do not go together"
            raise ValueError(_refusal(expression, reason)) from error
        self._fields = " ".join(fields[:6])
        self._years: list[int] | None = None
        if len(expanded) == 7 and expanded[6] != ["*"]:
            self._years = sorted(int(year) for year in expanded[6])
        if self.after(datetime.now(UTC)) is None:
            raise ValueError(f"{expression!r} never comes true")

    def after(self, moment: datetime) -> datetime | None:
        """Return the first moment after another; ``None`` where there is none.

        Args:
            moment: In UTC.
        """
        if self._years is None:
            return self._next(moment)
        for year in self._years:
            if year < moment.year:
                continue
            begin = datetime(year, 1, 1, tzinfo=UTC) - timedelta(seconds=1)
            found = self._next(max(moment, begin))
            if found is not None and found.year == year:
                return found
        return None

    def _next(self, moment: datetime) -> datetime | None:
        from croniter import CroniterBadDateError, croniter

        moments = croniter(
            self._fields,
            moment,
            second_at_beginning=True,
            day_or=False,
            max_years_between_matches=MOST_YEARS,
        )
        try:
            found: datetime = moments.get_next(datetime)
        except CroniterBadDateError:
            return None
        return found


def _refusal(expression: str, reason: str) -> str:
    return (
        f"{expression!r} is not a cron expression: {reason}; write six fields ({FIELDS}), "
        f"such as '{EXAMPLE}'"
    )


def _wrong_field(fields: list[str], written: list[str]) -> str | None:
    """Name the first field that is wrong by itself; ``None`` where none is."""
    from croniter import CroniterError, croniter

    for position, field in enumerate(fields):
        others = ["*"] * len(fields)
        others[position] = field
        try:
            if not _WRITTEN.fullmatch(field):
                raise ValueError(field)
            croniter.expand(" ".join(others), second_at_beginning=True)
        except (CroniterError, ValueError, KeyError):
            return f"{_NAMES[position]} cannot be {written[position]!r}"
    return None


def _library_last(found: re.Match[str]) -> str:
    day = found[1].upper()
    number = int(day) % 7 if day.isdigit() else _WEEKDAYS.index(day)
    return f"L{number}"
