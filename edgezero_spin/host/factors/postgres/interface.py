"""``spin:postgres/postgres`` and its older versions: a guest's connections to PostgreSQL.

One implementation serves all; an older version has fewer types. The asynchronous functions of
``4.2.0`` wait on threads of the factor, so that the guest's other tasks go on.

Source: contract services.md, section 1.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.factors.blocking import away, check
from edgezero_spin.host.factors.bounds import release
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.postgres.errors import PostgresError, ResultTooLargeError
from edgezero_spin.host.factors.postgres.parameters import Parameter, ParameterValueError
from edgezero_spin.host.factors.postgres.sessions import (
    KIND,
    Opening,
    RowStream,
    Session,
    begin_open,
)
from edgezero_spin.host.factors.postgres.versions import (
    VERSION_1,
    VERSION_2,
    VERSION_3,
    VERSION_4,
    Version,
)
from edgezero_spin.host.runtime.host_ends import Answer
from edgezero_spin.host.runtime.interface import Err, HostFunction, Interface, Ok, WitError

__all__ = ["INTERFACES"]

T = TypeVar("T")


class Connection:
    """A ``connection``.

    Attributes:
        session: What it stands for.
    """

    __slots__ = ("session",)

    def __init__(self, session: Session) -> None:
        self.session = session

    def drop(self, state: InstanceState) -> None:
        """Give the connection back."""
        release(state, KIND)
        self.session.release()


class ConnectionBuilder:
    """A ``connection-builder``.

    Attributes:
        address: The address.
        certificate: A root certificate to trust, in PEM.
    """

    __slots__ = ("address", "certificate")

    def __init__(self, address: str) -> None:
        self.address = address
        self.certificate: str | None = None


def _connection_failed(error: PostgresError) -> WitError:
    return WitError(("connection-failed", error.message))


def _begin_open(state: InstanceState, address: str, certificate: str | None = None) -> Opening:
    try:
        return begin_open(state, address, certificate)
    except PostgresError as error:
        raise _connection_failed(error) from error


def _open(state: InstanceState, address: str, certificate: str | None = None) -> Connection:
    opening = _begin_open(state, address, certificate)
    try:
        with away(state):
            return Connection(opening.finish(lambda: check(state)))
    except PostgresError as error:
        opening.give_up()
        raise _connection_failed(error) from error
    except BaseException:
        opening.give_up()
        raise


@contextmanager
def _errors(version: Version, bad_value: str, *, flat: bool) -> Iterator[None]:
    """Turn errors of a statement into those of the interface."""
    try:
        yield
    except ParameterValueError as error:
        raise WitError((bad_value, str(error))) from error
    except (PostgresError, ResultTooLargeError) as error:
        raise WitError(version.query_failed(error, flat=flat)) from error


_query_errors = partial(_errors, bad_value="bad-parameter", flat=True)
_stream_errors = partial(_errors, bad_value="bad-parameter", flat=False)
_execute_errors = partial(_errors, bad_value="value-conversion-failed", flat=False)


def _parameters(version: Version, values: Sequence[Parameter]) -> Sequence[Parameter]:
    """Check for cases that PostgreSQL lacks, before anything is sent (PG-49)."""
    try:
        return version.parameters(values)
    except ParameterValueError as error:
        raise WitError(("value-conversion-failed", str(error))) from error


def _query(
    version: Version,
    state: InstanceState,
    connection: Connection,
    statement: str,
    values: Sequence[Parameter],
) -> dict[str, Any]:
    parameters = _parameters(version, values)
    with _query_errors(version), away(state):
        columns, rows = connection.session.query(statement, parameters, lambda: check(state))
    return version.row_set(columns, rows)


def _execute(
    version: Version,
    state: InstanceState,
    connection: Connection,
    statement: str,
    values: Sequence[Parameter],
) -> int:
    parameters = _parameters(version, values)
    with _execute_errors(version), away(state):
        return connection.session.execute(statement, parameters, lambda: check(state))


def _by_address(call: HostFunction, version: Version) -> HostFunction:
    """Return a function of the unversioned interface, which connects for each call (PG-1)."""

    def function(
        state: InstanceState, address: str, statement: str, values: Sequence[Parameter]
    ) -> Any:
        connection = _open(state, address)
        try:
            return call(state, connection, statement, values)
        finally:
            connection.drop(state)

    return function


def _set_ca_root(state: InstanceState, builder: ConnectionBuilder, certificate: str) -> None:
    from edgezero_spin.host.factors.postgres.roots import check_certificate

    try:
        check_certificate(certificate)
    except ValueError as error:
        raise WitError(("other", str(error))) from error
    builder.certificate = certificate


def _build(state: InstanceState, builder: ConnectionBuilder) -> Connection:
    return _open(state, builder.address, builder.certificate)


class _Cancelled:
    """Whether a call that runs on another thread is wanted no more."""

    def __init__(self, state: InstanceState) -> None:
        self._state = state
        self.set = False

    def check(self) -> None:
        """Raise what ends a wait."""
        if self.set:
            raise Trap("the call was cancelled")
        check(self._state)


async def _on_thread(
    state: InstanceState,
    work: Callable[[Callable[[], None]], T],
    done: Callable[["Future[T]", bool], None],
) -> T:
    """Run something that waits, on a thread of the factor.

    Args:
        state: Of the instance.
        work: Gets what to call while it waits.
        done: Called when the work has ended, or never began; with whether its caller is gone.
    """
    cancelled = _Cancelled(state)
    future: Future[T] = state.grants.postgres.threads.submit(work, cancelled.check)
    future.add_done_callback(lambda future: done(future, cancelled.set))
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        cancelled.set = True
        raise


async def _on_session(
    state: InstanceState, session: Session, work: Callable[[Callable[[], None]], T]
) -> T:
    """Do the same, and keep the session until the end, wherever its handle is by then."""
    session.hold()
    return await _on_thread(state, work, lambda future, cancelled: session.release())


def _open_async(
    state: InstanceState, address: str, certificate: str | None = None
) -> Coroutine[Any, Any, Connection]:
    opening = _begin_open(state, address, certificate)

    def done(future: "Future[Session]", cancelled: bool) -> None:
        if cancelled and not future.cancelled() and future.exception() is None:
            future.result().release()

    async def opened() -> Connection:
        try:
            return Connection(await _on_thread(state, opening.finish, done))
        except PostgresError as error:
            opening.give_up()
            raise _connection_failed(error) from error
        except BaseException:
            opening.give_up()
            raise

    return opened()


def _build_async(
    state: InstanceState, builder: ConnectionBuilder
) -> Coroutine[Any, Any, Connection]:
    return _open_async(state, builder.address, builder.certificate)


async def _execute_async(
    state: InstanceState, connection: Connection, statement: str, values: Sequence[Parameter]
) -> int:
    session = connection.session
    with _execute_errors(VERSION_4):
        return await _on_session(
            state, session, lambda check: session.execute(statement, values, check)
        )


async def _query_async(
    state: InstanceState, connection: Connection, statement: str, values: Sequence[Parameter]
) -> Any:
    session = connection.session
    with _stream_errors(VERSION_4):
        stream = await _on_session(
            state, session, lambda check: session.stream(statement, values, check)
        )
    columns = VERSION_4.columns(stream.columns)
    return columns, _RowSource(state, stream), Answer(_outcome(stream))


async def _outcome(stream: RowStream) -> Ok | Err:
    error = await asyncio.wrap_future(stream.outcome)
    return Ok(None) if error is None else Err(VERSION_4.query_failed(error, flat=False))


class _RowSource:
    """The stream that a guest reads rows from."""

    def __init__(self, state: InstanceState, stream: RowStream) -> None:
        self._state = state
        self._stream = stream
        self._closed = False

    async def read(self, most: int) -> list[Any]:
        """Return the next rows, none at the end."""
        stream, session = self._stream, self._stream.session
        rows = await _on_session(
            self._state, session, lambda check: session.read(stream, max(most, 1), check)
        )
        if not rows:
            self.close()
        return rows

    def close(self) -> None:
        """End the statement; what its future then holds is no error (PG-66)."""
        if self._closed:
            return
        self._closed = True
        stream = self._stream
        if not stream.outcome.done():
            stream.outcome.set_result(None)
        self._state.grants.postgres.threads.submit(_end, stream)


def _end(stream: RowStream) -> None:
    stream.session.end(stream)
    stream.session.release()


def _functions(version: Version) -> dict[str, HostFunction]:
    return {
        "[static]connection.open": _open,
        "[method]connection.query": partial(_query, version),
        "[method]connection.execute": partial(_execute, version),
    }


_NEWEST: dict[str, HostFunction] = {
    **_functions(VERSION_4),
    "[constructor]connection-builder": lambda state, address: ConnectionBuilder(address),
    "[method]connection-builder.set-ca-root": _set_ca_root,
    "[method]connection-builder.build": _build,
    "[method]connection-builder.build-async": _build_async,
    "[static]connection.open-async": _open_async,
    "[method]connection.query-async": _query_async,
    "[method]connection.execute-async": _execute_async,
}

_RESOURCES = {"connection": Connection, "connection-builder": ConnectionBuilder}

INTERFACES = (
    *(
        Interface(f"spin:postgres/postgres@{version}", _NEWEST, _RESOURCES)
        for version in ("4.2.0", "4.1.0", "4.0.0")
    ),
    Interface("spin:postgres/postgres@3.0.0", _functions(VERSION_3), {"connection": Connection}),
    Interface("fermyon:spin/postgres@2.0.0", _functions(VERSION_2), {"connection": Connection}),
    Interface(
        "fermyon:spin/postgres",
        {
            "query": _by_address(partial(_query, VERSION_1), VERSION_1),
            "execute": _by_address(partial(_execute, VERSION_1), VERSION_1),
        },
    ),
)
"""The interfaces, versions included; a component of 4.0 or 4.1 asks for less of the same."""
