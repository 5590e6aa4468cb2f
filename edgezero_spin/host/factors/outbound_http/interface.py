"""``wasi:http/outgoing-handler``: permission to send a request, and its sending.

``OutboundHosts`` answers for the ``allowed_outbound_hosts`` of one component; its entries
are templates, filled in at each request because variables may change (NET-6, NET-12). What
is not allowed is told to the guest through the future and to the operator in the log.

Source: contract spin-host.md, OUTH-1 to OUTH-17, CHAIN-2, NET-1 to NET-12, NET-30, NET-31.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import attrs

from edgezero_spin.host.factors.blocking import blocking_if_remote
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_networking.allowed_hosts import (
    AllowedHosts,
    OutboundUrl,
    denial_advice,
)
from edgezero_spin.host.factors.variables.errors import VariableError
from edgezero_spin.host.factors.variables.resolver import VariableResolver
from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.factors.wasi.http.outbound import (
    FutureIncomingResponse,
    OutgoingRequest,
    RequestOptions,
    SendableRequest,
)
from edgezero_spin.host.factors.wasi.http.values import TaggedValue, method_text
from edgezero_spin.host.factors.wasi.io import Pollable
from edgezero_spin.host.observers import OutgoingCall, RequestObserver
from edgezero_spin.host.runtime.interface import Interface, WitError
from edgezero_spin.manifest.spin.allowed_hosts import AllowedHostError
from edgezero_spin.manifest.spin.host_names import parse_host_name

__all__ = [
    "OUTGOING_HANDLER",
    "WEB_SCHEMES",
    "Destination",
    "HttpSender",
    "OutboundHosts",
    "dispatch",
    "parse_destination",
    "web_scheme",
]

logger = logging.getLogger("edgezero_spin.host")

WEB_SCHEMES = ("http", "https")
SELF_HOST = "self.alt"


@attrs.frozen
class Destination:
    """Where a request goes.

    Attributes:
        scheme: ``http`` or ``https``.
        authority: Host and port as the guest wrote them; ``None`` for the application itself.
        host: The host alone, in brackets where the guest wrote them.
        port: The port, ``None`` where the guest wrote none.
    """

    scheme: str
    authority: str | None
    host: str = ""
    port: int | None = None

    @property
    def is_self(self) -> bool:
        """Whether it is the application itself (CHAIN-1)."""
        return self.authority is None or self.host == SELF_HOST


class HttpSender(Protocol):
    """Sends requests that were allowed. Called on the guest's thread; must not block."""

    def send(
        self,
        destination: Destination,
        request: SendableRequest,
        options: RequestOptions | None,
        future: FutureIncomingResponse,
    ) -> None:
        """Start the exchange; ``future`` gets its outcome."""


class OutboundHosts:
    """What one component may connect to, and who sends its requests.

    Attributes:
        sender: Sends what is allowed; ``None`` for a host without outbound requests.
    """

    def __init__(
        self,
        entries: Sequence[str],
        *,
        component_ids: Iterable[str] = (),
        variables: VariableResolver | None = None,
        sender: HttpSender | None = None,
    ) -> None:
        """Keep the entries; they were checked when the manifest was loaded (MAN-92).

        Args:
            entries: Of ``allowed_outbound_hosts``; templates.
            component_ids: Of the application, for ``*.spin.internal`` (CHAIN-6).
            variables: Fills templates in.
        """
        self.sender = sender
        self._component_ids = tuple(component_ids)
        self._variables = variables
        self._templates = tuple(entry for entry in entries if "{{" in entry)
        self._fixed = self._resolved(entry for entry in entries if "{{" not in entry)

    @property
    def remote(self) -> bool:
        """Whether another machine is asked what its templates stand for."""
        return bool(self._templates) and self._variables is not None and self._variables.remote

    def allows(self, destination: Destination) -> bool:
        """Whether a request to this destination may be sent."""
        if destination.is_self:
            return any(hosts.allows_self(WEB_SCHEMES) for hosts in self._hosts())
        try:
            host = parse_host_name(destination.host)
        except ValueError:
            return False
        url = OutboundUrl(destination.scheme, host, destination.port)
        return any(hosts.allows_url(url) for hosts in self._hosts())

    def allows_address(self, address: str, scheme: str) -> bool:
        """Whether a database or a broker may be connected to (NET-22 to NET-25).

        Args:
            address: A URL, or one without its scheme.
            scheme: What is meant when the address has none.
        """
        return any(hosts.allows(address, scheme) for hosts in self._hosts())

    def _hosts(self) -> tuple[AllowedHosts, ...]:
        """Entries as they read now; none when a template cannot be filled in (NET-12)."""
        if self._variables is None:
            return (self._fixed,)
        hosts = [self._fixed]
        for template in self._templates:
            try:
                hosts.append(self._resolved((template,), self._variables.render))
            except AllowedHostError:
                # Its message repeats what was filled in, which may be a secret.
                logger.warning(
                    "nothing outbound is allowed: %r is not an entry of allowed_outbound_hosts "
                    "with its variables as they stand",
                    template,
                )
                return ()
            except VariableError as error:
                logger.warning("nothing outbound is allowed: %s", error)
                return ()
        return tuple(hosts)

    def _resolved(self, texts: Iterable[str], render: Callable[[str], str] = str) -> AllowedHosts:
        return AllowedHosts.resolve(texts, render, self._component_ids)


def web_scheme(scheme: TaggedValue | None) -> str:
    """Return ``http`` or ``https``; a request without a scheme has the latter.

    Raises:
        WitError: It is another one.
    """
    case, other = ("HTTPS", None) if scheme is None else scheme
    name = str(other).lower() if case == "other" else case.lower()
    if name not in WEB_SCHEMES:
        raise WitError(("HTTP-protocol-error", None))
    return name


def parse_destination(scheme: str, authority: str) -> Destination:
    """Read host and port, which were checked when they were set; users do not count.

    Raises:
        WitError: There is no such port.
    """
    bare = authority.rpartition("@")[2]
    host, colon, port = bare.rpartition(":")
    if not colon or bare.endswith("]"):
        return Destination(scheme, bare, bare)
    if port and int(port) > 65535:
        raise WitError(("HTTP-request-URI-invalid", None))
    return Destination(scheme, bare, host, int(port) if port else None)


def _destination_of(request: OutgoingRequest) -> Destination:
    scheme = web_scheme(request.scheme)
    # A request without a path has no URI, although one of `/` would be easy to guess.
    if request.path is None:
        raise WitError(("HTTP-protocol-error", None))
    if request.authority is None:
        return Destination(scheme, None)
    return parse_destination(scheme, request.authority)


def _denied(destination: Destination) -> None:
    """Tell the operator (NET-30, NET-31)."""
    if destination.authority is None or destination.is_self:
        logger.warning("%s", denial_advice("http", "self"))
    else:
        logger.warning("%s", denial_advice(destination.scheme, destination.authority))


def _handle(
    state: InstanceState, request: OutgoingRequest, options: RequestOptions | None
) -> FutureIncomingResponse:
    request.check_childless("outgoing-handler.handle while headers of the request are alive")
    destination = _destination_of(request)
    future = FutureIncomingResponse(state)
    future.sent = request.body
    dispatch(state, destination, request, options, future)
    return future


def dispatch(
    state: InstanceState,
    destination: Destination,
    request: SendableRequest,
    options: RequestOptions | None,
    future: FutureIncomingResponse,
) -> None:
    """Send a request, or refuse it: the future gets the outcome.

    Args:
        destination: Where it goes.
        options: How long it may take; ``None`` for the usual.
    """
    hosts: OutboundHosts | None = state.grants.outbound
    observer = state.request_observer
    if observer is not None:
        _observe(observer, destination, request, future)
    with blocking_if_remote(state, hosts):
        allowed = hosts is not None and hosts.allows(destination)
    if hosts is None or not allowed:
        _denied(destination)
        request.ignore_body()
        future.reject(("HTTP-request-denied", None))
    elif hosts.sender is None:
        request.drop_body()
        future.reject(
            (
                "internal-error",
                "this host does not provide outbound requests yet; `spin up` does",
            )
        )
    else:
        hosts.sender.send(destination, request, options, future)


def _observe(
    observer: RequestObserver,
    destination: Destination,
    request: SendableRequest,
    future: FutureIncomingResponse,
) -> None:
    """Tell of a request, and send it with the fields that are wanted of it (TEL-46)."""
    authority = "" if destination.is_self else destination.authority or ""
    url = f"{destination.scheme}://{authority}{request.path or '/'}"
    call = OutgoingCall(method_text(request.method), url, destination.host, destination.port)
    following = future.following = observer.sending(call)
    given = () if following is None else following.headers()
    if given:
        names = {name for name, _ in given}
        kept = [pair for pair in request.headers.entries if pair[0] not in names]
        request.headers = Fields([*kept, *given], immutable=True)


OUTGOING_HANDLER = Interface(
    "wasi:http/outgoing-handler",
    {"handle": _handle},
    {
        "outgoing-request": OutgoingRequest,
        "request-options": RequestOptions,
        "future-incoming-response": FutureIncomingResponse,
        "pollable": Pollable,
    },
)
"""The interface."""
