"""Requests that a handler sends: one client for all of them, and forwarding.

``async def show(outbound: Outbound)`` gets a client; whoever runs the app puts a transport
under it. In a component that is ``wasi:http/outgoing-handler``, allowed only to hosts in
``allowed_outbound_hosts``. A request is composed (``composing``), carried (``transport``), and its
answer read when it is asked for (``response``).
"""

from edgezero_spin.core.outbound.client import Outbound
from edgezero_spin.core.outbound.decoding import MAX_DECODED_BYTES
from edgezero_spin.core.outbound.response import OutboundResponse, OutboundStatusError
from edgezero_spin.core.outbound.transport import (
    OutboundError,
    OutboundReply,
    OutboundRequest,
    OutboundTransport,
)

__all__ = [
    "MAX_DECODED_BYTES",
    "Outbound",
    "OutboundError",
    "OutboundReply",
    "OutboundRequest",
    "OutboundResponse",
    "OutboundStatusError",
    "OutboundTransport",
]
