"""The embedded host: any Spin application, in this Python process.

``Host`` loads an application, answers requests and takes events; ``serve`` puts it on a socket. The
package knows nothing of how a component was written.
"""

from edgezero_spin.host.exchange.event import EventOutcome, OutcomeKind
from edgezero_spin.host.execution.concurrency_policy import ConcurrencyPolicy
from edgezero_spin.host.execution.instance_pool import ReusePolicy
from edgezero_spin.host.host import Host
from edgezero_spin.host.http.messages import HttpRequest, HttpResponse, ResponseAborted
from edgezero_spin.host.settings import HostSettings, RunOptions
from edgezero_spin.host.switch import Switch
from edgezero_spin.host.triggers.cron.trigger import CronEvent
from edgezero_spin.host.triggers.mqtt.trigger import MqttMessage
from edgezero_spin.host.triggers.redis.trigger import RedisMessage
from edgezero_spin.host.triggers.trigger import ReconnectPolicy

__all__ = [
    "ConcurrencyPolicy",
    "CronEvent",
    "EventOutcome",
    "Host",
    "HostSettings",
    "HttpRequest",
    "HttpResponse",
    "MqttMessage",
    "OutcomeKind",
    "ReconnectPolicy",
    "RedisMessage",
    "ResponseAborted",
    "ReusePolicy",
    "RunOptions",
    "Switch",
]
