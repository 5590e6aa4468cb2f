"""PostgreSQL connection strings.

In: a URL or a list of ``key=value`` pairs, as a guest gives it. Out: a ``PostgresAddress``, with
every server that it names and the settings of the connection. Nothing is resolved and nothing
of this machine's environment is read: what the string leaves out has the driver's default.

Source: contract services.md, PG-10 to PG-18, PG-25; the keys and their values are those of
rust-postgres, https://docs.rs/tokio-postgres/latest/tokio_postgres/config/struct.Config.html.
"""

import getpass
import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote_to_bytes

import attrs

__all__ = ["PostgresAddress", "PostgresServer", "UnixSocketError", "parse_postgres_address"]

DEFAULT_PORT = 5432

_PAIR = re.compile(
    r"\s*(?P<key>\w+)\s*=\s*(?:'(?P<quoted>(?:[^'\\]|\\.)*)'|(?P<plain>(?:[^\s'\\]|\\.)+))(?:\s+|\Z)",
    re.DOTALL,
)
_CHOICES = {
    "sslmode": ("disable", "prefer", "require"),
    "sslnegotiation": ("postgres", "direct"),
    "target_session_attrs": ("any", "read-write", "read-only"),
    "channel_binding": ("disable", "prefer", "require"),
    "load_balance_hosts": ("disable", "random"),
}
_TEXTS = ("user", "password", "dbname", "options", "application_name")
_LARGEST_NUMBER = 2**31 - 1


class UnixSocketError(ValueError):
    """The address names a socket of this machine."""

    def __init__(self) -> None:
        super().__init__("Unix sockets are not supported on WebAssembly")


@attrs.frozen
class PostgresServer:
    """One server that a connection string names.

    Attributes:
        host: A name or an address, whose certificate is expected; ``None`` where the string
            gives ``hostaddr`` only.
        address: The IP address to connect to, from ``hostaddr``; ``None`` to look the host up.
        granted: What has to be permitted, ``host`` or ``host:port``: the host, and the address
            where it stands beside it.
    """

    host: str | None
    address: str | None
    port: int
    granted: tuple[str, ...]


@attrs.frozen
class PostgresAddress:
    """A connection string, read.

    Attributes:
        servers: In the order in which they are tried.
        settings: ``user``, ``password``, ``dbname`` and the other texts, as libpq spells them.
        sslmode: ``disable``, ``prefer`` or ``require``.
        shuffled: Whether the servers are tried in any order.
        connect_timeout_s: Seconds to try each server; ``None`` for no limit of its own.
    """

    servers: tuple[PostgresServer, ...]
    settings: Mapping[str, str] = attrs.field(repr=False)
    sslmode: str = "prefer"
    shuffled: bool = False
    connect_timeout_s: int | None = None


def parse_postgres_address(text: str) -> PostgresAddress:
    """Read a connection string.

    Raises:
        UnixSocketError: A host is the path of a socket.
        ValueError: The text is not a connection string. The message repeats no value: a password
            may stand anywhere in a text that cannot be read.
    """
    scheme, mark, rest = text.partition("://")
    if mark and scheme in ("postgres", "postgresql"):
        options = _Options()
        _read_url(rest, options)
    else:
        options = _Options()
        _read_pairs(text, options)
    return options.address()


def _invalid(reason: str) -> ValueError:
    return ValueError(f"invalid connection string: {reason}")


def _read_pairs(text: str, options: "_Options") -> None:
    at = len(text) - len(text.lstrip())
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None:
            raise _invalid(f"expected key=value at character {at + 1}")
        value = pair["plain"] if pair["quoted"] is None else pair["quoted"]
        options.set(pair["key"], re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL))
        at = pair.end()


def _read_url(rest: str, options: "_Options") -> None:
    # The user ends at the first @, as the driver reads it; a path or query begins after it.
    head, at, tail = rest.partition("@")
    if at:
        user, colon, password = head.partition(":")
        options.set("user", _decoded(user))
        if colon:
            options.set("password", _decoded(password))
    else:
        tail = rest
    place, mark, query = tail.partition("?")
    hosts, _, database = place.partition("/")
    if hosts:
        for part in hosts.split(","):
            _read_host(part, options)
    if database:
        options.set("dbname", _decoded(database))
    for item in query.split("&") if mark and query else ():
        key, equals, value = item.partition("=")
        if not equals:
            raise _invalid("a parameter of the URL has no value")
        options.set(_decoded(key), _decoded(value))


def _read_host(part: str, options: "_Options") -> None:
    if part.startswith("["):
        host, bracket, port = part[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise _invalid("an address in brackets does not end in ]")
        port = port[1:]
    else:
        host, _, port = part.partition(":")
    options.add_host(_decoded(host))
    options.add_ports(port or str(DEFAULT_PORT))


def _decoded(text: str) -> str:
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise _invalid("a percent-encoded part is not UTF-8") from None


class _Options:
    """What was read so far."""

    def __init__(self) -> None:
        self._hosts: list[str] = []
        self._addresses: list[str] = []
        self._ports: list[int | None] = []
        self._texts: dict[str, str] = {}
        self._choices: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._readers: dict[str, Callable[[str], None]] = {
            "host": self.add_hosts,
            "hostaddr": lambda value: self._addresses.extend(value.split(",")),
            "port": self.add_ports,
        }

    def set(self, key: str, value: str) -> None:
        """Take one setting.

        Raises:
            ValueError: There is no such key, or the value does not fit it.
        """
        if "\0" in value:
            raise _invalid(f"invalid value for option{_shown(key)}")
        reader = self._readers.get(key)
        if reader is not None:
            reader(value)
        elif key in _TEXTS:
            self._texts[key] = value
        elif key in _CHOICES:
            if value not in _CHOICES[key]:
                raise _invalid(f"invalid value for option `{key}`")
            self._choices[key] = value
        elif key in ("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_retries"):
            self._numbers[key] = _number(key, value)
        elif key in ("connect_timeout", "tcp_user_timeout"):
            self._numbers[key] = max(0, _number(key, value))
        else:
            raise _invalid(f"unknown option{_shown(key)}")

    def add_hosts(self, text: str) -> None:
        """Take hosts, separated by commas."""
        for host in text.split(","):
            self.add_host(host)

    def add_host(self, host: str) -> None:
        """Take one more host.

        Raises:
            UnixSocketError: It is the path of a socket.
        """
        if host.startswith(("/", "@")):
            raise UnixSocketError
        self._hosts.append(host)

    def add_ports(self, text: str) -> None:
        """Take ports; an empty one is the default."""
        for part in text.split(","):
            if not part:
                self._ports.append(DEFAULT_PORT)
            elif part.isascii() and part.isdigit() and len(part) <= 5 and int(part) < 65_536:
                self._ports.append(int(part))
            else:
                raise _invalid("invalid value for option `port`")

    def address(self) -> PostgresAddress:
        """Return what was read, once all is.

        Raises:
            ValueError: The numbers of hosts, addresses and ports do not fit.
        """
        hosts, addresses, ports = self._hosts, self._addresses, self._ports
        count = len(hosts) or len(addresses)
        if hosts and addresses and len(hosts) != len(addresses):
            raise _invalid("there are not as many hosts as addresses in `hostaddr`")
        if len(ports) not in (0, 1, count):
            raise _invalid("invalid number of ports")
        if not count:
            raise ValueError("both host and hostaddr are missing")
        user = self._texts.get("user") or getpass.getuser()
        settings = {**self._texts, "user": user}
        settings.setdefault("dbname", user)
        settings.update(
            (key, value)
            for key, value in self._choices.items()
            if key not in ("sslmode", "load_balance_hosts")
        )
        timeout = self._numbers.pop("connect_timeout", 0)
        settings.update(
            (_LIBPQ_NAMES.get(key, key), str(value)) for key, value in self._numbers.items()
        )
        return PostgresAddress(
            tuple(self._server(index) for index in range(count)),
            settings,
            self._choices.get("sslmode", "prefer"),
            self._choices.get("load_balance_hosts") == "random",
            timeout or None,
        )

    def _server(self, index: int) -> PostgresServer:
        host = self._hosts[index] if self._hosts else None
        address = self._addresses[index] if self._addresses else None
        ports = self._ports
        port = ports[index if len(ports) > 1 else 0] if ports else None
        suffix = "" if port is None else f":{port}"
        granted = tuple(
            f"{_bracketed(name)}{suffix}" for name in (host, address) if name is not None
        )
        return PostgresServer(host, address, DEFAULT_PORT if port is None else port, granted)


_LIBPQ_NAMES = {"keepalives_retries": "keepalives_count"}


def _number(key: str, value: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,10}", value, re.ASCII) or abs(int(value)) > _LARGEST_NUMBER:
        raise _invalid(f"invalid value for option `{key}`")
    return int(value)


def _shown(key: str) -> str:
    """The key, unless it may be part of a password that was not quoted."""
    known = key in _TEXTS or key in _CHOICES or key in _LIBPQ_ONLY
    return f" `{key}`" if known else ""


# What libpq knows and the driver does not.
_LIBPQ_ONLY = (
    *("client_encoding", "fallback_application_name", "gssencmode", "krbsrvname", "passfile"),
    *("replication", "require_auth", "requirepeer", "service", "sslcert", "sslcertmode"),
    *("sslcrl", "sslkey", "sslpassword", "sslrootcert", "sslsni"),
)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
