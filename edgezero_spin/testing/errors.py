"""Errors of the testing kit itself.

```
EdgeZeroError
└── KitError
    ├── PreloadError           a store or variable was given what it cannot hold
    ├── UnknownLabelError      a label that the application does not have
    ├── UnknownVariableError   a variable that the manifest does not give a component
    ├── NoAnswerError          the deadline passed without an answer
    ├── BrokenBodyError        the body of a response broke off
    ├── MissingComponentError  the component to test is not there
    ├── StaleComponentError    the component is older than its sources
    └── BudgetError            a test used more instructions than its mark allows
```

Every message names what was wrong, where, and what to write instead.
"""

from collections.abc import Iterable
from pathlib import Path

import attrs

from edgezero_spin.errors import EdgeZeroError

__all__ = [
    "BrokenBodyError",
    "BudgetError",
    "KitError",
    "MissingComponentError",
    "NoAnswerError",
    "PreloadError",
    "StaleComponentError",
    "StatusError",
    "UnknownLabelError",
    "UnknownVariableError",
]


class KitError(EdgeZeroError):
    """A test asks the kit for what cannot be, or its application gave no answer."""


@attrs.frozen
class PreloadError(KitError):
    """A store or a variable was given a value of a kind that it cannot hold.

    Attributes:
        place: The argument, such as ``kv['notes']['bread']``.
        problem: What is wrong with it and what would do.
    """

    place: str
    problem: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}"


class UnknownLabelError(KitError, KeyError):
    """A test names a store or database that the application does not have.

    Attributes:
        label: The label as the test wrote it.
        known: The labels that there are.
        remedy: Where a label is granted.
        kind: What has no such label.
    """

    def __init__(
        self, label: str, known: Iterable[str], remedy: str, kind: str = "key-value store"
    ) -> None:
        self.label = label
        self.known = tuple(known)
        self.remedy = remedy
        self.kind = kind
        super().__init__(label, self.known, remedy, kind)

    def __str__(self) -> str:
        offer = ", ".join(self.known) or "none"
        return f"no {self.kind} has the label {self.label!r} (there are: {offer}); {self.remedy}"


class UnknownVariableError(KitError):
    """A test sets a variable or a secret that no component reads.

    Attributes:
        name: The name as the test wrote it.
        known: The names that there are.
        remedy: Where a variable is declared.
    """

    def __init__(self, name: str, known: Iterable[str], remedy: str) -> None:
        self.name = name
        self.known = tuple(known)
        self.remedy = remedy
        super().__init__(name, self.known, remedy)

    def __str__(self) -> str:
        offer = ", ".join(self.known) or "none"
        return f"no variable is called {self.name!r} (there are: {offer}); {self.remedy}"


@attrs.frozen
class NoAnswerError(KitError):
    """A request was not answered before the deadline.

    Attributes:
        request: Method and target.
        deadline_s: Seconds that it had.
        where: Where the handler was at that moment; may be empty.
    """

    request: str
    deadline_s: float
    where: str = ""

    def __str__(self) -> str:
        place = f"\nIt was here:\n{self.where}" if self.where else ""
        return (
            f"{self.request} was not answered within {self.deadline_s:g} s. Look for a loop or "
            f"a wait that does not end, or give the client a longer deadline_s.{place}"
        )


@attrs.frozen
class StatusError(KitError):
    """``raise_for_status()`` found another status than 200 to 299.

    Attributes:
        request: Method and target.
        status: The status.
        content: The beginning of the body; ``None`` where it was not read.
    """

    request: str
    status: int
    content: bytes | None = None

    def __str__(self) -> str:
        shown = "" if not self.content else f": {self.content.decode('utf-8', 'replace')!r}"
        return f"{self.request} answered {self.status}{shown}"


@attrs.frozen
class BrokenBodyError(KitError):
    """The body of a response broke off: what was read of it is not whole.

    Attributes:
        request: Method and target.
        reason: Why.
    """

    request: str
    reason: str

    def __str__(self) -> str:
        return f"the body of the answer to {self.request} broke off: {self.reason}"


@attrs.frozen
class MissingComponentError(KitError):
    """The component to test is not there.

    Attributes:
        path: Where it was expected.
        remedy: What makes it.
    """

    path: Path
    remedy: str

    def __str__(self) -> str:
        return f"there is no component at {self.path}; {self.remedy}"


@attrs.frozen
class StaleComponentError(KitError):
    """The component is older than a source that it is built from.

    Attributes:
        path: The component.
        source: The file that changed after it was built.
        remedy: What builds it anew.
    """

    path: Path
    source: Path
    remedy: str

    def __str__(self) -> str:
        return (
            f"{self.path} is older than {self.source}, so it is not what you wrote; {self.remedy}"
        )


@attrs.frozen
class BudgetError(KitError, AssertionError):
    """A test used more instructions than its mark allows.

    Attributes:
        used: Instructions.
        allowed: What ``@pytest.mark.spin_fuel(max=...)`` says.
    """

    used: int
    allowed: int

    def __str__(self) -> str:
        over = self.used - self.allowed
        return (
            f"the component used {self.used:,} instructions, {over:,} more than the "
            f"{self.allowed:,} that @pytest.mark.spin_fuel allows"
        )
