"""Errors of a manifest, reported all at once.

```
ManifestError
├── ManifestUnreadableError   no such file, not a file, or not UTF-8 text
└── InvalidManifestError      bad TOML, or one or more rules broken
```
"""

from collections.abc import Sequence
from pathlib import Path

import attrs

from edgezero_spin.errors import ManifestError

__all__ = [
    "InvalidManifestError",
    "ManifestUnreadableError",
    "Problem",
    "Problems",
    "tell_problems",
]


class ManifestUnreadableError(ManifestError):
    """A manifest cannot be read at all.

    Attributes:
        path: The file as it was named.
        reason: Why, in a few words.
        remedy: What to do about it.
        missing: Whether there is no such file.
        heading: What could not be done with it, before its name; may be empty.
    """

    def __init__(
        self, path: Path, reason: str, remedy: str, *, missing: bool = False, heading: str = ""
    ) -> None:
        super().__init__(path, reason, remedy)
        self.path = path
        self.reason = reason
        self.remedy = remedy
        self.missing = missing
        self.heading = heading

    def __str__(self) -> str:
        return f"{_named(self.path, self.heading)}: {self.reason}. {self.remedy}"


@attrs.frozen
class Problem:
    """One thing that is wrong in a file.

    Attributes:
        key: Dotted path of the key, with ``[n]`` for the n-th item of a list, counted
            from 0; empty when the whole file is meant.
        reason: What is wrong, without a full stop.
        remedy: What would be right, as a sentence; empty when the reason says it.
        line: Line in the file, counted from 1, where it is known.
    """

    key: str
    reason: str
    remedy: str = ""
    line: int | None = None

    def __str__(self) -> str:
        place = f"{self.key}: " if self.key else ""
        line = f"line {self.line}: " if self.line is not None else ""
        remedy = f". {self.remedy}" if self.remedy else ""
        return f"{line}{place}{self.reason}{remedy}"


class InvalidManifestError(ManifestError):
    """A file breaks one or more of the rules of its format.

    Attributes:
        path: The file as it was named.
        problems: Everything that is wrong with it, in the order in which it was found.
        heading: What could not be done with it, before its name; may be empty.
    """

    def __init__(self, path: Path, problems: Sequence[Problem], heading: str = "") -> None:
        super().__init__(path, tuple(problems), heading)
        self.path = path
        self.problems = tuple(problems)
        self.heading = heading

    def __str__(self) -> str:
        return tell_problems(_named(self.path, self.heading), self.problems)


class Problems:
    """Collects what is wrong with one file, so that all of it is reported together.

    Attributes:
        path: The file.
        heading: What could not be done, such as ``Failed to load Spin app from``.
        found: The problems so far.
        warnings: Remarks that stop nothing.
    """

    def __init__(self, path: Path, heading: str = "") -> None:
        self.path = path
        self.heading = heading
        self.found: list[Problem] = []
        self.warnings: list[Problem] = []

    def add(self, key: str, reason: str, remedy: str = "") -> None:
        """Note one problem."""
        self.found.append(Problem(key, reason, remedy))

    def warn(self, key: str, reason: str, remedy: str = "") -> None:
        """Note something that works, but should not stay."""
        self.warnings.append(Problem(key, reason, remedy))

    def raise_any(self) -> None:
        """Stop here if anything was wrong.

        Raises:
            InvalidManifestError: At least one problem was noted.
        """
        if self.found:
            raise InvalidManifestError(self.path, self.found, self.heading)


def tell_problems(head: str, problems: Sequence[object]) -> str:
    """Return one line for one problem, a list under ``head`` for several."""
    if len(problems) == 1:
        return f"{head}: {problems[0]}"
    lines = [f"{head}: {len(problems)} problems"]
    lines.extend(f"  - {problem}" for problem in problems)
    return "\n".join(lines)


def _named(path: Path, heading: str) -> str:
    return f'{heading} "{path}"' if heading else str(path)
