"""Entries of ``allowed_outbound_hosts``: what one says, and what it allows.

An entry is ``scheme://host[:port]``. In: its text, templates already filled in. Out: an
``AllowedHost`` that answers for a scheme, host and port. Names are never resolved: an
entry for addresses says nothing about names.

Source: contract spin-host.md, NET-1 to NET-10 and CHAIN-6.
"""

from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_network

import attrs

from edgezero_spin.manifest.spin.host_names import HostName, parse_host_name

__all__ = [
    "CHAINING_SUFFIX",
    "DEFAULT_PORTS",
    "AllowedHost",
    "AllowedHostError",
    "check_sole_entry",
    "is_blank_entry",
    "parse_allowed_host",
]

CHAINING_SUFFIX = ".spin.internal"
"""What the hosts of an application's own components end in."""

DEFAULT_PORTS = {
    "postgres": 5432,
    "mysql": 3306,
    "redis": 6379,
    "mqtt": 1883,
    "http": 80,
    "https": 443,
}
"""The port that is meant when none is written, by scheme."""


class AllowedHostError(ValueError):
    """A text is not an entry of ``allowed_outbound_hosts``."""


@attrs.frozen
class _Anything:
    """``*`` as a host."""


@attrs.frozen
class _Self:
    """``self``: the application's own address."""


@attrs.frozen
class _Subdomains:
    """``*.domain``; the suffix starts with a dot."""

    suffix: str


_Host = _Anything | _Self | _Subdomains | IPv4Network | IPv6Network | HostName


@attrs.frozen
class AllowedHost:
    """One entry.

    Attributes:
        text: As it was written.
        scheme: The scheme; ``None`` for any.
        host: What hosts it means.
        ports: The ports it means; ``None`` for any.
    """

    text: str
    scheme: str | None
    host: _Host
    ports: range | None

    def allows(self, scheme: str, host: HostName, port: int | None) -> bool:
        """Whether a connection is allowed by this entry.

        Args:
            scheme: In lower case.
            host: As ``parse_host_name`` gives it.
            port: ``None`` means the scheme's own, if it has one.
        """
        return (
            self.scheme in (None, scheme)
            and self._allows_host(host)
            and self._allows_port(DEFAULT_PORTS.get(scheme) if port is None else port)
        )

    def allows_self(self, schemes: Iterable[str]) -> bool:
        """Whether requests to the application itself are allowed with one of the schemes."""
        return isinstance(self.host, _Self | _Anything) and (
            self.scheme is None or self.scheme in schemes
        )

    @property
    def chains(self) -> bool:
        """Whether it allows calls to components of the same application."""
        if isinstance(self.host, _Subdomains):
            return self.host.suffix == CHAINING_SUFFIX
        return isinstance(self.host, str) and self.host.endswith(CHAINING_SUFFIX)

    def expanded(self, component_ids: Iterable[str]) -> "tuple[AllowedHost, ...]":
        """Return one entry per component for ``*.spin.internal``, itself otherwise."""
        if not (self.chains and isinstance(self.host, _Subdomains)):
            return (self,)
        return tuple(attrs.evolve(self, host=f"{id}{CHAINING_SUFFIX}") for id in component_ids)

    def _allows_host(self, host: HostName) -> bool:
        allowed = self.host
        if isinstance(allowed, _Anything):
            return True
        if isinstance(allowed, _Subdomains):
            return isinstance(host, str) and host.endswith(allowed.suffix)
        if isinstance(allowed, IPv4Network | IPv6Network):
            return not isinstance(host, str) and host in allowed
        return not isinstance(allowed, _Self) and host == allowed

    def _allows_port(self, port: int | None) -> bool:
        return self.ports is None or (port is not None and port in self.ports)


def is_blank_entry(resolved: str) -> bool:
    """Whether a filled-in template names no host and is to be skipped (NET-6)."""
    return resolved in ("", "http://", "https://")


def check_sole_entry(entries: Iterable[str]) -> None:
    """Refuse the old way of allowing everything.

    Raises:
        AllowedHostError: The only entry is ``insecure:allow-all`` (NET-7).
    """
    if tuple(entries) == ("insecure:allow-all",):
        raise AllowedHostError(
            "'insecure:allow-all' is not allowed - use '*://*:*' instead if you really want to "
            "allow all outbound traffic"
        )


def parse_allowed_host(text: str) -> AllowedHost:
    """Read one entry.

    Raises:
        AllowedHostError: It is not one. The message quotes the part that is wrong.
    """
    entry = text.strip()
    scheme, separator, rest = entry.partition("://")
    if not separator:
        if entry in ("", "*", ":", "?"):
            raise AllowedHostError(
                f'"{entry}" is not an allowed outbound host format. Hosts must be in the form '
                "<scheme>://<host>[:<port>], with '*' wildcards allowed for each"
            )
        raise AllowedHostError(f"\"{entry}\" does not contain a scheme (e.g., 'http://' or '*://')")
    host, port = _split_port(rest, entry)
    return AllowedHost(text, _read_scheme(scheme), _read_host(host), _read_ports(port, scheme))


def _split_port(rest: str, entry: str) -> tuple[str, str]:
    host, colon, tail = rest.rpartition(":")
    if not colon:
        return rest, ""
    if not tail:
        return host, ""
    try:
        _host_of(rest)
    except ValueError:
        pass
    else:
        # Colons belong to an IPv6 address.
        return rest, ""
    port, _, path = tail.partition("/")
    if path:
        raise AllowedHostError(f'"{entry}" has a path but is not allowed to')
    return host, port


def _read_scheme(scheme: str) -> str | None:
    if scheme == "*":
        return None
    if scheme.startswith("{"):
        reason = "scheme lists are not supported"
    elif not scheme.isalpha():
        reason = "only alphabetic characters are allowed"
    else:
        return scheme
    raise AllowedHostError(f'Invalid allowed host scheme "{scheme}": {reason}')


def _read_host(host: str) -> _Host:
    try:
        return _host_of(host)
    except ValueError as err:
        raise AllowedHostError(f'Invalid allowed host "{host}": {err}') from None


def _host_of(text: str) -> _Host:
    text = text.strip()
    if text.startswith("{"):
        raise ValueError("host lists are not yet supported")
    address, slash, prefix = text.partition("/")
    if slash and prefix.isdigit():
        with suppress(ValueError):
            return ip_network(f"{address}/{prefix}", strict=False)
    text = text.removesuffix("/")
    if text == "*":
        return _Anything()
    if text in ("self", "self.alt"):
        return _Self()
    if "/" in text:
        raise ValueError("must not include a path")
    if text.startswith("*."):
        if "*" in text[2:]:
            raise ValueError("wildcards are allowed only as prefixes")
        domain = parse_host_name(text[2:])
        if not isinstance(domain, str):
            raise ValueError("wildcard suffix must be a domain")
        return _Subdomains(f".{domain}")
    if "*" in text:
        raise ValueError("wildcards are allowed only as subdomains")
    return parse_host_name(text)


def _read_ports(port: str, scheme: str) -> range | None:
    if port == "*":
        return None
    if not port:
        default = DEFAULT_PORTS.get(scheme)
        if default is None:
            reason = f'the scheme "{scheme}" has no default port, so one must be written'
            raise AllowedHostError(f'Invalid allowed host port "{port}": {reason}')
        return range(default, default + 1)
    if port.startswith("{"):
        raise AllowedHostError(f'Invalid allowed host port "{port}": port lists are not supported')
    first, dots, end = port.partition("..")
    try:
        start = _port_number(first)
        return range(start, _port_number(end) if dots else start + 1)
    except ValueError as err:
        raise AllowedHostError(f'Invalid allowed host port "{port}": {err}') from None


def _port_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535):
        raise ValueError(f'"{text}" is not a port number')
    return int(text)
