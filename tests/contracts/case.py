"""What a case is, what it may ask of its host, and how it says that something is wrong.

A failed check raises ``AssertionError`` with a message, so a runner needs to pass on nothing
but that text. ``assert`` is not used: its message would be empty inside a component.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from edgezero_spin.errors import StoreError
from edgezero_spin.stores import StoreDeclaration, StoreIds, Stores

__all__ = ["DECLARATION", "LABELS", "Case", "CaseTable", "equal", "expect", "raises"]

DECLARATION: Final = StoreDeclaration(
    kv=StoreIds.of(["main", "other", "absent"], "main"),
    config=StoreIds.of(["settings", "extra", "missing"], "settings"),
    secrets=StoreIds.of(["vault", "backup"], "vault"),
)
"""What the app under test declares, the same for every case."""

LABELS: Final = ("main", "other", "renamed", "settings", "extra")
"""The labels that the host grants, empty unless a case fills them. Not among them: ``absent``,
``missing`` and ``forbidden``."""

Run: TypeAlias = Callable[[Stores], Coroutine[Any, Any, None]]
E = TypeVar("E", bound=StoreError)


class Case(NamedTuple):
    """One behaviour and what has to be there before.

    Attributes:
        name: The name of the function; unique in the table.
        clauses: The clauses and vectors of contract edgezero.md that it shows.
        run: The check itself.
        kv: Entries by label, present before the case runs.
        variables: Component variables by name.
        environment: Environment variables of the component.
        heavy: It moves tens of megabytes through the host.
    """

    name: str
    clauses: tuple[str, ...]
    run: Run
    kv: Mapping[str, Mapping[str, bytes]]
    variables: Mapping[str, str]
    environment: Mapping[str, str]
    heavy: bool


class CaseTable(dict[str, Case]):
    """Cases by name. Call it to decorate a function that is to be one."""

    def __call__(
        self,
        *clauses: str,
        kv: Mapping[str, Mapping[str, bytes]] | None = None,
        variables: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        heavy: bool = False,
    ) -> Callable[[Run], Run]:
        """Add the decorated function under its own name."""

        def add(run: Run) -> Run:
            name: str = run.__name__
            if name in self:
                raise ValueError(f"two cases are called {name}")
            self[name] = Case(
                name, clauses, run, kv or {}, variables or {}, environment or {}, heavy
            )
            return run

        return add


def expect(condition: object, message: str) -> None:
    """Fail with the message unless the condition is true."""
    if not condition:
        raise AssertionError(message)


def equal(actual: object, expected: object, what: str = "the result") -> None:
    """Fail unless both are equal and of the same type."""
    if actual != expected or type(actual) is not type(expected):
        raise AssertionError(f"{what} is {_short(actual)}, expected {_short(expected)}")


async def raises(outcome: Awaitable[Any], error: type[E], status: int, *fragments: str) -> E:
    """Fail unless awaiting raises this error with this status and these texts; return it."""
    try:
        value = await outcome
    except error as raised:
        equal(raised.status, status, f"the status of {raised!r}")
        for fragment in fragments:
            expect(fragment in str(raised), f"{str(raised)!r} does not hold {fragment!r}")
        return raised
    raise AssertionError(f"returned {_short(value)}, expected {error.__name__}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}... ({len(text)} characters)"
