"""The version of the installed Spin: how it is read, and when it is worth a word."""

import pytest

from edgezero_spin.project.spin_version import (
    parse_spin_major,
    parse_spin_version,
    spin_warning,
)
from tests.project.spin_stand_in import SpinStandIn


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ("spin 3.6.3 (88d51cf 2026-04-09)", 3),
        ("spin-cloud 0.11.0", 0),
        ("spin 10.0.1 (abc)", 10),
        ("", None),
        ("hello world", None),
        ("spin not-a-version", None),
        ("spin v3.6", None),
        ("spin 3x.6", None),
    ],
)
def test_major_version(text: str, major: int | None) -> None:
    """The first word that looks like a version counts."""  # SQL-12, TV-168
    assert parse_spin_major(text) == major


def test_minor_version() -> None:
    """WASI 0.3 came with a minor one."""
    assert parse_spin_version("spin 4.1.0-pre0 (94a8fc8 2026-08-21)") == (4, 1)
    assert parse_spin_version("spin 4.x") is None


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        ("spin 2.0.0 (abc)", None),
        ("spin 3.6.3 (abc)", None),
        ("spin 4.0.2 (abc)", None),  # OPQ-32: compared as well
        ("spin 1.5.0 (abc)", "major version 1"),
        ("spin 5.0.0 (abc)", "major version 5"),
        ("spin", "names no version"),
    ],
)
def test_only_versions_nobody_compared_are_worth_a_word(
    spin: SpinStandIn, answer: str, part: str | None
) -> None:
    """Another major version, and an answer that cannot be read."""  # SQL-11
    spin.be(answer)
    warning = spin_warning()
    assert warning is None if part is None else part in (warning or "")


def test_a_spin_that_fails_is_passed_over(spin: SpinStandIn) -> None:
    """Whatever is wrong with it is not the business of a push."""  # SQL-11
    spin.be("spin 9.0.0", status=1)
    assert spin_warning() is None


@pytest.mark.usefixtures("no_spin")
def test_no_spin_is_passed_over() -> None:
    """A push needs no Spin on the machine."""  # SQL-11
    assert spin_warning() is None


def test_the_question_is_asked_once(spin: SpinStandIn) -> None:
    """A process that pushes twice asks once."""  # SQL-11
    spin_warning()
    spin_warning()
    assert spin.asked() == [["--version"]]
