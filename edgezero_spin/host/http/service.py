"""The service of one application: every request of it, whoever received it.

In: the head of a request, the channel of its body, and a ``ResponseWriter``. Out: a whole response
where the host itself answers, else a ``Responder``. Which component answers, the gateway says.

A body that is still on its way may hold an instance for as long as its client likes, so such
requests have no more than half of the instances.

Source: contract spin-host.md, RESP-1 to RESP-9, HTTP-17, HTTP-18.
"""

import asyncio
from collections.abc import Callable

from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.exchange import LINGER_S
from edgezero_spin.host.execution.executor import InstanceWatch
from edgezero_spin.host.execution.runner import Runner
from edgezero_spin.host.http.gateway import CompleteResponse, ComponentCall, Gateway, RequestHead
from edgezero_spin.host.http.observed import ObservedResponse, observed_request
from edgezero_spin.host.http.request_handler import Responder, ResponseWriter
from edgezero_spin.host.http.responder import ComponentResponder, send_answer
from edgezero_spin.host.observers import Observer

__all__ = ["Linger", "Service"]


class Linger:
    """Looks every few milliseconds at what guests of one loop left unannounced.

    What a guest does on its own thread is announced through its ``Exchange``, but not by one that
    is busy.
    """

    def __init__(self, relieve: Callable[[], None]) -> None:
        """Look at nothing yet.

        Args:
            relieve: Called at each look while anybody waits.
        """
        self._relieve = relieve
        self._loop = asyncio.get_running_loop()
        self._waiting: set[ComponentResponder] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, responder: ComponentResponder) -> None:
        """Look at this one too."""
        self._waiting.add(responder)
        if self._timer is None:
            self._timer = self._loop.call_later(LINGER_S, self._look)

    def discard(self, responder: ComponentResponder) -> None:
        """Look at it no more."""
        self._waiting.discard(responder)

    def _look(self) -> None:
        self._timer = None
        if self._waiting:
            self._relieve()
            for responder in list(self._waiting):
                responder.look()
            self._timer = self._loop.call_later(LINGER_S, self._look)


class Service:
    """Answers requests for one application, from any number of loops.

    Attributes:
        gateway: Says what answers.
        runner: Runs what is a component.
        observer: Told of every request; ``None`` where nobody is.
    """

    def __init__(self, gateway: Gateway, runner: Runner, observer: Observer | None = None) -> None:
        """Made by a host."""
        self.gateway = gateway
        self.runner = runner
        self.observer = observer
        self._lingers: dict[asyncio.AbstractEventLoop, Linger] = {}
        self._uploads: list[ComponentResponder] = []

    def begin(
        self,
        head: RequestHead,
        body: ByteChannel | None,
        writer: ResponseWriter,
        *,
        watch: InstanceWatch | None = None,
        done: Callable[[], None] = lambda: None,
        observed: bool = True,
    ) -> Responder | None:
        """Begin to answer a request.

        Args:
            body: Where its bytes come in; ``None`` for none.
            watch: Told when the instance that answers starts and ends.
            done: Called in the loop when nobody works on the response any more.
            observed: Whether the observer is told of the request.

        Returns:
            What tells of the client; ``None`` when the response is out already.
        """
        admitted = self.gateway.admit(head)
        following = counted = None
        if observed and self.observer is not None:
            if isinstance(admitted, ComponentCall):
                route = admitted.exchange.route
                component_id: str | None = admitted.component.grants.component_id
            else:
                component_id, route = self.gateway.matched(head)
            following = self.observer.request_began(
                observed_request(head, self.gateway.application, component_id, route)
            )
            if following is not None and following.sees_end:
                writer = counted = ObservedResponse(following, writer)
        if isinstance(admitted, CompleteResponse):
            send_answer(writer, admitted, head.method)
            done()
            return None
        admitted.exchange.body = body
        admitted.exchange.observer = following
        responder = ComponentResponder(self, admitted, writer, watch, done)
        told = responder if counted is None else counted.responder(responder)
        responder.start()
        return None if responder.over else told

    def linger(self) -> Linger:
        """The one of the running loop."""
        loop = asyncio.get_running_loop()
        linger = self._lingers.get(loop)
        if linger is None:
            for known in tuple(self._lingers):
                if known.is_closed():
                    self._lingers.pop(known, None)
            linger = self._lingers[loop] = Linger(self.runner.pool.relieve)
        return linger

    def claim_upload(self, responder: ComponentResponder) -> bool:
        """Let a request in whose body is incomplete, unless such ones have half of all places."""
        self._uploads = [known for known in self._uploads if known.is_uploading]
        if len(self._uploads) >= max(1, self.runner.places // 2):
            return False
        self._uploads.append(responder)
        return True
