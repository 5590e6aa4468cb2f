"""Which hosts the address of a PostgreSQL server names.

In: a URL or a keyword string, as ``libpq`` reads them. Out: ``host`` or ``host:port`` for each
server that it names. Users, passwords and options are left out.

Source: contract spin-host.md, NET-24;
https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING.
"""

import re
from itertools import zip_longest
from urllib.parse import parse_qsl, unquote

__all__ = ["UnixSocketError", "postgres_hosts"]

_PAIR = re.compile(
    r"\s*(?P<key>\w+)\s*=\s*(?:'(?P<quoted>(?:[^'\\]|\\.)*)'|(?P<plain>(?:[^\s'\\]|\\.)*))(?:\s+|\Z)",
    re.DOTALL,
)


class UnixSocketError(ValueError):
    """The address names a socket of this machine."""


def postgres_hosts(address: str) -> list[str]:
    """Return the servers that an address names.

    Raises:
        UnixSocketError: One of them is a socket file.
        ValueError: The address cannot be read.
    """
    scheme, mark, rest = address.partition("://")
    if mark and scheme in ("postgres", "postgresql"):
        return _of_url(rest)
    settings = _settings(address)
    hosts = (settings.get("host") or settings.get("hostaddr") or "").split(",")
    return _joined(hosts, settings.get("port", "").split(","))


def _of_url(rest: str) -> list[str]:
    place, _, query = rest.partition("?")
    authority = place.rpartition("@")[2].partition("/")[0]
    options = dict(parse_qsl(query))
    if "host" in options:
        return _joined(options["host"].split(","), options.get("port", "").split(","))
    pairs = [_split(part) for part in authority.split(",")]
    # Spin's driver gives a URL its default port, and a keyword string none.
    return _joined([host for host, _ in pairs], [port or "5432" for _, port in pairs])


def _split(part: str) -> tuple[str, str]:
    host, colon, port = part.rpartition(":")
    return (unquote(part), "") if not colon or "]" in port else (unquote(host), port)


def _settings(text: str) -> dict[str, str]:
    settings = {}
    at = 0
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None:
            raise ValueError(f"invalid connection string: unexpected text at byte {at}")
        value = pair["plain"] if pair["quoted"] is None else pair["quoted"]
        settings[pair["key"]] = re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
        at = pair.end()
    return settings


def _joined(hosts: list[str], ports: list[str]) -> list[str]:
    if any(host.startswith("/") for host in hosts):
        raise UnixSocketError("Unix sockets are not supported on WebAssembly")
    if len(ports) == 1:
        ports = ports * len(hosts)
    pairs = zip_longest(hosts, ports[: len(hosts)], fillvalue="")
    return [f"{host}:{port}" if port else host for host, port in pairs if host]
