"""Findings of an examination: one thing, how bad it is, and how to mend it."""

from typing import Literal

import attrs

__all__ = ["DoctorFinding", "Level", "fine", "problem", "remark"]

Level = Literal["ok", "remark", "problem"]


@attrs.frozen
class DoctorFinding:
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


def fine(what: str) -> DoctorFinding:
    """Note something that is as it should be."""
    return DoctorFinding("ok", what)


def remark(what: str, remedy: str) -> DoctorFinding:
    """Note something that may be as it is."""
    return DoctorFinding("remark", what, remedy)


def problem(what: str, remedy: str) -> DoctorFinding:
    """Note something that has to be mended."""
    return DoctorFinding("problem", what, remedy)
