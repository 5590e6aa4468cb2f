"""The gateway: what answers a request, the host itself, a static response or a component.

In: the head of a request. Out: a ``CompleteResponse`` that needs no wasm, or a
``ComponentCall`` that the runner can start once its body is attached. No sockets and no threads.

Source: contract spin-host.md, ROUTE-10 to ROUTE-13, RV-90 to RV-96, HDR-1 to HDR-15,
MAN-27, HTTP-1, HTTP-9.
"""

import functools
import json
import logging
import re
import threading
from collections.abc import Mapping, Sequence

import attrs

from edgezero_spin.host.exchange.exchange import Exchange
from edgezero_spin.host.exchange.fields import FIELDS_LIMIT, Pair, size_of
from edgezero_spin.host.exchange.handler_type import HandlerType
from edgezero_spin.host.execution.executor import Served
from edgezero_spin.host.http.headers import (
    HeaderNotTextError,
    buffered_headers,
    client_headers,
    command_headers,
    host_headers,
    peer_text,
)
from edgezero_spin.host.http.routes import WELL_KNOWN_PREFIX, TriggerRouteTable

__all__ = ["CompleteResponse", "ComponentCall", "Gateway", "KeptHeaders", "RawPair", "RequestHead"]

logger = logging.getLogger("edgezero_spin.host")

RawPair = tuple[bytes, bytes]
KeptHeaders = dict[HandlerType, tuple[str, list[Pair]]]
"""The authority that header fields name, and what a component sees of them, by how it takes
requests."""

_AUTHORITY = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")

HIGHEST_PORT = 65535


# Not frozen: one is made at each request, which would take four times as long.
@attrs.define
class RequestHead:
    """What is known of a request before its body.

    Attributes:
        method: As sent.
        path: As sent, without the query, not decoded; UTF-8 with ``surrogateescape``.
        query: As sent, without the question mark; ``None`` when there was none.
        headers: As they came in.
        scheme: Of the listener.
        client: Address and port of the peer; ``None`` when it is not known.
        kept: What was made of the headers, for further requests with the same ones; ``None`` where
            there will be none.
    """

    method: str
    path: str
    query: str | None
    headers: Sequence[RawPair]
    scheme: str = "http"
    client: tuple[str, int] | None = None
    kept: KeptHeaders | None = None


@attrs.frozen
class CompleteResponse:
    """A response that is complete already.

    Attributes:
        headers: Names in lower case; the length is added by whoever sends it.
    """

    status: int
    headers: tuple[tuple[str, bytes], ...] = ()
    body: bytes = b""


@attrs.define
class ComponentCall:
    """A request for a component.

    Attributes:
        exchange: The request; its body is not set yet.
    """

    component: Served
    exchange: Exchange


# What a component sees of the fields that the client sent, by how it takes requests.
_HEADERS = {
    HandlerType.WASI_0_2: client_headers,
    HandlerType.WASI_0_3: buffered_headers,
    HandlerType.SPIN: buffered_headers,
    HandlerType.WAGI: command_headers,
}

NOT_FOUND = CompleteResponse(404)
BAD_REQUEST = CompleteResponse(400)
HEADERS_TOO_LARGE = CompleteResponse(431)
HEADER_NOT_TEXT = CompleteResponse(500)
HEALTHY = CompleteResponse(200, (), b"OK")


class Gateway:
    """Finds what answers the requests of one application.

    Attributes:
        routes: Its public routes.
        application: Its name.
    """

    def __init__(
        self,
        routes: TriggerRouteTable,
        components: Mapping[str, Served],
        static: Mapping[str, CompleteResponse],
        info: Mapping[str, str],
    ) -> None:
        """Take what a loaded application has.

        Args:
            routes: Public routes; each declaration's id is a key of one of the next two.
            static: By trigger id (MAN-27).
            info: What ``/.well-known/spin/info`` answers (RV-91).
        """
        self.routes = routes
        self.application = info.get("name", "")
        self._components = components
        self._static = static
        self._info = CompleteResponse(
            200,
            (("content-type", b"application/json"),),
            json.dumps(dict(info), indent=2, ensure_ascii=False).encode(),
        )
        self._warned = False
        self._lock = threading.Lock()

    def admit(self, head: RequestHead) -> CompleteResponse | ComponentCall:
        """Return what answers this request."""
        path = head.path
        if path.startswith(WELL_KNOWN_PREFIX):
            return self._well_known(path.removeprefix(WELL_KNOWN_PREFIX))
        match = self.routes.match(path)
        if match is None:
            self._warn_unmatched(path)
            return NOT_FOUND
        declaration = match.route.declaration
        if declaration.static:
            return self._static[declaration.id]
        component = self._components[declaration.id]
        handler_type = component.handler_type
        kept = head.kept
        visible = None if kept is None else kept.get(handler_type)
        if visible is None:
            made = _visible(head.headers, handler_type, declaration.id)
            if isinstance(made, CompleteResponse):
                return made
            visible = made
            if kept is not None:
                kept[handler_type] = visible
        host, headers = visible
        target = path if head.query is None else f"{path}?{head.query}"
        peer = head.client
        headers = headers + host_headers(
            match,
            scheme=head.scheme,
            host=host,
            target=target,
            client_addr="0.0.0.0:0" if peer is None else peer_text(*peer),
        )
        exchange = Exchange(head.method, target, headers, authority=host)
        exchange.route = declaration.route
        if handler_type is HandlerType.WASI_0_3:
            # Guests of WASI 0.2 are told HTTP whatever the listener speaks (HTTP-1, WH-10).
            exchange.scheme = head.scheme.upper()
        return ComponentCall(component, exchange)

    def matched(self, head: RequestHead) -> tuple[str | None, str | None]:
        """Return what answers a request, and the route that says so.

        Returns:
            The id of the component or static response, and the route as the manifest has it; both
            ``None`` where the host answers by itself.
        """
        if head.path.startswith(WELL_KNOWN_PREFIX):
            return None, None
        match = self.routes.match(head.path)
        if match is None:
            return None, None
        declaration = match.route.declaration
        return declaration.id, declaration.route

    def _well_known(self, name: str) -> CompleteResponse:
        if name == "health":
            return HEALTHY
        if name == "info":
            return self._info
        return NOT_FOUND

    def _warn_unmatched(self, path: str) -> None:
        with self._lock:
            warned, self._warned = self._warned, True
        if not warned:
            logger.warning(
                "a request to %r matched none of the application's routes (said once)", path
            )


def _visible(
    received: Sequence[RawPair], handler_type: HandlerType, component_id: str
) -> tuple[str, list[Pair]] | CompleteResponse:
    """Return the authority and what a component sees of a client's fields, or why it sees none."""
    host = _host_of(received)
    if host is None:
        logger.warning("a request without a usable Host header was refused")
        return BAD_REQUEST
    try:
        headers = _HEADERS[handler_type](received)
    except HeaderNotTextError as error:
        logger.error("Error processing request: %s: %s", component_id, error)
        return HEADER_NOT_TEXT
    return HEADERS_TOO_LARGE if size_of(headers) > FIELDS_LIMIT else (host, headers)


def _host_of(headers: Sequence[RawPair]) -> str | None:
    """The one ``Host`` header, if it names an authority (RV-94)."""
    found = None
    for name, value in headers:
        if name == b"host" or name.lower() == b"host":
            if found is not None:
                return None
            found = value
    return None if found is None else _authority(found)


@functools.lru_cache(maxsize=128)
def _authority(value: bytes) -> str | None:
    """Return the text of an authority; the clients of an application use few of them."""
    match = _AUTHORITY.fullmatch(value)
    if match is None:
        return None
    port = match[1]
    if port is not None and int(port) > HIGHEST_PORT:
        return None
    return value.decode("ascii")
