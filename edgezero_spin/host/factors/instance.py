"""The state of one running instance, and how its thread waits.

``Grants`` is what the manifest gives a component, fixed at start-up and shared by all its
instances. ``InstanceState`` is one instance: its handles, its exchange with the client and
the condition on which its thread sleeps while there is nothing to do.

An instance runs on one thread. Other threads (the event loop, another guest, an HTTP
client) change fields that a ``ready`` function reads, and then call ``wake``.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic_ns
from typing import Any

import attrs

from edgezero_spin.host.errors import DeadlineExceeded, Trap
from edgezero_spin.host.factors.command import Command
from edgezero_spin.host.factors.logs import ComponentLog, ObservedSink, Sink
from edgezero_spin.host.factors.outbound_networking.config import NetworkRules
from edgezero_spin.host.factors.variables.resolver import VariableResolver
from edgezero_spin.host.observers import Observer, RequestObserver
from edgezero_spin.host.runtime.resources import DEFAULT_RESOURCE_LIMIT, ResourceTable
from edgezero_spin.stores.backend import KeyValueBackend

__all__ = ["Grants", "InstanceState"]

# A wait is cut into pieces no longer than this, because timeouts have an upper bound.
LONGEST_SLEEP_S = 3600.0

OUT_OF_TIME = "the request took longer than it may"


@attrs.frozen(kw_only=True)
class Grants:
    """What one component may use.

    Attributes:
        environment: What ``wasi:cli/environment`` answers, in order.
        arguments: What ``wasi:cli/environment`` answers for a program's arguments.
        key_value: Label to store, for the labels that the manifest lists.
        databases: Label to SQLite database, likewise; see ``sqlite.factor.Database``.
        postgres: Connections to PostgreSQL servers; see ``postgres.factor.PostgresConnections``.
        mysql: Connections to MySQL servers; a ``ConnectionPools``.
        llm: Asks the server of language models; see ``llm.client.LlmClient``. ``None`` for none.
        variables: Resolves the component's variables.
        ai_models: Language models that the manifest lists.
        mounts: What the guest sees of the file system; see ``DirectoryMount``.
        outbound: Decides about outgoing requests; see ``outbound_http.OutboundHosts``.
        network: What the operator lets connections do, and how many there may be.
        log: Where its stdout and stderr go.
        memory_bytes: Most memory of one instance; ``None`` where it is not limited. What
            databases hold for an instance counts the same way.
        observer: Told of its instances; ``None`` where nobody is.
    """

    component_id: str
    environment: tuple[tuple[str, str], ...] = ()
    arguments: tuple[str, ...] = ()
    key_value: Mapping[str, KeyValueBackend] = attrs.field(factory=dict)
    databases: Mapping[str, Any] = attrs.field(factory=dict)
    postgres: Any = None
    mysql: Any = None
    llm: Any = None
    variables: VariableResolver | None = None
    ai_models: tuple[str, ...] = ()
    mounts: tuple[Any, ...] = ()
    outbound: Any = None
    network: NetworkRules = attrs.field(factory=NetworkRules)
    log: ComponentLog
    memory_bytes: int | None = None
    observer: Observer | None = None


def _nothing() -> None:
    return None


class InstanceState:
    """One instance, from its making to its end.

    Attributes:
        deadline_ns: ``monotonic_ns`` after which every wait raises ``DeadlineExceeded``.
        before_wait: Called when the thread is about to sleep.
        around_wait: Called with ``True`` before and ``False`` after the thread slept.
        slept: It slept since somebody set this to ``False``.
        open_stores: Key-value stores that it holds open (KV-4).
        open_files: File descriptors of the host that it holds.
        held: How many handles it holds of each kind that is bounded.
        fresh_bytes: What it had the host hold since that was last counted; see ``bounds``.
        sql_memory: What it had SQLite hold; see ``sqlite.memory.MemoryAccount``.
        context: What whoever follows the instance put there.
        command: Arguments, input and output of a program that is run like a command;
            ``None`` for a handler.
        following: What follows its present request; ``None`` where nothing does.
        tasks: Where its tasks have what follows each of them; ``None`` where requests do not
            share it.
        cpu_s: Processor time that it took, where it is observed.
        initial_memory_bytes: Of its linear memory when it was made, where it is observed.
    """

    __slots__ = (
        "_cancelled",
        "_condition",
        "_sinks",
        "_waiting",
        "around_wait",
        "before_wait",
        "command",
        "context",
        "cpu_s",
        "deadline_ns",
        "following",
        "fresh_bytes",
        "grants",
        "held",
        "initial_memory_bytes",
        "open_files",
        "open_stores",
        "slept",
        "sql_memory",
        "table",
        "tasks",
    )

    def __init__(
        self,
        grants: Grants,
        *,
        resource_limit: int = DEFAULT_RESOURCE_LIMIT,
        deadline_ns: int | None = None,
    ) -> None:
        self.table = ResourceTable(resource_limit)
        self.grants = grants
        self.deadline_ns = deadline_ns
        self.before_wait: Callable[[], None] = _nothing
        self.around_wait: Callable[[bool], None] | None = None
        self.slept = False
        self.open_stores = 0
        self.open_files = 0
        self.held: dict[str, int] = {}
        self.fresh_bytes = 0
        self.sql_memory: Any = None
        self.context: Any = None
        self.command: Command | None = None
        self.following: RequestObserver | None = None
        self.tasks: Any = None
        self.cpu_s = 0.0
        self.initial_memory_bytes: int | None = None
        self._condition = threading.Condition(threading.Lock())
        self._cancelled: str | None = None
        self._sinks: dict[str, Sink] = {}
        # Set before the look that may be followed by sleep, so that whoever changes something
        # after that look sees it: a guest that computes is told of nothing, at no cost.
        self._waiting = False

    @property
    def request_observer(self) -> RequestObserver | None:
        """What follows the request that the guest works on now."""
        tasks = self.tasks
        found: RequestObserver | None = self.following if tasks is None else tasks.current.context
        return found

    def wait(self, ready: Callable[[], bool], until_ns: int | None = None) -> None:
        """Sleep until ``ready()`` is true or ``until_ns`` has passed.

        Args:
            ready: Reads fields only; it is called with the condition held.
            until_ns: A ``monotonic_ns``; ``None`` waits as long as it takes.

        Raises:
            Trap: The host is stopping.
            DeadlineExceeded: The instance's time is up.
        """
        if ready():
            return
        with self.asleep(), self._condition:
            self._waiting = True
            try:
                while not ready():
                    if self._cancelled is not None:
                        raise Trap(self._cancelled)
                    if not self._sleep(until_ns):
                        return
            finally:
                self._waiting = False

    def check(self) -> None:
        """Raise what ``wait`` would, without sleeping.

        Raises:
            Trap: The host is stopping.
            DeadlineExceeded: The instance's time is up.
        """
        if self._cancelled is not None:
            raise Trap(self._cancelled)
        deadline = self.deadline_ns
        if deadline is not None and monotonic_ns() >= deadline:
            raise DeadlineExceeded(OUT_OF_TIME)

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """Count the thread as asleep, and send what the guest wrote so far."""
        self.slept = True
        self.before_wait()
        around = self.around_wait
        if around is not None:
            around(True)
        try:
            yield
        finally:
            if around is not None:
                around(False)

    def _sleep(self, until_ns: int | None) -> bool:
        """Sleep once; return whether there is time left until ``until_ns``."""
        deadline = self.deadline_ns
        if until_ns is None and deadline is None:
            self._condition.wait()
            return True
        now = monotonic_ns()
        if deadline is not None and now >= deadline:
            raise DeadlineExceeded(OUT_OF_TIME)
        if until_ns is not None and now >= until_ns:
            return False
        first = min(limit for limit in (until_ns, deadline) if limit is not None)
        self._condition.wait(min((first - now) / 1e9, LONGEST_SLEEP_S))
        return True

    def wake(self) -> None:
        """Make a sleeping guest look again; from any thread."""
        if self._waiting:
            with self._condition:
                self._condition.notify_all()

    def cancel(self, reason: str) -> None:
        """Trap the guest at its present or next wait; from any thread."""
        with self._condition:
            self._cancelled = reason
            self._condition.notify_all()

    def sink(self, stream: str) -> Sink:
        """The open log of ``stdout`` or ``stderr``, made at the first write (ENV-5)."""
        sink = self._sinks.get(stream)
        if sink is None:
            sink = self.grants.log.open(stream, self._trace_id)
            if self.grants.observer is not None:
                sink = ObservedSink(sink, lambda data: self._wrote(stream, data))
            self._sinks[stream] = sink
        return sink

    def _trace_id(self) -> str | None:
        request = self.request_observer
        return None if request is None else request.trace_id()

    def _wrote(self, stream: str, data: bytes) -> None:
        component_id, observer = self.grants.component_id, self.grants.observer
        request = self.request_observer
        if request is not None:
            request.output(component_id, stream, data)
        elif observer is not None:
            observer.output(component_id, stream, data)

    def close(self) -> None:
        """Give back what the instance holds outside its table. Twice is harmless."""
        for sink in self._sinks.values():
            sink.close()
        self._sinks.clear()
