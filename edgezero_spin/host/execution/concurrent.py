"""Instances of WASI 0.3, which several requests are in at once.

An instance has no thread of its own: it runs in *turns*. A turn begins what was accepted, lets
every task go on that can, and ends when all of them wait. Whatever an instance waits for is
posted to it, which makes another turn due. While it is busy it holds a place of the worker
pool, so that busy instances of either generation are bounded together.

In: exchanges for components. Out: the exchanges answered, by instances that are chosen, made and
ended as Spin does it.

Source: contract wasi03.md, section 2.
"""

import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic, monotonic_ns, thread_time
from typing import Protocol

import attrs
from attrs.validators import ge, gt, optional

from edgezero_spin.host.errors import EngineBusy, GuestTrapped
from edgezero_spin.host.exchange.exchange import Exchange, Failure, FailureKind
from edgezero_spin.host.execution.clock import Clock
from edgezero_spin.host.execution.guest import GuestComponent
from edgezero_spin.host.execution.handler_call import TIMED_OUT, HandlerCall
from edgezero_spin.host.execution.leader import Leadership, leading
from edgezero_spin.host.execution.workers import Overloaded, WorkerPool
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.runtime.instance import Instance
from edgezero_spin.host.runtime.scheduler import Completion, Scheduler

__all__ = ["ConcurrencyPolicy", "ConcurrentExecutor", "TurnWatch"]

logger = logging.getLogger("edgezero_spin.host")

PATIENCE_S = 0.02
"""Seconds that a request waits for an instance that computes, before another one is made."""

ROUND_S = 0.002
"""Seconds after which a turn that finds more to do lets others have theirs."""

BLOCKED_S = 1.0
"""Seconds of one turn after which the log says that requests wait for it."""
