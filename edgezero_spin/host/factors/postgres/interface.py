"""``spin:postgres/postgres`` and its older versions: a guest's connections to PostgreSQL.

One implementation serves all; an older version has fewer types. The asynchronous functions of
``4.2.0`` wait on threads of the host, so that the guest's other tasks go on.

The client library is loaded with the first connection, so that an application without PostgreSQL
need not have it.

Source: contract services.md, section 1, SVC-9, SVC-10; spin-host.md, NET-24.
"""

import ipaddress
import re
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from edgezero_spin.host.factors.database_servers.calls import RowSource, ThreadCall
from edgezero_spin.host.factors.database_servers.connections import ConnectionResource, by_address
from edgezero_spin.host.factors.database_servers.errors import (
    DatabaseServerError,
    ResultTooLargeError,
)
from edgezero_spin.host.factors.database_servers.sessions import Opening, Parameter
from edgezero_spin.host.factors.extras import missing_extra
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_networking.allowed_hosts import may_connect
from edgezero_spin.host.factors.postgres.address import PostgresServer, parse_postgres_address
from edgezero_spin.host.factors.postgres.factor import PostgresConnections, check_certificate
from edgezero_spin.host.factors.postgres.parameters import ParameterValueError
from edgezero_spin.host.factors.postgres.versions import (
    VERSION_2,
    VERSION_3,
    VERSION_4,
    InterfaceVersion,
)
from edgezero_spin.host.runtime.host_sources import FutureValue
from edgezero_spin.host.runtime.interface import HostFunction, Interface, WitError

if TYPE_CHECKING:
    from edgezero_spin.host.factors.postgres.client import PostgresConnection

__all__ = ["INTERFACES", "ConnectionBuilderResource", "PostgresConnectionResource"]

# A host that is compared and connected to must be read alike by both.
_NAME = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)


class PostgresConnectionResource(ConnectionResource):
    """A ``connection`` to PostgreSQL."""

    __slots__ = ()

    kind = "postgres connection"


@attrs.define(eq=False)
class ConnectionBuilderResource:
    """A ``connection-builder``.

    Attributes:
        certificate: A root certificate to trust, in PEM.
    """

    address: str
    certificate: str | None = None


def _begin_open(
    state: InstanceState, text: str, certificate: str | None = None
) -> "Opening[PostgresConnection]":
    """Judge an address, and take a place for the handle.

    Args:
        certificate: A root certificate to trust beside the usual ones, in PEM.

    Raises:
        DatabaseServerError: The address cannot be read or is not permitted, there are too many
            handles, or the client library is missing.
    """
    try:
        address = parse_postgres_address(text)
    except ValueError as error:
        raise DatabaseServerError(str(error)) from None
    for server in address.servers:
        _check_permitted(state, server)
    missing = missing_extra("connections to PostgreSQL", "postgres", "psycopg")
    if missing is not None:
        raise DatabaseServerError(missing)
    from edgezero_spin.host.factors.postgres.connecting import connect

    grants = state.grants
    postgres: PostgresConnections = grants.postgres
    connect_ = partial(connect, address, partial(postgres.roots.file, certificate))
    pool = postgres.pools.pool((grants.component_id, text, certificate), connect_)
    return Opening(state, PostgresConnectionResource.kind, pool, grants.network.postgres_slots)


def _check_permitted(state: InstanceState, server: PostgresServer) -> None:
    names = [name for name in (server.host, server.address) if name is not None]
    for name, granted in zip(names, server.granted, strict=True):
        if not _is_host(name) or not may_connect(state, granted, "postgres"):
            raise DatabaseServerError(f"address postgres://{granted} is not permitted")


def _is_host(name: str) -> bool:
    if _NAME.fullmatch(name):
        return True
    try:
        ipaddress.IPv6Address(name)
    except ValueError:
        return False
    return "%" not in name


def _open(
    state: InstanceState, address: str, certificate: str | None = None
) -> PostgresConnectionResource:
    return PostgresConnectionResource.open(state, lambda: _begin_open(state, address, certificate))


@contextmanager
def _errors(version: InterfaceVersion, bad_value: str, *, flat: bool) -> Iterator[None]:
    """Turn errors of a statement into those of the interface."""
    try:
        yield
    except ParameterValueError as error:
        raise WitError((bad_value, str(error))) from error
    except (DatabaseServerError, ResultTooLargeError) as error:
        raise WitError(version.query_failed(error, flat=flat)) from error


_query_errors = partial(_errors, bad_value="bad-parameter", flat=True)
_stream_errors = partial(_errors, bad_value="bad-parameter", flat=False)
_execute_errors = partial(_errors, bad_value="value-conversion-failed", flat=False)


def _check_cases(values: Sequence[Parameter]) -> None:
    """Refuse cases that PostgreSQL lacks, before anything is sent (PG-49)."""
    if any(case.startswith("uint") for case, _ in values):
        message = "Postgres does not support unsigned integers"
        raise WitError(("value-conversion-failed", message))


def _query(
    version: InterfaceVersion,
    state: InstanceState,
    connection: PostgresConnectionResource,
    statement: str,
    values: Sequence[Parameter],
) -> dict[str, Any]:
    _check_cases(values)
    with _query_errors(version), state.asleep():
        columns, rows = connection.session.query(statement, values, state.check)
    return version.row_set(columns, rows)


def _execute(
    version: InterfaceVersion,
    state: InstanceState,
    connection: PostgresConnectionResource,
    statement: str,
    values: Sequence[Parameter],
) -> int:
    _check_cases(values)
    with _execute_errors(version), state.asleep():
        return connection.session.execute(statement, values, state.check)


def _set_ca_root(
    state: InstanceState, builder: ConnectionBuilderResource, certificate: str
) -> None:
    try:
        check_certificate(certificate)
    except ValueError as error:
        raise WitError(("other", str(error))) from error
    builder.certificate = certificate


def _build(state: InstanceState, builder: ConnectionBuilderResource) -> PostgresConnectionResource:
    return _open(state, builder.address, builder.certificate)


def _open_async(
    state: InstanceState, address: str, certificate: str | None = None
) -> Coroutine[Any, Any, PostgresConnectionResource]:
    return PostgresConnectionResource.open_async(
        state, lambda: _begin_open(state, address, certificate)
    )


def _build_async(
    state: InstanceState, builder: ConnectionBuilderResource
) -> Coroutine[Any, Any, PostgresConnectionResource]:
    return _open_async(state, builder.address, builder.certificate)


async def _execute_async(
    state: InstanceState,
    connection: PostgresConnectionResource,
    statement: str,
    values: Sequence[Parameter],
) -> int:
    call, session = ThreadCall(state), connection.session
    with _execute_errors(VERSION_4):
        return await call.use(session, lambda: session.execute(statement, values, call.check))


async def _query_async(
    state: InstanceState,
    connection: PostgresConnectionResource,
    statement: str,
    values: Sequence[Parameter],
) -> tuple[list[dict[str, Any]], Any, FutureValue]:
    call, session = ThreadCall(state), connection.session
    with _stream_errors(VERSION_4):
        stream = await call.use(session, lambda: session.stream(statement, values, call.check))
    rows = RowSource(state, session, stream, partial(VERSION_4.query_failed, flat=False))
    columns = stream.columns if stream.has_rows else ()
    return VERSION_4.columns(columns), *rows.ends


def _functions(version: InterfaceVersion) -> dict[str, HostFunction]:
    return {
        "[static]connection.open": _open,
        "[method]connection.query": partial(_query, version),
        "[method]connection.execute": partial(_execute, version),
    }


_NEWEST: dict[str, HostFunction] = {
    **_functions(VERSION_4),
    "[constructor]connection-builder": lambda state, address: ConnectionBuilderResource(address),
    "[method]connection-builder.set-ca-root": _set_ca_root,
    "[method]connection-builder.build": _build,
    "[method]connection-builder.build-async": _build_async,
    "[static]connection.open-async": _open_async,
    "[method]connection.query-async": _query_async,
    "[method]connection.execute-async": _execute_async,
}

_RESOURCES = {
    "connection": PostgresConnectionResource,
    "connection-builder": ConnectionBuilderResource,
}

INTERFACES = (
    *(
        Interface(f"spin:postgres/postgres@{version}", _NEWEST, _RESOURCES)
        for version in ("4.2.0", "4.1.0", "4.0.0")
    ),
    Interface(
        "spin:postgres/postgres@3.0.0",
        _functions(VERSION_3),
        {"connection": PostgresConnectionResource},
    ),
    Interface(
        "fermyon:spin/postgres@2.0.0",
        _functions(VERSION_2),
        {"connection": PostgresConnectionResource},
    ),
    Interface(
        "fermyon:spin/postgres",
        {
            "query": by_address(_open, partial(_query, VERSION_2)),
            "execute": by_address(_open, partial(_execute, VERSION_2)),
        },
    ),
)
"""The interfaces, versions included; a component of 4.0 or 4.1 asks for less of the same."""
