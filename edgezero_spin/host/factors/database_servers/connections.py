"""Connection handles of guests: opening them, at once or while other calls go on.

In: what begins to open a connection of one kind of server. Out: a session, which a subclass of
``ConnectionResource`` stands for, or the error of the interface.

Source: contract services.md, PG-2, MY-1.
"""

from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Self

from edgezero_spin.host.factors.bounds import release
from edgezero_spin.host.factors.database_servers.calls import ThreadCall
from edgezero_spin.host.factors.database_servers.errors import DatabaseServerError
from edgezero_spin.host.factors.database_servers.sessions import Opening, Parameter, Session
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.runtime.interface import HostFunction, WitError

__all__ = ["ConnectionResource", "by_address"]

Begin = Callable[[], Opening[Any]]
"""Begins to open a connection; raises ``DatabaseServerError``."""


class ConnectionResource:
    """A ``connection``.

    Attributes:
        kind: The kind of handle that counts against the instance's limit.
    """

    __slots__ = ("session",)

    kind: ClassVar[str]

    def __init__(self, session: Session[Any]) -> None:
        self.session = session

    @classmethod
    def open(cls, state: InstanceState, begin: Begin) -> Self:
        """Connect on the instance's thread.

        Raises:
            WitError: ``connection-failed``.
        """
        with _failures():
            opening = begin()
        with _given_up(opening), state.asleep():
            return cls(opening.finish(state.check))

    @classmethod
    def open_async(cls, state: InstanceState, begin: Begin) -> Coroutine[Any, Any, Self]:
        """Take a place at once, and connect on a thread of the host.

        Raises:
            WitError: ``connection-failed``.
        """
        with _failures():
            opening = begin()

        async def opened() -> Self:
            call = ThreadCall(state)
            with _given_up(opening):
                return cls(await call.run(lambda: opening.finish(call.check), Session.release))

        return opened()

    def drop(self, state: InstanceState) -> None:
        """Give the connection back."""
        release(state, self.kind)
        self.session.release()


def by_address(
    open_: Callable[[InstanceState, str], ConnectionResource], call: HostFunction
) -> HostFunction:
    """Return a function of an unversioned interface, which connects for each call (PG-1, MY-1)."""

    def function(
        state: InstanceState, address: str, statement: str, values: Sequence[Parameter]
    ) -> Any:
        connection = open_(state, address)
        try:
            return call(state, connection, statement, values)
        finally:
            connection.drop(state)

    return function


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except DatabaseServerError as error:
        raise WitError(("connection-failed", error.message)) from error


@contextmanager
def _given_up(opening: Opening[Any]) -> Iterator[None]:
    """Leave the place of a connection that is not opened."""
    try:
        with _failures():
            yield
    except BaseException:
        opening.release()
        raise
