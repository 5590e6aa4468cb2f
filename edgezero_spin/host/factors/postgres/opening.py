"""Opening connections to PostgreSQL: where an address may lead.

The client library is loaded with the first connection, so that an application without PostgreSQL
need not have it.

Source: contract services.md, PG-13 to PG-20, SVC-9, SVC-10; spin-host.md, NET-24.
"""

import ipaddress
import re
from functools import partial
from typing import TYPE_CHECKING

from edgezero_spin.host.factors.database_servers.errors import DatabaseServerError
from edgezero_spin.host.factors.database_servers.sessions import Opening
from edgezero_spin.host.factors.extras import missing_extra
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_networking.addresses import may_connect
from edgezero_spin.host.factors.postgres.address import (
    PostgresServer,
    parse_postgres_address,
)
from edgezero_spin.host.factors.postgres.factor import PostgresConnections

if TYPE_CHECKING:
    from edgezero_spin.host.factors.postgres.client import PostgresConnection

__all__ = ["KIND", "begin_open"]

KIND = "postgres connection"
"""The kind of handle that counts against the instance's limit."""

# A host that is compared and connected to must be read alike by both.
_NAME = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)


def begin_open(
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
    return Opening(state, KIND, pool, grants.network.postgres_slots)


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
