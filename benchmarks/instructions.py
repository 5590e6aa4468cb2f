"""Count the wasm instructions and host calls of one request, exactly.

wasmtime's fuel counts instructions and is repeatable to the unit for the same component. The
first call on a fresh instance is what every request costs under Spin; a later call on the
same instance shows what is paid once.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.host.exchange.channel import PIECE, ByteChannel
from edgezero_spin.host.exchange.exchange import Exchange
from edgezero_spin.host.execution.handler_call import HandlerCall
from edgezero_spin.host.factors.instance import Grants, InstanceState
from edgezero_spin.host.factors.logs import Logs
from edgezero_spin.host.factors.wasi.http.inbound import IncomingRequest, ResponseOutparam
from edgezero_spin.host.load.interfaces import HostInterfaces
from edgezero_spin.host.runtime.component_loading import load_component
from edgezero_spin.host.runtime.engine import EngineSettings, make_engine
from edgezero_spin.host.runtime.instance import Instance
from edgezero_spin.host.runtime.interface import Interface
from edgezero_spin.host.runtime.linking import link
from edgezero_spin.stores import MemoryKeyValue

__all__ = ["Cost", "cost_of"]

HANDLER = "wasi:http/incoming-handler"
HANDLER_03 = "wasi:http/handler@0.3.0"


@attrs.frozen
class Cost:
    """What a request cost: on a fresh instance, and as the third on the same one.

    Attributes:
        first: Instructions of the first call.
        later: Instructions of the third call.
        host_calls: Calls that the first one made to the host, resource drops not counted.
    """

    first: int
    later: int
    host_calls: int


def cost_of(component: Path, method: str = "GET", target: str = "/", body: bytes = b"") -> Cost:
    """Serve one request three times on one instance and count.

    Raises:
        RuntimeError: The guest did not answer 200.
    """
    calls = [0]
    engine = make_engine(EngineSettings(pooling=False, fuel=True, epoch=False))
    with engine:
        linked = link(engine, load_component(engine, component), _counting(calls))
        answer = _answer if linked.export_of(HANDLER) else _answer_03
        state = InstanceState(
            Grants(
                component_id="guest",
                environment=(("A", "b"),),
                key_value={"notes": MemoryKeyValue()},
                log=Logs(None).of("guest"),
            )
        )
        with linked.instantiate(state) as instance:
            spent = [instance.fuel_used or 0]
            counted = []
            for _ in range(3):
                calls[0] = 0
                exchange = _exchange(method, target, body)
                answer(instance, exchange)
                if exchange.response is None or exchange.response.status != 200:
                    raise RuntimeError(f"{component.name} did not answer 200: {exchange.failure}")
                spent.append(instance.fuel_used or 0)
                counted.append(calls[0])
    return Cost(spent[1] - spent[0], spent[3] - spent[2], counted[0])


def _answer(instance: Instance, exchange: Exchange) -> None:
    instance.call(HANDLER, "handle", IncomingRequest(exchange), ResponseOutparam(exchange))


def _answer_03(instance: Instance, exchange: Exchange) -> None:
    """Have a component of WASI 0.3 answer, to the end of the task."""
    tasks = instance.tasks
    if tasks is None:
        raise RuntimeError("the component has no asynchronous functions")
    HandlerCall(exchange, "guest", HANDLER_03).start(instance, tasks.post)
    while not tasks.idle:
        tasks.pump()
        response = exchange.response
        if response is not None and response.body is not None and response.body.size:
            response.body.take(PIECE)


def _exchange(method: str, target: str, body: bytes) -> Exchange:
    channel = None
    if body:
        channel = ByteChannel()
        channel.put(body)
        channel.end()
    headers = [("accept", b"*/*"), ("user-agent", b"benchmark")]
    return Exchange(method, target, headers, authority="127.0.0.1:3000", body=channel)


def _counting(calls: list[int]) -> dict[str, Interface]:
    """The host's interfaces, each function counting its calls."""

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            calls[0] += 1
            return function(*args)

        return call

    return {
        name: attrs.evolve(
            interface,
            functions={item: counted(function) for item, function in interface.functions.items()},
        )
        for name, interface in HostInterfaces().items()
    }
