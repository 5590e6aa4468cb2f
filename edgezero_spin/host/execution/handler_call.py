"""One request in an instance of WASI 0.3: an ``Exchange`` as its handler sees it.

In: an exchange. Out: the ``request`` that the handler gets, and from the ``response`` that it
returns the exchange's answer, with the body behind it.

Source: contract wasi03.md, WH-10, WH-31 to WH-40, IL-21, IL-27.
"""

import logging
import math
from typing import Any

from edgezero_spin.host.exchange.call import Failure, FailureKind
from edgezero_spin.host.exchange.exchange import Exchange, ResponseHead
from edgezero_spin.host.exchange.fields import FORBIDDEN
from edgezero_spin.host.execution.shared_call import TIMED_OUT, Post
from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.factors.wasi.http.values import error_text, method_variant
from edgezero_spin.host.factors.wasi_03.http.bodies import (
    BodyForwarder,
    ReceivedBody,
    promised_length,
)
from edgezero_spin.host.factors.wasi_03.http.messages import Request03, Response03
from edgezero_spin.host.runtime.instance import Instance
from edgezero_spin.host.runtime.interface import Err, Ok
from edgezero_spin.host.runtime.scheduler import Completion

__all__ = ["HandlerCall"]

logger = logging.getLogger("edgezero_spin.host")


class HandlerCall:
    """A request on its way through an instance; a ``SharedCall``.

    Attributes:
        call: The request.
        component_id: Whose instance it is in, for the log.
        answered: The handler returned, or has no time left to do so.
        until_s: When its time is up.
    """

    __slots__ = ("_body", "_handler", "_request", "answered", "call", "component_id", "until_s")

    def __init__(self, exchange: Exchange, component_id: str, handler: str) -> None:
        self.call = exchange
        self.component_id = component_id
        self.answered = False
        self.until_s = math.inf
        self._handler = handler
        self._body: BodyForwarder | None = None
        self._request: Request03 | None = None

    @property
    def over(self) -> bool:
        """Whether the client has all that it gets."""
        if not self.answered:
            return False
        body = self._body
        return body is None or body.channel.ended or body.channel.closed

    @property
    def moving(self) -> bool:
        """Whether the client has still something to take, which lets the guest go on."""
        body = self._body
        return body is not None and not body.channel.closed and body.channel.size > 0

    def start(self, instance: Instance, post: Post) -> None:
        """Call the handler."""
        request = self._request_of(post)

        def returned(completion: Completion) -> None:
            self._returned(completion, post)

        instance.start(self._handler, "handle", request, when_done=returned)

    def _request_of(self, post: Post) -> Request03:
        exchange = self.call
        headers = Fields(exchange.headers, immutable=True)
        contents = ReceivedBody(exchange.body, post, promised_length(headers))
        self._request = request = Request03(
            headers,
            contents,
            method=method_variant(exchange.method),
            path=exchange.target,
            scheme=(exchange.scheme, None),
            authority=exchange.authority,
        )
        return request

    def _returned(self, completion: Completion, post: Post) -> None:
        """Answer with what the handler returned; a trap is not this one's business."""
        try:
            result = completion.result()
        except BaseException:
            return
        late, self.answered = self.answered, True
        if isinstance(result, Err):
            if not late:
                self._refuse(f"guest failed to produce a response: {error_text(result.value)}")
            return
        response: Response03 = result.value if isinstance(result, Ok) else result
        if late:
            response.release()
            return
        try:
            length = promised_length(response.headers)
        except ValueError as error:
            response.release()
            self._refuse(f"guest returned a response that cannot be sent: {error}")
            return
        self._respond(response, length, post)

    def _respond(self, response: Response03, length: int | None, post: Post) -> None:
        exchange = self.call
        self._body = body = BodyForwarder(
            response.take(), length=length, size_error="HTTP-response-body-size", post=post
        )
        self._promise(response, body, length)
        # What a clone of the request's headers brings along is the server's to say (WH-40).
        headers = [pair for pair in response.headers.entries if pair[0] not in FORBIDDEN]
        if length is None and body.known_length is not None:
            headers.append(("content-length", str(body.known_length).encode()))
        body.start()
        exchange.respond(ResponseHead(response.status, headers, body.channel))
        body.ended.when(self._ended)

    def _promise(self, response: Response03, body: BodyForwarder, length: int | None) -> None:
        """Have the transmission's future answer as WH-33 says."""
        request = self._request

        def judge(_: Any) -> None:
            if body.mismatch is not None:
                response.sent.settle(Err(body.mismatch))
            elif request is not None:
                request.verdict.when(response.sent.settle)

        if length is None:
            judge(None)
        else:
            body.ended.when(judge)

    def _ended(self, _: Any) -> None:
        self.call.returned = True
        self.call.end_observation()
        self.call.flush()

    def _refuse(self, detail: str) -> None:
        self.fail(Failure(FailureKind.NO_RESPONSE, detail))
        logger.error("Error processing request: %s: %s", self.component_id, detail)

    def expire(self) -> bool:
        """Answer in the handler's place; from any thread. Return whether it was time (IL-40)."""
        if self.answered:
            return False
        self.answered = True
        self.call.refuse(TIMED_OUT)
        return True

    def fail(self, failure: Failure) -> None:
        """Say that there will be no response, or no more of it."""
        self.answered = True
        self.call.finish(failure)
        self.call.end_observation()
