"""Dates and decimals of PostgreSQL's binary format."""

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.host.factors.postgres.calendar import date_of_days, days_of_date
from edgezero_spin.host.factors.postgres.numeric import decode_numeric, encode_numeric

EPOCH = datetime.date(2000, 1, 1)


@given(st.dates())
def test_python_agrees(date: datetime.date) -> None:
    """Within the years that Python has, its calendar says the same."""
    days = (date - EPOCH).days
    assert days_of_date(date.year, date.month, date.day) == days
    assert date_of_days(days) == (date.year, date.month, date.day)


@given(st.integers(-95_000_000, 95_000_000))
def test_every_day_has_one_date(days: int) -> None:
    """Days and dates are each other's inverse, before the year 1 too."""
    assert days_of_date(*date_of_days(days)) == days


@pytest.mark.parametrize("date", [(1900, 2, 29), (2023, 0, 1), (2023, 13, 1), (2023, 4, 31)])
def test_there_is_no_such_date(date: tuple[int, int, int]) -> None:
    """Days that no month has are refused."""
    with pytest.raises(ValueError, match="there is no date"):
        days_of_date(*date)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=7, min_value=-(10**20)))
def test_decimals_come_back(number: Decimal) -> None:
    """A text with 96 bits and 28 places at most is kept as it is, its scale included."""
    text = f"{number:f}"
    if abs(int(number.scaleb(7))) < 2**96:
        assert decode_numeric(encode_numeric(text)) == (text.lstrip("-") if not number else text)


def test_a_wire_form_with_endless_digits() -> None:
    """What a server may send and no decimal holds is refused or rounded at once."""
    huge = b"\xff\xff\x7f\xff\0\0\0\0" + b"\x27\x0f" * 65_535
    with pytest.raises(ValueError, match="too large"):
        decode_numeric(huge)
    fraction = b"\xff\xff\xff\xff\0\0\x3f\xff" + b"\x0d\x05" * 65_535
    assert decode_numeric(fraction) == "0." + "3333" * 7
