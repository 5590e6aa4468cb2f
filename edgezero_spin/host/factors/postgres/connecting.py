"""Connecting to the servers of a PostgreSQL address.

In: an address, networks that are blocked, and whom to trust. Out: a connection, logged in. Names
are looked up here, once, so that the address that was judged is the
one that is connected to; TLS always verifies the certificate and its name.

Nothing of the account that runs the host is used for a guest: no password file, client
certificate, Kerberos ticket or ``PG..`` variable with a credential.

Source: contract services.md, PG-12, PG-25, PG-26, SVC-9;
https://www.postgresql.org/docs/current/libpq-connect.html.
"""

import os
import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

from psycopg import pq
from psycopg.conninfo import make_conninfo
from psycopg.pq import ConnStatus, PollingStatus
from psycopg.pq.abc import PGconn

from edgezero_spin.host.factors.postgres.address import PostgresAddress, PostgresServer
from edgezero_spin.host.factors.postgres.client import PostgresConnection
from edgezero_spin.host.factors.postgres.errors import PostgresError
from edgezero_spin.host.factors.waits import READ, WRITE, Check, SocketWait

__all__ = ["connect"]

CONNECT_TIMEOUT_S = 10.0
"""Seconds for each server where the address sets none."""

# An empty value is one: libpq then asks neither its environment nor its files.
_FENCED = {
    "password": "",
    "options": "",
    "application_name": "",
    "passfile": f"{os.devnull}/none",
    "require_auth": "!gss,!sspi",
    "gssencmode": "disable",
    "sslcertmode": "disable",
    "client_encoding": "UTF8",
    "target_session_attrs": "any",
    "load_balance_hosts": "disable",
    "channel_binding": "prefer",
}

_NO_TLS = b"server does not support SSL"


def connect(
    address: PostgresAddress,
    roots: Callable[[], Path],
    check: Check,
    blocked: Callable[[str], bool],
) -> PostgresConnection:
    """Return a connection to the first server that lets us in.

    Args:
        address: The servers and how to log in.
        roots: Returns the file of certificates to trust; called where TLS may be used.
        check: What it raises ends the attempt.
        blocked: Says of an IP address that it must not be connected to (NET-41).

    Raises:
        PostgresError: None does. Its message has every server's reason and no password.
    """
    servers = list(address.servers)
    if address.shuffled:
        random.shuffle(servers)
    failures: list[str] = []
    for server in servers:
        until = monotonic() + (address.connect_timeout_s or CONNECT_TIMEOUT_S)
        try:
            places = _places(server, blocked)
        except PostgresError as error:
            failures.append(error.message)
            continue
        for index, place in enumerate(places):
            share_s = (until - monotonic()) / (len(places) - index)
            try:
                native = _log_in(address, server, place, roots, check, monotonic() + share_s)
                return PostgresConnection(native, check)
            except PostgresError as error:
                failures.append(error.message)
    raise PostgresError("; ".join(dict.fromkeys(failures)))


def _places(server: PostgresServer, blocked: Callable[[str], bool]) -> list[str]:
    """Return the IP addresses of a server that may be connected to."""
    name = server.address or server.host or ""
    try:
        found = socket.getaddrinfo(name, server.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PostgresError(f"error connecting to server {name}: {reason}") from error
    places = dict.fromkeys(str(place[0]) for *_, place in found)
    allowed = [place for place in places if not blocked(place)]
    if not allowed:
        raise PostgresError(
            f"error connecting to server {name}: the runtime configuration prohibits its address"
        )
    return allowed


def _log_in(
    address: PostgresAddress,
    server: PostgresServer,
    place: str,
    roots: Callable[[], Path],
    check: Check,
    until: float,
) -> PGconn:
    for mode in _modes(address, roots):
        settings = {
            **_FENCED,
            **address.settings,
            **mode,
            "host": server.host or place,
            "hostaddr": place,
            "port": str(server.port),
        }
        native = pq.PGconn.connect_start(make_conninfo("", **settings).encode())
        try:
            _finish(native, check, until)
        except BaseException as error:
            no_tls = _NO_TLS in native.error_message
            native.finish()
            if no_tls and address.sslmode == "prefer" and isinstance(error, PostgresError):
                continue
            raise
        native.nonblocking = 1
        return native
    raise PostgresError("the server supports no TLS")


def _modes(address: PostgresAddress, roots: Callable[[], Path]) -> Iterator[dict[str, str]]:
    """Yield how to connect; the second way is for servers without TLS."""
    if address.sslmode != "disable":
        yield {"sslmode": "verify-full", "sslrootcert": str(roots())}
    if address.sslmode != "require":
        yield {"sslmode": "disable", "sslnegotiation": "postgres"}


def _finish(native: PGconn, check: Check, until: float) -> None:
    """Carry the connection to its end."""
    if native.status == ConnStatus.BAD:
        raise _failure(native)
    while True:
        state = native.connect_poll()
        if state == PollingStatus.OK:
            return
        if state == PollingStatus.FAILED:
            raise _failure(native)
        # The descriptor changes with each attempt that libpq makes.
        with SocketWait(native.socket) as wait:
            try:
                wait(READ if state == PollingStatus.READING else WRITE, check, until)
            except TimeoutError:
                raise PostgresError(
                    f"connection to server at {native.host.decode()} timed out"
                ) from None


def _failure(native: PGconn) -> PostgresError:
    lines = native.error_message.decode(errors="replace").split("\n")
    return PostgresError(" ".join(line.strip() for line in lines if line.strip()))
