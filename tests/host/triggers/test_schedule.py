"""When cron expressions come true."""

from datetime import UTC, datetime

import pytest

from edgezero_spin.host.triggers.cron.schedule import CronSchedule

START = datetime(2026, 11, 30, tzinfo=UTC)


def moments(expression: str, count: int) -> list[str]:
    """The next moments, without the year where it is the present one."""
    schedule, found, moment = CronSchedule(expression), [], START
    for _ in range(count):
        due = schedule.after(moment)
        assert due is not None
        moment = due
        found.append(f"{moment:%Y-%m-%d %H:%M:%S}")
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # V-69: days of the month and of the week both count (CRN-3).
        ("0 0 12 13 * 5", ["2027-08-13 12:00:00", "2028-10-13 12:00:00"]),
        ("1/20 * * * * *", ["2026-11-30 00:00:01", "2026-11-30 00:00:21", "2026-11-30 00:00:41"]),
        ("*/30 * * * * *", ["2026-11-30 00:00:30", "2026-11-30 00:01:00"]),
        ("0 0 10-12/2 * * *", ["2026-11-30 10:00:00", "2026-11-30 12:00:00"]),
        ("0 0 0 L * ?", ["2026-12-31 00:00:00", "2027-01-31 00:00:00"]),
        ("0 0 0 ? * MON#2", ["2026-12-14 00:00:00", "2027-01-11 00:00:00"]),
        ("0 0 0 * * FRIL", ["2026-12-25 00:00:00", "2027-01-29 00:00:00"]),
        ("0 0 0 * * 5L", ["2026-12-25 00:00:00", "2027-01-29 00:00:00"]),
        ("0 0 0 * * 7L", ["2026-12-27 00:00:00", "2027-01-31 00:00:00"]),
        ("0 0 0 15W * *", ["2026-12-15 00:00:00", "2027-01-15 00:00:00"]),
        ("0 0 0 * JAN 0", ["2027-01-03 00:00:00", "2027-01-10 00:00:00"]),
        ("0 0 0 * 1 7", ["2027-01-03 00:00:00", "2027-01-10 00:00:00"]),
        ("0 0 0 29 2 *", ["2028-02-29 00:00:00", "2032-02-29 00:00:00"]),
        # A seventh field names years (SVQ-5).
        ("0 0 0 1 1 * 2030", ["2030-01-01 00:00:00"]),
        ("0 0 12 25 12 * 2026,2029", ["2026-12-25 12:00:00", "2029-12-25 12:00:00"]),
        ("0 0 0 1 1 * *", ["2027-01-01 00:00:00", "2028-01-01 00:00:00"]),
    ],
)
def test_moments(expression: str, expected: list[str]) -> None:
    """As Spin's trigger has them: six or seven fields, in UTC."""  # CRN-2
    assert moments(expression, len(expected)) == expected


def test_years_end() -> None:
    """After the last year there is no moment any more."""
    schedule = CronSchedule("0 0 0 1 1 * 2030")
    assert schedule.after(datetime(2030, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("* * * * *", "has five fields; put the second in front: '0 * * * * *'"),
        ("61 * * * * *", "second cannot be '61'"),
        ("* * * * * 8", "day-of-week cannot be '8'"),
        ("* * * * * * * *", "it has 8 fields; write six fields"),
        ("", "it has 0 fields; write six fields"),
        ("@daily", "write six fields"),
        ("R R R R R R", "is not a cron expression: second cannot be 'R'"),
        ("* * * * FOO *", "month cannot be 'FOO'"),
        ("0 0 0 0 * *", "day-of-month cannot be '0'"),
        ("0 60 24 * * *", "minute cannot be '60'"),
        ("0 0 24 * * *", "hour cannot be '24'"),
        ("0 0 0 * * FOOL", "day-of-week cannot be 'FOOL'"),
        ("0 0 0 1 1 * soon", "year cannot be 'soon'"),
        ("a b c d e f", "is not a cron expression"),
        ("0 0 0 30 2 *", "never comes true"),
        ("0 0 0 1 1 * 1999", "never comes true"),
        ("*/0 * * * * *", "second cannot be '*/0'"),
    ],
)
def test_what_is_no_expression(expression: str, problem: str) -> None:
    """The error repeats it and says what to write."""  # V-68
    with pytest.raises(ValueError) as caught:
        CronSchedule(expression)
    assert problem in str(caught.value)
    assert repr(expression) in str(caught.value)
