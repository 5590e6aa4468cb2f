"""Hosts of URLs: a domain name, or an IP address in any of its spellings.

``EXAMPLE.com``, ``ex%61mple.com`` and ``example.com`` are one host, and so are
``127.0.0.1``, ``127.1`` and ``0x7f000001``: what is compared has to be what is connected to.

Source: URL Standard (WHATWG), host parsing; contract spin-host.md, NET-2.
"""

import re
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import unquote_to_bytes

__all__ = ["HostName", "parse_host_name"]

HostName = str | IPv4Address | IPv6Address
"""A lower-case ASCII domain name, or an address."""

_FORBIDDEN = re.compile(r"[\x00-\x20#/:<>?@\[\\\]^|%\x7f]")
_NUMBER = re.compile(r"0[xX][0-9A-Fa-f]*|[0-9]+")


def parse_host_name(text: str) -> HostName:
    """Return the host that a text means.

    Raises:
        ValueError: It means none.
    """
    if text.startswith("["):
        if not text.endswith("]") or "%" in text:
            raise ValueError("invalid IPv6 address")
        try:
            return IPv6Address(text[1:-1])
        except ValueError:
            raise ValueError("invalid IPv6 address") from None
    domain = _ascii_domain(text)
    labels = domain.removesuffix(".").split(".")
    return _ipv4(labels) if _NUMBER.fullmatch(labels[-1]) else domain


def _ascii_domain(text: str) -> str:
    try:
        decoded = unquote_to_bytes(text).decode("utf-8")
        domain = decoded if decoded.isascii() else decoded.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError("invalid international domain name") from None
    if not domain:
        raise ValueError("empty host")
    if _FORBIDDEN.search(domain):
        raise ValueError("invalid international domain name")
    return domain.lower()


def _ipv4(labels: list[str]) -> IPv4Address:
    fault = ValueError("invalid IPv4 address")
    if len(labels) > 4 or not all(_NUMBER.fullmatch(label) for label in labels):
        raise fault
    try:
        *heads, last = (_number(label) for label in labels)
    except ValueError:
        raise fault from None
    if any(head > 255 for head in heads) or last >= 256 ** (4 - len(heads)):
        raise fault
    return IPv4Address(last + sum(head << 8 * (3 - place) for place, head in enumerate(heads)))


def _number(label: str) -> int:
    if label[:2] in ("0x", "0X"):
        return int(label[2:] or "0", 16)
    return int(label, 8) if len(label) > 1 and label.startswith("0") else int(label)
