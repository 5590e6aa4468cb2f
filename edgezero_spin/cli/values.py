"""Kinds of values that flags of ``edgezero up`` take."""

import re

import click

__all__ = ["Duration", "DurationSpan", "Span"]

_SECONDS = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "μs": 1e-6, "µs": 1e-6, "ns": 1e-9}


class DurationSpan(click.ParamType[tuple[float, float]]):
    """A time such as ``500ms``, or a range of them: ``1..8s``; in seconds (FLAG-7, IL-5, IL-7).

    Numbers are whole, as for Spin: half a second is ``500ms``.
    """

    name = "TIME|A..B"

    def __init__(self, *, zero: bool = False) -> None:
        """Take times above 0, and 0 if ``zero``."""
        self._zero = zero

    def convert(
        self, value: object, parameter: click.Parameter | None, context: click.Context | None
    ) -> tuple[float, float]:
        """Read one time or two in order; a number alone is in seconds."""
        if isinstance(value, tuple):
            return value
        first, dots, last = str(value).partition("..")
        least_s, most_s = (_seconds(text, self._zero) for text in (first, last if dots else first))
        if least_s is None or most_s is None or (dots and least_s >= most_s):
            self.fail(
                f"{_not_a_time(value, self._zero)}, nor a range that ends after its beginning, "
                "such as 1..8s",
                parameter,
                context,
            )
        return least_s, most_s


class Duration(click.ParamType[float]):
    """A time such as ``500ms``, in seconds."""

    name = "TIME"

    def __init__(self, *, zero: bool = False) -> None:
        """Take times above 0, and 0 if ``zero``."""
        self._zero = zero

    def convert(
        self, value: object, parameter: click.Parameter | None, context: click.Context | None
    ) -> float:
        """Read a time; a number alone is in seconds."""
        if isinstance(value, float):
            return value
        seconds = _seconds(str(value), self._zero)
        if seconds is None:
            self.fail(_not_a_time(value, self._zero), parameter, context)
        return seconds


def _seconds(text: str, zero: bool) -> float | None:
    """The time in seconds, ``None`` for what is none."""
    found = re.fullmatch(r"([0-9]{1,19})([a-zμµ]*)", text)
    if found is None or found[2] not in _SECONDS:
        return None
    seconds = int(found[1]) * _SECONDS[found[2]]
    return seconds if seconds or zero else None


def _not_a_time(value: object, zero: bool) -> str:
    above = "" if zero else "above 0 "
    return f"{value!r} is not a time {above}in whole numbers, such as 500ms or 2s"


class Span(click.ParamType[tuple[int, int]]):
    """A count, or a range of them: ``5``, ``5..10``, which is 5 to 9 (FLAG-6, IL-5, IL-7)."""

    name = "N|A..B"

    def __init__(self, least: int = 1) -> None:
        """Take counts from ``least`` on."""
        self.least = least

    def convert(
        self, value: object, parameter: click.Parameter | None, context: click.Context | None
    ) -> tuple[int, int]:
        """Read one number or two in order."""
        if isinstance(value, tuple):
            return value
        least, dots, most = str(value).partition("..")
        try:
            span = (int(least), int(most) if dots else int(least))
        except ValueError:
            span = (-1, -1)
        if span[0] < self.least or span[0] > span[1] or (dots and span[0] == span[1]):
            self.fail(
                f"{value!r} is not a count such as 5, nor a range such as 5..10, which is 5 to 9",
                parameter,
                context,
            )
        return span
