"""Components that handle HTTP requests, and the export by which each does.

In: a linked component. Out: a ``GuestComponent``, from which an executor makes instances and
has them answer, or an error that says what the component exports instead.

Source: contract spin-host.md, RESP-11, RESP-15, GEN-7.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from edgezero_spin.host.compat import inbound_http
from edgezero_spin.host.compat.inbound_http import INBOUND_HTTP
from edgezero_spin.host.errors import HandlerError
from edgezero_spin.host.exchange.exchange import Exchange
from edgezero_spin.host.exchange.handler_type import HandlerType
from edgezero_spin.host.execution.instance_pool import PooledInstance
from edgezero_spin.host.execution.pace import QUICK_SHARED_S, Pace
from edgezero_spin.host.factors.instance import Grants
from edgezero_spin.host.factors.wasi.http.inbound import IncomingRequest, ResponseOutparam
from edgezero_spin.host.runtime.engine import InstanceLimits
from edgezero_spin.host.runtime.prepared import PreparedComponent
from edgezero_spin.wasm.component.linked import (
    ExportedInstance,
    ImportedFunction,
    LiftedFunction,
    LoweredFunction,
)
from edgezero_spin.wasm.component.types import ResultType

if TYPE_CHECKING:
    from edgezero_spin.host.execution.handler_call import HandlerCall

__all__ = ["HANDLER", "HANDLER_03", "GuestComponent", "handler_of"]

HANDLER = "wasi:http/incoming-handler"
HANDLER_03 = "wasi:http/handler"
COMMAND = "wasi:cli/run@"

_OWN_HANDLER = re.compile(
    rf"{re.escape(HANDLER)}(?:@0\.2\.\d+)?|{re.escape(INBOUND_HTTP)}"
    # A candidate of a release answers for itself alone (XP-1, XP-2).
    rf"|{re.escape(HANDLER_03)}@0\.3\.(?:\d+|0-rc-2026-03-15)",
    re.ASCII,
)
# Exports that mean a handler of another generation (RESP-15, XP-2, XP-5).
OTHER_HANDLERS = (
    f"{HANDLER_03}@",
    f"{HANDLER}@0.2.0-rc",
)


@attrs.frozen(eq=False)
class GuestComponent:
    """A component that is ready to be instantiated.

    Attributes:
        linked: The component with its imports defined.
        handler: The export that serves requests.
        pace: How long its requests take.
        handler_type: How it takes requests (RESP-11).
    """

    linked: PreparedComponent
    grants: Grants
    limits: InstanceLimits
    handler: str
    pace: Pace = attrs.field(init=False)
    handler_type: HandlerType = attrs.field(init=False)

    @handler_type.default
    def _type_of_handler(self) -> HandlerType:
        if self.handler == INBOUND_HTTP:
            return HandlerType.SPIN
        is_03 = self.handler.startswith(f"{HANDLER_03}@")
        return HandlerType.WASI_0_3 if is_03 else HandlerType.WASI_0_2

    @pace.default
    def _pace_of_handler(self) -> Pace:
        shared = self.handler.startswith(f"{HANDLER_03}@")
        return Pace(QUICK_SHARED_S) if shared else Pace()

    @classmethod
    def of(
        cls, linked: PreparedComponent, grants: Grants, limits: InstanceLimits
    ) -> "GuestComponent":
        """Find the handler among the exports (RESP-15).

        Raises:
            HandlerError: There is none, several, or one that this host cannot call.
        """
        handler = handler_of(grants.component_id, linked.exports)
        if any(name.startswith(f"{HANDLER_03}@") for name in _imported(linked)):
            raise HandlerError(
                grants.component_id,
                f"it imports {HANDLER_03}, as middleware does, and nothing is joined to it that "
                "would answer; this host runs no middleware by itself",
            )
        if handler.startswith(HANDLER_03):
            _check_type(grants.component_id, handler, linked)
        return cls(linked, grants, limits, handler)

    @property
    def is_fresh(self) -> bool:
        """Whether each request gets an instance of its own all the same (XP-7)."""
        return "-rc-" in self.handler

    def handle(self, started: PooledInstance, exchange: Exchange) -> None:
        """Call the handler of an instance. Called on the guest's thread.

        Raises:
            GuestTrapped: The guest stopped.
            HostError: What it returned is not an answer.
        """
        if self.handler_type is HandlerType.SPIN:
            inbound_http.answer(started.instance, started.state, exchange, self.grants.component_id)
        else:
            started.instance.call(
                self.handler, "handle", IncomingRequest(exchange), ResponseOutparam(exchange)
            )

    def shared_call(self, exchange: Exchange) -> "HandlerCall":
        """Return an exchange as it goes through an instance of WASI 0.3."""
        # It brings all of WASI 0.3, which most applications start without.
        from edgezero_spin.host.execution.handler_call import HandlerCall

        return HandlerCall(exchange, self.grants.component_id, self.handler)


def handler_of(component_id: str, exports: Sequence[str]) -> str:
    """Return the export of a component that serves requests (RESP-15).

    Raises:
        HandlerError: There is none, several, or one that this host cannot call.
    """
    own = [name for name in exports if _OWN_HANDLER.fullmatch(name)]
    others = [name for name in exports if name.startswith(OTHER_HANDLERS) and name not in own]
    if not own:
        raise HandlerError(component_id, _no_handler(exports, others))
    if len(own) + len(others) > 1:
        raise HandlerError(
            component_id,
            "component exports multiple different handlers but it's expected to export "
            f"only one: {', '.join([*own, *others])}",
        )
    return own[0]


def _imported(linked: PreparedComponent) -> Iterator[str]:
    """Yield the interface of each function that a component imports (XP-11)."""
    for core in linked.linked.core_instances:
        for imported in core.imports:
            source = imported.source
            if isinstance(source, LoweredFunction) and isinstance(source.callee, ImportedFunction):
                yield source.callee.path[0]


def _no_handler(exports: Sequence[str], others: list[str]) -> str:
    if others:
        return (
            f"it exports {others[0]}, which this host does not run; build it for "
            f"{HANDLER_03}@0.3.0 or {HANDLER}@0.2"
        )
    offer = ", ".join(exports) or "nothing"
    if any(name.startswith(COMMAND) for name in exports):
        offer += ' (give the trigger of a command `executor = { type = "wagi" }`)'
    return (
        f"Expected component to export one of {HANDLER_03}@0.3.0, {HANDLER}@0.2, {INBOUND_HTTP}; "
        f"it exports {offer}"
    )


def _check_type(component_id: str, handler: str, linked: PreparedComponent) -> None:
    """Refuse a handler of another type, which would fail at each request (XP-4)."""
    export = linked.linked.exports[handler]
    handle = export.exports.get("handle") if isinstance(export, ExportedInstance) else None
    if isinstance(handle, LiftedFunction):
        type_ = handle.type
        if type_.is_async and len(type_.parameters) == 1 and isinstance(type_.result, ResultType):
            return
    raise HandlerError(
        component_id,
        f"its {handler} has no `handle: async func(request: request) -> result<response, "
        "error-code>`; build it against the published interface",
    )
