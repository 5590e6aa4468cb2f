"""Headers of a request, as its component sees them.

In: the headers as they came in, and the route that matched. Out: one list for the guest,
names in lower case: the client's headers first, then those that the host adds.

A client cannot forge what the host says: its own ``spin-*`` and ``spin_*`` headers are
taken away. So are the headers that WASI HTTP keeps for the host, unless the guest has no other
way to learn what they say; in WASI HTTP the authority carries what ``Host`` said.

Source: contract spin-host.md, HDR-1 to HDR-15.
"""

import functools
import re
from collections.abc import Iterable, Set

from edgezero_spin.errors import HostError
from edgezero_spin.host.exchange.fields import FORBIDDEN, Pair, is_token
from edgezero_spin.host.http.routes import RouteMatch

__all__ = [
    "HeaderNotTextError",
    "buffered_headers",
    "client_headers",
    "command_headers",
    "host_headers",
    "peer_text",
]


_CHAINED_HOST = re.compile(rb".+\.spin\.internal(?::\d*)?", re.IGNORECASE)


class HeaderNotTextError(HostError):
    """A client sent a header value that is not UTF-8 text; the request gets a 500 (HDR-14).

    Attributes:
        name: The header, in lower case.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"the value of the request header {self.name!r} is not UTF-8 text"


def client_headers(
    received: Iterable[tuple[bytes, bytes]], hidden: Set[str] = FORBIDDEN
) -> list[Pair]:
    """Return the client's headers that a guest may see.

    Repeated names are brought together at the first of them, values in order (HDR-15).

    Args:
        received: Names in any case, and values, as they came in.
        hidden: Names in lower case that are left out (HDR-13).

    Raises:
        HeaderNotTextError: A value is not UTF-8.
    """
    grouped: dict[str, list[bytes]] = {}
    for raw_name, value in received:
        name = raw_name.decode("latin-1").lower()
        if name in hidden or name.startswith(("spin-", "spin_")):
            continue
        if not value.isascii() and not _is_utf8(value):
            raise HeaderNotTextError(name)
        if name in grouped:
            grouped[name].append(value)
        else:
            grouped[name] = [value]
    return [(name, value) for name, values in grouped.items() for value in values]


def buffered_headers(received: Iterable[tuple[bytes, bytes]]) -> list[Pair]:
    """Return the client's headers that a guest sees whose interface keeps none for the host.

    Those are ``fermyon:spin/inbound-http`` and WASI 0.3. ``Host`` is among them, but for names
    inside the application (HDR-12, WH-11).

    Raises:
        HeaderNotTextError: As ``client_headers``.
    """
    pairs = client_headers(received, {"connection"})
    return [pair for pair in pairs if pair[0] != "host" or not _CHAINED_HOST.fullmatch(pair[1])]


def command_headers(received: Iterable[tuple[bytes, bytes]]) -> list[Pair]:
    """Return the client's headers that a Wagi command may see, ``Host`` among them (WAGI-18).

    A value that is not plain text is replaced, and refuses no request.
    """
    pairs = []
    for raw_name, value in received:
        name = raw_name.decode("latin-1").lower()
        if name != "connection" and not name.startswith(("spin-", "spin_")):
            plain = all(byte == 9 or 32 <= byte < 127 for byte in value)
            pairs.append((name, value if plain else b"CORRUPT VALUE"))
    return pairs


def host_headers(
    match: RouteMatch, *, scheme: str, host: str | None, target: str, client_addr: str
) -> list[Pair]:
    """Return the headers that the host adds, in their order.

    Args:
        match: The route that the request found.
        scheme: Of the listener, ``http`` or ``https``.
        host: The ``Host`` header as sent; ``None`` when there was none.
        target: Path and query as sent, UTF-8 with ``surrogateescape`` for other bytes.
        client_addr: As ``peer_text`` writes it.
    """
    url = f"{scheme}://{'localhost' if host is None else host}{target}"
    pairs = [
        ("spin-path-info", match.path_info.encode("utf-8", "surrogateescape")),
        ("spin-full-url", url.encode("utf-8", "surrogateescape")),
        *match.route.headers,
        ("spin-client-addr", client_addr.encode()),
    ]
    if match.parameters:
        # A name that comes twice, or differs only in spelling, keeps its last text (HDR-8).
        captured = {
            "spin-path-match-" + name.lower().replace("_", "-"): text
            for name, text in match.parameters
        }
        pairs += [
            (name, text.encode("utf-8", "surrogateescape"))
            for name, text in captured.items()
            if is_token(name)
        ]
    return pairs


@functools.lru_cache(maxsize=256)
def peer_text(host: str, port: int) -> str:
    """Write an address as ``ip:port``, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
