"""Findings of an examination: one thing, how bad it is, and how to mend it."""

from collections.abc import Callable
from typing import Literal

import attrs

__all__ = ["DoctorFinding", "DoctorFix", "Level", "fine", "problem", "remark"]

Level = Literal["ok", "remark", "problem"]


@attrs.frozen
class DoctorFix:
    """What mends a finding.

    Attributes:
        action: What is done, as a question has it: ``add the label `x` to spin.toml``.
        apply: Does it, as a whole or not at all. Raises a ``ProjectError`` where it cannot.
    """

    action: str
    apply: Callable[[], object] = attrs.field(repr=False)


@attrs.frozen
class DoctorFinding:
    """One thing that was looked at.

    Attributes:
        level: ``ok``, ``remark`` for what may be as it is, ``problem`` for what keeps the
            project from being built, served or deployed.
        what: What was found.
        remedy: How to mend it; empty when it is fine.
        fix: What mends it without a person; ``None`` where nothing does.
    """

    level: Level
    what: str
    remedy: str = ""
    fix: DoctorFix | None = attrs.field(default=None, eq=False, repr=False)


def fine(what: str) -> DoctorFinding:
    """Note something that is as it should be."""
    return DoctorFinding("ok", what)


def remark(what: str, remedy: str, fix: DoctorFix | None = None) -> DoctorFinding:
    """Note something that may be as it is."""
    return DoctorFinding("remark", what, remedy, fix)


def problem(what: str, remedy: str, fix: DoctorFix | None = None) -> DoctorFinding:
    """Note something that has to be mended."""
    return DoctorFinding("problem", what, remedy, fix)
