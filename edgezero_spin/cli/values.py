"""Kinds of values that flags of ``edgezero up`` take."""

import re

import click

__all__ = ["Duration", "Span"]

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "μs": 1e-6, "µs": 1e-6, "ns": 1e-9}


class Duration(click.ParamType[float]):
    """A time such as ``500ms``, in seconds (FLAG-7)."""

    name = "TIME"

    def convert(
        self, value: object, parameter: click.Parameter | None, context: click.Context | None
    ) -> float:
        """Read a number and a unit."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([a-zμµ]+)", str(value))
        seconds = 0.0
        if found is not None:
            seconds = float(found[1]) * _SECONDS.get(found[2], 0.0)
        if seconds <= 0:
            self.fail(f"{value!r} is no time above 0 such as 500ms or 2s", parameter, context)
        return seconds


class Span(click.ParamType[tuple[int, int]]):
    """A count, or a range of them: ``5``, ``5..10`` (FLAG-6)."""

    name = "N|A..B"

    def convert(
        self, value: object, parameter: click.Parameter | None, context: click.Context | None
    ) -> tuple[int, int]:
        """Read one number or two, at least 1 and in order."""
        if isinstance(value, tuple):
            return value
        least, dots, most = str(value).partition("..")
        try:
            span = (int(least), int(most) if dots else int(least))
        except ValueError:
            span = (0, 0)
        if not 1 <= span[0] <= span[1]:
            self.fail(f"{value!r} is no count such as 5 or 5..10", parameter, context)
        return span
