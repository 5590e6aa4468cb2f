"""Addresses of MySQL servers.

In: a URL as a guest gives it. Out: a ``MysqlAddress``. Host and port are read by the rules of
``allowed_outbound_hosts``, so that what was allowed is what is connected to.

Source: contract services.md, MY-3 to MY-7;
https://docs.rs/mysql_async/latest/mysql_async/struct.Opts.html for the parameters.
"""

import re
from urllib.parse import unquote_to_bytes

import attrs

from edgezero_spin.host.factors.outbound_networking.allowed_hosts import parse_outbound_url

__all__ = ["MysqlAddress", "parse_mysql_address"]

DEFAULT_PORT = 3306

# Parameters of Spin's driver: they are checked, and do nothing here.
_FLAGS = (
    *("client_found_rows", "compression", "disable_built_in_roots", "enable_cleartext_plugin"),
    *("prefer_socket", "require_ssl", "reset_connection", "secure_auth", "tcp_nodelay"),
    *("verify_ca", "verify_identity"),
)
_NUMBERS = (
    *("abs_conn_ttl", "abs_conn_ttl_jitter", "conn_ttl", "inactive_connection_ttl"),
    *("max_allowed_packet", "pool_max", "pool_min", "stmt_cache_size", "tcp_keepalive"),
    *("ttl_check_interval", "wait_timeout"),
)
_TLS = ("ssl-mode", "sslmode")


@attrs.frozen
class MysqlAddress:
    """Where a server is and how to log in.

    Attributes:
        host: A name or an address.
        user: May be empty.
        password: May be empty.
        database: The database to begin with; ``None`` for none.
        tls: Whether the connection is encrypted.
    """

    host: str
    port: int
    user: bytes
    password: bytes = attrs.field(repr=False)
    database: bytes | None = None
    tls: bool = False


def parse_mysql_address(text: str) -> MysqlAddress:
    """Read ``mysql://[user[:password]@]host[:port][/database][?parameters]``.

    Raises:
        ValueError: The text is not such an address. The message repeats no part of it that may be a
            password.
    """
    scheme, mark, rest = text.partition("://")
    if not mark or scheme.lower() != "mysql":
        raise ValueError("an address of MySQL starts with mysql://")
    try:
        url = parse_outbound_url(text, "mysql")
    except ValueError:
        raise ValueError(
            "the host or port of the MySQL address cannot be read; in a user or a password, "
            "write / ? # and @ percent-encoded"
        ) from None
    # As the host was read: the user ends at the first @ before a slash, or at a later one.
    user, at, tail = rest.partition("@")
    if not at or "/" in user:
        user, tail = "", rest
    authority, end = _split(tail)
    more, _, _ = authority.rpartition("@")
    user = f"{user}@{more}" if more else user
    name, _, password = user.partition(":")
    path, _, query = end.partition("#")[0].partition("?")
    database = unquote_to_bytes(path.removeprefix("/"))
    tls = _tls_of(query)
    fields = (unquote_to_bytes(name), unquote_to_bytes(password), database)
    if any(b"\0" in field for field in fields):
        raise ValueError("the MySQL address contains a NUL")
    port = DEFAULT_PORT if url.port is None else url.port
    return MysqlAddress(str(url.host), port, *fields[:2], database or None, tls)


def _split(tail: str) -> tuple[str, str]:
    found = re.search(r"[/?#\\]", tail)
    return (tail, "") if found is None else (tail[: found.start()], tail[found.start() :])


def _tls_of(query: str) -> bool:
    """Check the parameters; return whether TLS is asked for."""
    tls = False
    for item in query.split("&") if query else ():
        key, _, value = item.partition("=")
        if key.lower() in _TLS:
            tls = tls or value.lower() != "disabled"
        elif key == "socket":
            raise ValueError("the parameter `socket` of a MySQL address is not supported")
        elif key in _FLAGS:
            if value not in ("true", "false"):
                raise ValueError(f"the parameter `{key}` of the MySQL address is true or false")
        elif key in _NUMBERS:
            if not (value.isascii() and value.isdigit()):
                raise ValueError(f"the parameter `{key}` of the MySQL address is a number")
        else:
            raise ValueError("the MySQL address has an unknown parameter")
    return tls
