"""Service chaining: requests of a guest that go to its own application instead of the network.

They reach the application itself, or another of its components, without a socket.

Source: contract spin-host.md, OUTH-5, CHAIN-1 to CHAIN-12, RESP-12.
"""

import logging
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs

from edgezero_spin.host.exchange.exchange import Exchange
from edgezero_spin.host.execution.executor import RequestStarter, Served
from edgezero_spin.host.execution.workers import Overloaded
from edgezero_spin.host.factors.outbound_http.interface import Destination
from edgezero_spin.host.factors.outbound_networking.allowed_hosts import chaining_target
from edgezero_spin.host.factors.wasi.http.outbound import (
    FutureIncomingResponse,
    IncomingResponse,
    RequestOptions,
    SendableRequest,
)
from edgezero_spin.host.factors.wasi.http.values import method_text
from edgezero_spin.host.http.headers import HeaderNotTextError, client_headers, host_headers
from edgezero_spin.host.http.routes import whole_application

if TYPE_CHECKING:
    from edgezero_spin.host.factors.outbound_http.client import HttpClient
    from edgezero_spin.host.factors.outbound_networking.config import NetworkRules

__all__ = ["OutboundSender"]

logger = logging.getLogger("edgezero_spin.host")


class OutboundSender:
    """Sends what is allowed; an ``HttpSender``.

    Attributes:
        origin: URL of the listener, for requests to the application itself; ``None`` while
            there is none.
    """

    def __init__(self, rules: "NetworkRules | None" = None) -> None:
        """Know no component yet; ``connect`` comes before the first request.

        Args:
            rules: What the operator lets connections do; ``None`` for the usual.
        """
        self._rules = rules
        self.origin: str | None = None
        self._components: Mapping[str, Served] = {}
        self._runner: RequestStarter | None = None
        self._client: HttpClient | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._to_self: list[FutureIncomingResponse] = []

    def connect(self, components: Mapping[str, Served], runner: RequestStarter) -> None:
        """Say what can be called without a socket."""
        self._components = components
        self._runner = runner

    def send(
        self,
        destination: Destination,
        request: SendableRequest,
        options: RequestOptions | None,
        future: FutureIncomingResponse,
    ) -> None:
        """Start an exchange. Called on a guest's thread."""
        target = None if destination.is_self else chaining_target(destination.host)
        if target is not None:
            self._chain(target, destination, request, future)
            return
        if destination.is_self:
            refusal = self._refusal(future)
            if refusal is not None:
                request.ignore_body()
                future.reject((refusal, None))
                return
            destination = _at(self.origin or "", destination)
        self._network().send(destination, request, options, future)

    def _refusal(self, future: FutureIncomingResponse) -> str | None:
        """Why a request to the application itself cannot be answered; ``None`` when it can."""
        if self.origin is None:
            return "HTTP-request-URI-invalid"
        if self._leaves_a_place(future):
            return None
        logger.warning(
            "a request of %s to its own application was refused: every instance would wait for "
            "such a request, and none could answer one; allow more instances",
            future.component_id,
        )
        return "connection-limit-reached"

    def _leaves_a_place(self, future: FutureIncomingResponse) -> bool:
        """Whether an instance is left that could answer.

        Where every place is taken by one that waits for such an answer, none would ever come.
        """
        if self._runner is None:
            return True
        with self._lock:
            self._to_self = [sent for sent in self._to_self if not sent.ready()]
            waiting = {id(sent.instance) for sent in (*self._to_self, future)}
            if len(waiting) >= self._runner.places:
                return False
            self._to_self.append(future)
        return True

    def _network(self) -> "HttpClient":
        # Two guests may send their first request at once.
        with self._lock:
            if self._client is None:
                # A host whose guests never send anything does not load an HTTP client.
                from edgezero_spin.host.factors.outbound_http.client import HttpClient

                self._client = HttpClient(self._rules)
                if self._closed:
                    self._client.close()
            return self._client

    def _chain(
        self,
        id: str,
        destination: Destination,
        request: SendableRequest,
        future: FutureIncomingResponse,
    ) -> None:
        component = self._components.get(id)
        if component is None or self._runner is None:
            request.ignore_body()
            future.reject(("destination-not-found", None))
            return
        path = request.path or "/"
        target = path if path.startswith("/") else f"/{path}"
        raw = [(name.encode("ascii"), value) for name, value in request.headers.entries]
        try:
            sent = client_headers(raw)
        except HeaderNotTextError as error:
            logger.error("Error processing request: %s: %s", id, error)
            request.ignore_body()
            future.resolve(IncomingResponse(500, [], None))
            return
        headers = sent + host_headers(
            whole_application(id, target.partition("?")[0]),
            scheme="http",
            host=None,
            target=target,
            client_addr="0.0.0.0:0",
        )
        exchange = Exchange(
            method_text(request.method),
            target,
            headers,
            authority=destination.authority,
            body=None if request.body is None else request.body.channel,
        )
        # The component that is called may never read it, and answers all the same.
        request.discard_unread()
        exchange.eager = True
        if future.following is not None:
            exchange.observer = future.following.chained(id)
        exchange.announce = lambda: _answer(exchange, future)
        future.abandon = exchange.abandon
        try:
            self._runner.start(component, exchange, nested=True)
        except Overloaded:
            request.ignore_body()
            future.reject(("connection-limit-reached", None))

    def close(self) -> None:
        """End what is under way. Twice is harmless."""
        with self._lock:
            self._closed = True
            client = self._client
        if client is not None:
            client.close()


def _at(origin: str, destination: Destination) -> Destination:
    """The application itself, as its listener is reached (CHAIN-1)."""
    parts = urlsplit(origin)
    host = parts.hostname or ""
    return attrs.evolve(
        destination,
        scheme=parts.scheme,
        authority=parts.netloc,
        host=f"[{host}]" if ":" in host else host,
        port=parts.port,
    )


def _answer(exchange: Exchange, future: FutureIncomingResponse) -> None:
    """Pass a component's answer to its caller, once there is one (CHAIN-12)."""
    if future.ready():
        return
    head = exchange.response
    if head is not None:
        future.resolve(IncomingResponse(head.status, head.headers, head.body))
    elif exchange.failure is not None:
        future.resolve(IncomingResponse(500, [], None))
