"""Allowed outbound hosts: the addresses that a component may connect to.

In: the entries of ``allowed_outbound_hosts``, a function that fills in their templates, and
an address as a guest gives it. Out: yes or no. Nothing is connected and no name is looked
up.

Source: contract spin-host.md, section 4.4, CHAIN-2, CHAIN-5, CHAIN-6 and CHAIN-11.
"""

import logging
import re
from collections.abc import Callable, Iterable
from contextlib import nullcontext

import attrs

from edgezero_spin.host.factors.blocking import blocking_if_remote
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.manifest.spin.allowed_hosts import (
    CHAINING_SUFFIX,
    AllowedHost,
    check_sole_entry,
    is_blank_entry,
    parse_allowed_host,
)
from edgezero_spin.manifest.spin.host_names import HostName, parse_host_name
from edgezero_spin.manifest.spin.templates import parse_template

__all__ = [
    "AllowedHosts",
    "OutboundUrl",
    "chaining_target",
    "denial_advice",
    "may_connect",
    "parse_outbound_url",
]

logger = logging.getLogger("edgezero_spin.host")

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#\\]*)", re.ASCII)
_LARGEST_PORT = 65535

# Database drivers take any character in a password. Where the address is read again by the
# client that connects, a `#` or `?` before the `@` would make it another host there.
_STRICT_SCHEMES = ("http", "https", "redis", "rediss")


@attrs.frozen
class OutboundUrl:
    """What counts of an address.

    Attributes:
        scheme: In lower case.
        port: ``None`` when the address has none.
    """

    scheme: str
    host: HostName
    port: int | None

    @property
    def authority(self) -> str:
        """``host`` or ``host:port``."""
        name = str(self.host)
        name = f"[{name}]" if ":" in name else name
        return name if self.port is None else f"{name}:{self.port}"


@attrs.frozen
class AllowedHosts:
    """Where one component may connect to.

    Attributes:
        entries: What it was given; empty denies everything.
    """

    entries: tuple[AllowedHost, ...] = ()

    @classmethod
    def resolve(
        cls, texts: Iterable[str], render: Callable[[str], str], component_ids: Iterable[str]
    ) -> "AllowedHosts":
        """Fill in templates and read every entry.

        Args:
            texts: ``allowed_outbound_hosts`` of the component.
            render: Fills in a template; what it raises is passed on.
            component_ids: Of the application, for ``*.spin.internal``.

        Raises:
            AllowedHostError: An entry cannot be read.
        """
        texts, component_ids = tuple(texts), tuple(component_ids)
        check_sole_entry(texts)
        entries: list[AllowedHost] = []
        for text in texts:
            templated = bool(parse_template(text).names)
            resolved = render(text) if templated else text
            if templated and is_blank_entry(resolved):
                continue
            entries.extend(parse_allowed_host(resolved).expanded(component_ids))
        return cls(tuple(entries))

    def allows(self, address: str, scheme: str) -> bool:
        """Whether an address may be connected to.

        Args:
            address: A URL, or one without its scheme.
            scheme: What is meant when the address has none.
        """
        try:
            url = parse_outbound_url(address, scheme)
        except ValueError:
            return False
        return self.allows_url(url)

    def allows_url(self, url: OutboundUrl) -> bool:
        """Whether a parsed address may be connected to."""
        return any(entry.allows(url.scheme, url.host, url.port) for entry in self.entries)

    def allows_self(self, schemes: Iterable[str] = ("http", "https")) -> bool:
        """Whether the application itself may be called (CHAIN-2)."""
        schemes = tuple(schemes)
        return any(entry.allows_self(schemes) for entry in self.entries)


def parse_outbound_url(address: str, scheme: str) -> OutboundUrl:
    """Read an address.

    User and password are left out. An address that is not a URL with a host is tried again
    with the scheme in front.

    Raises:
        ValueError: Neither is one.
    """
    named = _URL.match(address)
    meant = scheme if named is None else named["scheme"]
    bare = address if meant.lower() in _STRICT_SCHEMES else _without_user(address)
    url = _URL.match(bare)
    if url is None:
        url = _URL.match(f"{scheme}://{bare}")
    if url is None:
        raise ValueError(f"{address!r} is not an address")
    authority = url["authority"].rpartition("@")[2]
    host, port = _split_port(authority)
    return OutboundUrl(url["scheme"].lower(), parse_host_name(host), port)


def chaining_target(host: str) -> str | None:
    """Return the component that a host means, ``None`` for other hosts (CHAIN-11)."""
    name = host.rpartition(":")[0] if ":" in host else host
    first, dot, rest = name.partition(".")
    return first if dot and f".{rest}" == CHAINING_SUFFIX else None


def denial_advice(scheme: str, authority: str) -> str:
    """Return what is said on standard error when a connection is denied (NET-30, NET-31)."""
    if authority == "self":
        reason = (
            "A component tried to make an HTTP request to its own app but it does not have "
            "permission."
        )
        entry = f"{scheme}://self"
    else:
        entry = f"{scheme}://{authority}"
        reason = (
            "A component tried to make an outbound network connection to disallowed "
            f"destination '{entry}'."
        )
    return (
        f"{reason}\n"
        f"To allow this request, add 'allowed_outbound_hosts = [\"{entry}\"]' to the manifest "
        "component section."
    )


def may_connect(state: InstanceState, address: str, scheme: str, *, apart: bool = False) -> bool:
    """Whether the manifest allows a connection; a line for the operator says where not (NET-30).

    Args:
        address: A URL, or one without its scheme.
        scheme: What is meant when the address has none.
        apart: The call is on a thread of the host, and the guest does not wait.
    """
    hosts = state.grants.outbound
    with nullcontext() if apart else blocking_if_remote(state, hosts):
        allowed = hosts is not None and hosts.allows_address(address, scheme)
    if allowed:
        return True
    try:
        url = parse_outbound_url(address, scheme)
    except ValueError:
        logger.warning("A component tried to connect to what is not an address of %s.", scheme)
    else:
        logger.warning("%s", denial_advice(url.scheme, url.authority))
    return False


def _without_user(address: str) -> str:
    start = address.find("://")
    start = 0 if start < 0 else start + 3
    at = address.find("@")
    slash = address.find("/", start)
    if start <= at and (slash < 0 or at < slash):
        return address[:start] + address[at + 1 :]
    return address


def _split_port(authority: str) -> tuple[str, int | None]:
    host, colon, port = authority.rpartition(":")
    if not colon or "]" in port:
        return authority, None
    if not port:
        return host, None
    if (
        not (port.isascii() and port.isdigit())
        or len(port.lstrip("0")) > 5
        or int(port) > _LARGEST_PORT
    ):
        raise ValueError(f"{port!r} is not a port")
    return host, int(port)
