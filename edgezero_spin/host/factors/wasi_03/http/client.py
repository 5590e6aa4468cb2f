"""``wasi:http/client@0.3``: sending requests, many at once.

In: a request of the guest. Out: the response as soon as its head is there, while both bodies go
on. Whether a component may send it, and who does, is decided as for 0.2 (``outbound_http``).

Source: contract wasi03.md, section 4, WH-50 to WH-57.
"""

from edgezero_spin.host.exchange.fields import together
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_http.interface import (
    Destination,
    dispatch,
    parse_destination,
    web_scheme,
)
from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.factors.wasi.http.outbound import FutureIncomingResponse, IncomingResponse
from edgezero_spin.host.factors.wasi.http.values import ErrorCode
from edgezero_spin.host.factors.wasi_03.http.bodies import (
    PROTOCOL_ERROR,
    BodyForwarder,
    OutgoingContents,
    Post,
    ReceivedBody,
    code_of,
    promised_length,
)
from edgezero_spin.host.factors.wasi_03.http.messages import Request03, Response03
from edgezero_spin.host.runtime.host_ends import posting
from edgezero_spin.host.runtime.host_sources import Promise
from edgezero_spin.host.runtime.interface import Err, Interface, Ok, WitError

__all__ = ["CLIENT_03"]


class _Sending:
    """A request as whoever sends it sees it; it looks like an ``outgoing-request`` of 0.2.

    Attributes:
        headers, method, path: Of the request.
        body: What it sends; ``None`` for none.
    """

    def __init__(self, request: Request03, body: BodyForwarder | None) -> None:
        self.headers = request.headers
        self.method = request.method
        self.path = request.path
        self.body = body

    def drop_body(self) -> None:
        """Tell whoever writes the body that nobody reads it."""
        if self.body is not None:
            self.body.channel.close()

    ignore_body = drop_body

    def discard_unread(self) -> None:
        """Nothing: whoever writes it is told, and goes on."""


class _Answer(FutureIncomingResponse):
    """The outcome of one ``send``.

    Attributes:
        response: The response or a ``WitError``, once it is known.
    """

    __slots__ = ("_body", "_post", "_request", "response")

    def __init__(
        self, state: InstanceState, request: Request03, body: BodyForwarder | None, post: Post
    ) -> None:
        super().__init__(state)
        self._request = request
        self._body = body
        self._post = post
        self.response = Promise(self._cancel)

    def resolve(self, answer: IncomingResponse) -> None:
        """Deliver a response; from any thread."""
        super().resolve(answer)
        self._post(lambda: self._deliver(answer))

    def reject(self, code: ErrorCode) -> None:
        """Deliver a failure; from any thread."""
        super().reject(code)
        self._post(lambda: self._deliver(WitError(code_of(code))))

    def _deliver(self, outcome: IncomingResponse | WitError) -> None:
        body, sent = self._body, self._request.sent
        refused = isinstance(outcome, WitError)
        if body is None or (refused and body.mismatch is None):
            sent.settle(Ok(None))
        else:
            body.ended.when(
                lambda _: sent.settle(Ok(None) if body.mismatch is None else Err(body.mismatch))
            )
        if isinstance(outcome, WitError):
            if body is not None:
                body.stop()
            self.response.settle(outcome)
            return
        if self.response.settled:
            # It came too late.
            if outcome.channel is not None:
                outcome.channel.close()
            return
        headers = Fields(together(outcome.headers), immutable=True)
        contents = ReceivedBody(outcome.channel, self._post)
        self.response.settle(Response03(headers, contents, status=outcome.status))

    def _cancel(self) -> None:
        """Break the exchange off (CS-27)."""
        self.response.settle(None)
        if self.abandon is not None:
            self.abandon()
        if self._body is not None:
            self._body.stop()


def _destination_of(request: Request03) -> Destination:
    """Where a request goes (CS-2, CS-6).

    Raises:
        WitError: It cannot go anywhere.
    """
    scheme = web_scheme(request.scheme)
    if request.authority is None or request.path is None:
        raise WitError(("HTTP-request-URI-invalid", None))
    found = parse_destination(scheme, request.authority)
    # Without a host it is the application itself, as the Python SDK sends it.
    return found if found.host else Destination(scheme, None)


def _body_of(request: Request03, post: Post) -> BodyForwarder | None:
    """What is sent behind the head; ``None`` for nothing.

    Raises:
        WitError: Its length is not said clearly.
    """
    contents = request.contents
    if contents is None:
        return None
    if isinstance(contents, OutgoingContents) and contents.stream is None:
        contents.close_now()
        return None
    try:
        length = promised_length(request.headers)
    except ValueError:
        raise WitError(PROTOCOL_ERROR) from None
    return BodyForwarder(contents, length=length, size_error="HTTP-request-body-size", post=post)


def _send(state: InstanceState, request: Request03) -> Promise:
    post = posting()
    try:
        destination = _destination_of(request)
        body = _body_of(request, post)
    except WitError:
        request.release()
        raise
    request.take()
    answer = _Answer(state, request, body, post)
    dispatch(state, destination, _Sending(request, body), request.options, answer)
    if body is not None:
        body.start()
    return answer.response


CLIENT_03 = Interface(
    "wasi:http/client@0.3", {"send": _send}, {"request": Request03, "response": Response03}
)
"""The interface."""
