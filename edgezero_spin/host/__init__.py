"""The embedded host: any Spin application, in this Python process.

``Host`` loads an application and answers requests; ``serve`` puts it on a socket. The
package knows nothing of how a component was written.
"""

from edgezero_spin.host.execution.concurrency_policy import ConcurrencyPolicy
from edgezero_spin.host.execution.instance_pool import ReusePolicy
from edgezero_spin.host.host import Host
from edgezero_spin.host.http.messages import HttpRequest, HttpResponse, ResponseAborted
from edgezero_spin.host.observers import (
    ComponentUsage,
    HostCall,
    InstanceUsage,
    ObservedRequest,
    Observer,
    OutboundObserver,
    OutgoingCall,
    RequestObserver,
    RequestOutcome,
)
from edgezero_spin.host.settings import HostSettings, RunOptions
from edgezero_spin.host.switch import Switch

__all__ = [
    "ComponentUsage",
    "ConcurrencyPolicy",
    "Host",
    "HostCall",
    "HostSettings",
    "HttpRequest",
    "HttpResponse",
    "InstanceUsage",
    "ObservedRequest",
    "Observer",
    "OutboundObserver",
    "OutgoingCall",
    "RequestObserver",
    "RequestOutcome",
    "ResponseAborted",
    "ReusePolicy",
    "RunOptions",
    "Switch",
]
