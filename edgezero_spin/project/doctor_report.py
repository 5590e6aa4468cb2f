"""What an examination finds: one thing, how bad it is, and how to mend it."""

from typing import Literal

import attrs

__all__ = ["Finding", "Level", "fine", "problem", "remark"]

Level = Literal["ok", "remark", "problem"]


@attrs.frozen
class Finding:
    """One thing that was looked at.

    Attributes:
        level: ``ok``, ``remark`` for what may be as it is, ``problem`` for what keeps the
            project from being built, served or deployed.
        what: What was found.
        remedy: How to mend it; empty when it is fine.
    """

    level: Level
    what: str
    remedy: str = ""


def fine(what: str) -> Finding:
    """Note something that is as it should be."""
    return Finding("ok", what)


def remark(what: str, remedy: str) -> Finding:
    """Note something that may be as it is."""
    return Finding("remark", what, remedy)


def problem(what: str, remedy: str) -> Finding:
    """Note something that has to be mended."""
    return Finding("problem", what, remedy)
