"""The embedded host: any Spin application, in this Python process.

``Host`` loads an application, answers requests and takes events; ``serve`` puts it on a socket. The
package knows nothing of how a component was written.
"""

from edgezero_spin.events import CronEvent, MqttMessage, RedisMessage
from edgezero_spin.host.exchange.event import EventOutcome, OutcomeKind
from edgezero_spin.host.execution.concurrency_policy import ConcurrencyPolicy
from edgezero_spin.host.execution.instance_pool import ReusePolicy
from edgezero_spin.host.host import Host
from edgezero_spin.host.http.messages import HttpRequest, HttpResponse, ResponseAborted
from edgezero_spin.host.observers import (
    ComponentUsage,
    ConnectionUse,
    HostCall,
    InstanceUsage,
    ObservedEvent,
    ObservedRequest,
    Observer,
    OutboundObserver,
    OutgoingCall,
    RequestObserver,
    RequestOutcome,
)
from edgezero_spin.host.settings import HostSettings, RunOptions
from edgezero_spin.host.switch import Switch
from edgezero_spin.host.triggers.trigger import ReconnectPolicy

__all__ = [
    "ComponentUsage",
    "ConcurrencyPolicy",
    "ConnectionUse",
    "CronEvent",
    "EventOutcome",
    "Host",
    "HostCall",
    "HostSettings",
    "HttpRequest",
    "HttpResponse",
    "InstanceUsage",
    "MqttMessage",
    "ObservedEvent",
    "ObservedRequest",
    "Observer",
    "OutboundObserver",
    "OutcomeKind",
    "OutgoingCall",
    "ReconnectPolicy",
    "RedisMessage",
    "RequestObserver",
    "RequestOutcome",
    "ResponseAborted",
    "ReusePolicy",
    "RunOptions",
    "Switch",
]
