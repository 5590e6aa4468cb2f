"""Errors between the engine, one instance and the host functions that it calls.

```
HostError
├── EngineError            the engine or an engine setting cannot be used
├── EngineBusy             every pooled instance is in use; try again
├── SetupError             an application cannot be run as it stands; every fault is told
├── RuntimeConfigError     the runtime configuration asks for what this host cannot give
├── ComponentError         a component file cannot be loaded
├── LinkError              a component and the host functions do not fit together
├── HandlerError           a component does not export what its trigger calls
├── InstanceError          an instance is used after it closed, or an export is missing
├── ValueMismatchError     a Python value does not fit the WIT type at its place
├── WitError               the err case of a host function's result (no failure of the host)
└── GuestTrapped           the guest stopped; the instance is unusable from here on
    ├── Trap               ... because a host function said so
    ├── DeadlineExceeded   ... because its time was up
    ├── OutOfFuel          ... because its instruction budget was spent
    └── OutOfMemory        ... because it may not have the memory that it needs
```
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgezero_spin.errors import HostError

__all__ = [
    "ComponentError",
    "DeadlineExceeded",
    "EngineBusy",
    "EngineError",
    "GuestTrapped",
    "HandlerError",
    "InstanceError",
    "LinkError",
    "OutOfFuel",
    "OutOfMemory",
    "RuntimeConfigError",
    "SetupError",
    "Trap",
    "ValueMismatchError",
    "WitError",
]


class EngineError(HostError):
    """The engine refuses a setting, or a setting is outside its range."""


class EngineBusy(HostError):  # noqa: N818 - a condition that passes
    """No further instance fits into the engine's pool until another one closes."""


class SetupError(HostError):
    """An application cannot be run as it stands. Raised before its first request or event.

    Attributes:
        problems: One sentence for each fault, with what would mend it.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


class RuntimeConfigError(HostError):
    """The runtime configuration asks for what this host cannot give.

    Attributes:
        path: The file; ``None`` when the command line is meant.
        problems: One sentence for each fault, with the key.
    """

    def __init__(self, path: Path | None, problems: Iterable[str]) -> None:
        self.path = path
        self.problems = tuple(problems)
        super().__init__(path, self.problems)

    def __str__(self) -> str:
        where = "" if self.path is None else f"{self.path}: "
        return "\n".join(where + problem for problem in self.problems)


class ComponentError(HostError):
    """A file is not a component that this host can run.

    Attributes:
        problem: What is wrong with it, in one sentence.
        remedy: What would make it work, in one sentence.
    """

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(path, problem, remedy)
        self.path = path
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}. {self.remedy}"


class LinkError(HostError):
    """A component's import or export cannot be joined to what the host has.

    Raised while a component is linked, before its first request.

    Attributes:
        item: The import or export, such as ``wasi:http/types@0.2.0 [method]fields.get``.
        problem: What does not fit.
    """

    def __init__(self, item: str, problem: str) -> None:
        super().__init__(item, problem)
        self.item = item
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.item}: {self.problem}"


class InstanceError(HostError):
    """An instance is asked for something that it does not have, or after it was closed."""


class ValueMismatchError(HostError):
    """A Python value cannot become the WIT type that its place asks for.

    Raised when a host function returns, or an export is called with, something of
    the wrong kind or outside its range.

    Attributes:
        place: Where the value stands, such as ``argument 2[3].status-code``.
        expected: The WIT type or range.
        value: The value found.
    """

    def __init__(self, place: str, expected: str, value: object) -> None:
        super().__init__(place, expected, value)
        self.place = place
        self.expected = expected
        self.value = value

    def __str__(self) -> str:
        shown = repr(self.value)
        if len(shown) > 80:
            shown = shown[:77] + "..."
        kind = type(self.value).__name__
        return f"{self.place}: expected {self.expected}, got {kind} {shown}"


class WitError(HostError):
    """The ``err`` case of a ``result`` that a WIT function returns.

    A host function raises it instead of returning; ``Instance.call`` raises it when an
    export answers with ``err``. The instance stays usable.

    Attributes:
        payload: The error in Python form; ``None`` when the ``err`` case has no payload.
    """

    def __init__(self, payload: Any = None) -> None:
        super().__init__(payload)
        self.payload = payload

    def __str__(self) -> str:
        return f"err({self.payload!r})"


class GuestTrapped(HostError):  # noqa: N818 - read as a statement: the guest trapped
    """The guest stopped in the middle of a call. Its instance cannot be called again.

    Attributes:
        message: The reason, in one line where the engine gives one.
        backtrace: The engine's text with the wasm frames; empty when there is none.
    """

    def __init__(self, message: str, backtrace: str = "") -> None:
        super().__init__(message, backtrace)
        self.message = message
        self.backtrace = backtrace

    def __str__(self) -> str:
        return self.message


class Trap(GuestTrapped):
    """A host function ends the guest on purpose, because it broke a rule of the interface."""


class DeadlineExceeded(GuestTrapped):
    """The guest ran past the deadline of its call."""


class OutOfFuel(GuestTrapped):
    """The guest spent the instructions that its instance was given."""


class OutOfMemory(GuestTrapped):
    """The guest cannot start within its memory limit, or no pooled slot is large enough."""


class HandlerError(HostError):
    """A component does not export the one handler that its trigger calls.

    Raised while an application is loaded.

    Attributes:
        problem: What it exports instead.
    """

    def __init__(self, component_id: str, problem: str) -> None:
        super().__init__(component_id, problem)
        self.component_id = component_id
        self.problem = problem

    def __str__(self) -> str:
        return f"component {self.component_id!r}: {self.problem}"
