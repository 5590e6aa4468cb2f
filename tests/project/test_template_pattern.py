"""Patterns of template parameters."""

import pytest

from edgezero_spin.errors import ProjectError
from edgezero_spin.project import template_pattern
from edgezero_spin.project.template_pattern import fits_pattern


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("^[a-z]+$", "abc", True),
        ("^[a-z]+$", "abc\n", False),  # `$` of Spin's dialect is the very end
        (r"costs \$", "costs $5", True),
        ("b", "abc", True),  # found, not matched from the start
        ("^é\ud800?$", "é", True),
        ("^$", "", True),
    ],
)
def test_a_value_fits_where_the_pattern_is_found(pattern: str, value: str, expected: bool) -> None:
    """A pattern means what it means to Spin."""  # TPL-6
    assert fits_pattern(pattern, value) is expected


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|aa)+$", "(.*)*b"])
def test_a_pattern_that_takes_forever_is_given_up(
    pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An expression that backtracks without end is an error, and stops nobody."""
    monkeypatch.setattr(template_pattern, "_DEADLINE_S", 1)
    with pytest.raises(ProjectError, match="takes more than 1 s: the template needs another"):
        fits_pattern(pattern, "a" * 60 + "!")
