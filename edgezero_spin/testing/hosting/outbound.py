"""Requests that a component sends: answered by the script, or by the application itself.

Source: contract spin-host.md, CHAIN-1 to CHAIN-12, TEST-15, TEST-16.
"""

from collections.abc import Callable

from edgezero_spin.core.headers import Headers
from edgezero_spin.host.capabilities.outbound_http import Destination
from edgezero_spin.host.capabilities.wasi_http import (
    FutureIncomingResponse,
    IncomingResponse,
    OutgoingRequest,
    RequestOptions,
    method_text,
)
from edgezero_spin.host.channel import ByteChannel
from edgezero_spin.host.exchange import Exchange
from edgezero_spin.host.instance import InstanceState
from edgezero_spin.host.outbound import CHAIN_DOMAIN, OutboundSender
from edgezero_spin.host.running import Instance
from edgezero_spin.host.trigger.http import InstanceRunner, InstanceWatch, Served
from edgezero_spin.testing.hosting.context import CURRENT, Context, surface
from edgezero_spin.testing.outbound import OutboundRequest

__all__ = ["ChainRunner", "Sender"]


class ChainRunner(InstanceRunner):
    """Runs a component that another one calls, for the same test as its caller."""

    def __init__(self, runner: InstanceRunner) -> None:
        self._inner = runner

    def start(
        self,
        component: Served,
        exchange: Exchange,
        watch: InstanceWatch | None = None,
        *,
        nested: bool = False,
    ) -> None:
        caller = CURRENT.context
        chained = watch if caller is None else _ChainWatch(caller)
        self._inner.start(component, exchange, chained, nested=nested)


class _ChainWatch:
    """Gives a called instance its caller's surface, and its caller the bill."""

    def __init__(self, caller: Context) -> None:
        self._caller = caller
        self._own = Context(caller.surface)

    def started(self, state: InstanceState) -> None:
        CURRENT.context = self._own

    def ended(self, instance: Instance | None, error: BaseException | None) -> None:
        self._caller.host_calls += self._own.host_calls
        self._caller.chained_fuel += self._own.chained_fuel
        if instance is not None:
            self._caller.chained_fuel += instance.fuel_used or 0
        CURRENT.context = None


class Sender:
    """Answers outbound requests from the script of whoever asks.

    Calls between components of the application are no requests to the outside.
    """

    def __init__(self) -> None:
        self.chain = OutboundSender()

    def send(
        self,
        destination: Destination,
        request: OutgoingRequest,
        options: RequestOptions | None,
        future: FutureIncomingResponse,
    ) -> None:
        if destination.host.endswith(f".{CHAIN_DOMAIN}"):
            self.chain.send(destination, request, options, future)
            return
        script = surface().http
        url = f"{destination.scheme}://{destination.authority or 'self'}{request.path or '/'}"
        method = method_text(request.method)
        headers = Headers.received(request.headers.entries)

        def answer(content: bytes) -> None:
            found = script.answer(OutboundRequest(method, url, headers, content))
            if found.error is not None:
                code = found.code
                future.reject((code, None if code == found.error else found.error))
                return
            channel = ByteChannel()
            channel.put(found.content)
            channel.end()
            future.resolve(IncomingResponse(found.status, list(found.headers.pairs), channel))

        if request.body is None:
            answer(b"")
        else:
            _collect(request.body.channel, answer)


def _collect(channel: ByteChannel, then: Callable[[bytes], None]) -> None:
    """Read a body that the guest is about to write, and go on when it has ended."""
    parts: list[bytes] = []
    done = False

    def more() -> None:
        nonlocal done
        if done:
            return
        while piece := channel.take_all():
            parts.append(piece)
        if channel.ended:
            done = True
            then(b"".join(parts))

    channel.on_data = more
    more()
