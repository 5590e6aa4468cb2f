"""Addresses of Redis servers: ``redis://user:password@host:port/database``.

In: the text of a URL. Out: a ``RedisAddress``, or a ``ValueError`` that repeats no part of it.
"""

from urllib.parse import unquote_to_bytes

import attrs

from edgezero_spin.host.factors.outbound_networking.allowed_hosts import parse_outbound_url

__all__ = ["RedisAddress", "parse_redis_address"]

DEFAULT_PORT = 6379


@attrs.frozen
class RedisAddress:
    """Where a server is and how to log in.

    Attributes:
        host: A name or an address.
        username: ``None`` for the server's default user.
        password: ``None`` to log in to nothing.
        database: Which of the server's databases.
        tls: Whether the connection is encrypted.
    """

    host: str
    port: int = DEFAULT_PORT
    username: bytes | None = attrs.field(default=None, repr=False)
    password: bytes | None = attrs.field(default=None, repr=False)
    database: int = 0
    tls: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_redis_address(text: str) -> RedisAddress:
    """Read ``redis://[user:password@]host[:port][/database]``, or ``rediss:`` for TLS.

    Host and port are read by the same rules as ``allowed_outbound_hosts``, so that what was
    allowed is what is connected to.

    Raises:
        ValueError: The text is not such an address. The message repeats no part of it: a password
            that is not percent-encoded may stand anywhere.
    """
    scheme, mark, rest = text.partition("://")
    tls = scheme.lower() == "rediss"
    if not mark or not (tls or scheme.lower() == "redis"):
        raise ValueError("a Redis address starts with redis:// or rediss://")
    try:
        url = parse_outbound_url(text, "redis")
    except ValueError:
        raise ValueError(
            "its host or port cannot be read; in a user or a password, write / ? # and @ "
            "percent-encoded"
        ) from None
    authority, _, path = rest.partition("?")[0].partition("#")[0].partition("/")
    user, at, _ = authority.rpartition("@")
    name, colon, password = user.partition(":")
    database = path.strip("/")
    if database and not (database.isascii() and database.isdigit() and len(database) < 10):
        raise ValueError("what follows the host is not a number of a database")
    return RedisAddress(
        str(url.host),
        DEFAULT_PORT if url.port is None else url.port,
        username=unquote_to_bytes(name) if at and name else None,
        password=unquote_to_bytes(password) if colon else None,
        database=int(database or 0),
        tls=tls,
    )
