"""The embedded host: one application in this process, ready for requests.

```python
with Host.from_manifest("spin.toml") as host:
    response = await host.handle(HttpRequest("GET", "/hello"))
    print(response.status, await response.text())
```

``handle`` takes one request from Python, ``asgi()`` gives a program for any ASGI server,
and ``http.server.serve`` listens on a socket. All may be used at once, from any number
of event loops. ``run_triggers`` listens for events of other triggers, and ``trigger`` takes one
from Python. Guests run on threads of the host's own.
"""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self, Unpack

from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.event import EventOutcome
from edgezero_spin.host.execution.executor import InstanceWatch
from edgezero_spin.host.execution.runner import Runner, executors_of
from edgezero_spin.host.execution.workers import WorkerPool
from edgezero_spin.host.factors.instance import Grants
from edgezero_spin.host.factors.llm.config import LlmServer
from edgezero_spin.host.factors.logs import Logs
from edgezero_spin.host.factors.outbound_networking.config import NetworkRules
from edgezero_spin.host.factors.sqlite.factor import Database
from edgezero_spin.host.factors.variables.resolver import VariableResolver
from edgezero_spin.host.http.asgi import AsgiApplication
from edgezero_spin.host.http.embedded import answer
from edgezero_spin.host.http.gateway import RequestHead
from edgezero_spin.host.http.messages import HttpRequest, HttpResponse
from edgezero_spin.host.http.request_handler import Responder, ResponseWriter
from edgezero_spin.host.http.routes import InvalidRoutesError
from edgezero_spin.host.http.service import Service
from edgezero_spin.host.http.service_chaining import OutboundSender
from edgezero_spin.host.http.trigger import HTTP
from edgezero_spin.host.load.application import Application, PublicRoute, load_application
from edgezero_spin.host.load.interfaces import HostInterfaces
from edgezero_spin.host.load.plan import ApplicationError, ApplicationPlan, in_file
from edgezero_spin.host.load.starting import (
    FoundApplication,
    find_image,
    find_lock,
    find_manifest,
    is_component,
    open_work_dir,
    prepare,
)
from edgezero_spin.host.observers import Observer, combine
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, InstanceLimits, make_engine
from edgezero_spin.host.runtime.interface import Interface
from edgezero_spin.host.settings import HostSettings, RunOptions
from edgezero_spin.host.triggers.dispatching import Dispatcher, InstanceReceivers
from edgezero_spin.stores.backend import KeyValueBackend

__all__ = ["Host"]

CLOSE_TIMEOUT_S = 2.0


def _nothing() -> None:
    return None


def _no_line(line: str) -> None:
    return None


def _served(plan: ApplicationPlan) -> int:
    """Components as kinds of triggers call them; each way has instances of its own."""
    return sum(len({component for _, component in trigger.components}) for trigger in plan.triggers)


class Host:
    """One running application. ``close`` it, or use it in ``with``.

    Attributes:
        notices: Lines for whoever started it: where logs and data go (OUT-1 to
            OUT-3), and what of the runtime configuration is not used.
    """

    def __init__(
        self,
        plan: ApplicationPlan,
        *,
        settings: HostSettings | None = None,
        engine: Engine | None = None,
        stores: Mapping[str, KeyValueBackend] | None = None,
        databases: Mapping[str, Database] | None = None,
        network: NetworkRules | None = None,
        llm: LlmServer | None = None,
        variables: VariableResolver | None = None,
        logs: Logs | None = None,
        interfaces: Mapping[str, Interface] | None = None,
        adapt: Callable[[Grants], Grants] | None = None,
        observers: Iterable[Observer] = (),
    ) -> None:
        """Load an application.

        Args:
            plan: What to run.
            settings: What it may use of this machine.
            engine: Shared with other hosts of the process; ``None`` makes one of its own.
            stores: Key-value stores by label.
            databases: SQLite databases by label.
            network: What the operator lets connections of components do.
            llm: The server that components ask for language models.
            variables: Values of the components' variables.
            logs: Where components write; ``None`` echoes all to this process's stderr.
            interfaces: What components can import, by name; ``None`` for all that this
                host has. A test or an embedding program may wrap or replace some.
            adapt: Has the last word on what each component is granted.
            observers: Told of requests, calls and instances.

        Raises:
            HostError: The application cannot be run as it stands.
        """
        settings = settings or HostSettings()
        self.settings = settings
        self.notices: tuple[str, ...] = ()
        self._own_engine = engine is None
        self._engine = engine or make_engine(
            EngineSettings(
                pooling=settings.pooling,
                max_instances=settings.max_instances + settings.reuse.most_idle * _served(plan),
                debug_info=settings.debug_info,
                fuel=settings.count_instructions,
            )
        )
        network = network or NetworkRules()
        self._sender = OutboundSender(network)
        observers = tuple(observers)
        try:
            self.application: Application = load_application(
                plan,
                engine=self._engine,
                cache_dir=settings.cache_dir,
                stores=stores or {},
                databases=databases or {},
                variables=variables,
                network=network,
                llm=llm,
                logs=logs or Logs(None),
                limits=InstanceLimits(
                    memory_bytes=settings.max_instance_memory, deadline_s=settings.request_timeout_s
                ),
                sender=self._sender,
                interfaces=(
                    HostInterfaces(wasi_otel=settings.wasi_otel)
                    if interfaces is None
                    else interfaces
                ),
                adapt=adapt,
                reuses=settings.reuse.most_served > 1,
                observer=combine(each for each in observers if each.sees_components),
            )
        except BaseException:
            if self._own_engine:
                self._engine.close()
            raise
        self._resources = contextlib.ExitStack()
        self._pool = WorkerPool(
            max_running=settings.max_instances,
            max_queued=settings.max_queued,
            parallel=settings.parallel,
        )
        self._runner = Runner(
            self._pool,
            executors_of(
                self._pool,
                settings.reuse,
                settings.concurrency,
                {component.handler_type for component in self.application.served.values()},
                least_deadline_s=settings.least_request_timeout_s,
            ),
        )
        self._sender.connect(self.application.components, self._runner)
        self._service = Service(self.application.gateway, self._runner, combine(observers))
        for component in self.application.served.values():
            self._runner.prepare(component)
        self._dispatcher = Dispatcher(
            self.application.triggers,
            InstanceReceivers(self.application.served, self._runner),
            settings.reconnect,
            application=plan.name,
            observer=combine(observers),
        )

    @classmethod
    def from_manifest(cls, path: str | Path, **options: Unpack[RunOptions]) -> "Host":
        """Load the application of a ``spin.toml``, a folder with one, or a component file.

        Args:
            path: The manifest, folder, ``.wasm`` or ``.wat``.
            options: How to run it; see ``RunOptions``.

        Raises:
            ManifestError: The manifest cannot be used.
            HostError: The application cannot be run as it stands.
        """
        return cls._start(find_manifest, path, options)

    @classmethod
    def from_lock(cls, path: str | Path, **options: Unpack[RunOptions]) -> "Host":
        """Load the application of a ``spin.lock``, ours or Spin's.

        It keeps its state with the manifest that it was made from, or beside the lock where
        that is not on this disk.

        Args:
            path: The lock.
            options: How to run it; see ``RunOptions``. ``profile`` and ``direct_mounts``
                change nothing any more.

        Raises:
            ManifestError: The lock cannot be used.
            HostError: The application cannot be run as it stands.
        """
        return cls._start(find_lock, path, options)

    @classmethod
    def from_component(cls, path: str | Path, **options: Unpack[RunOptions]) -> "Host":
        """Load a component file: every request is sent to it, nothing is granted (MAN-90).

        Args:
            path: The ``.wasm`` or ``.wat``.
            options: How to run it; see ``RunOptions``.

        Raises:
            HostError: It cannot be run as it stands.
        """
        if not is_component(path):
            raise ApplicationError(
                f"{path} is not a component file; its name ends in .wasm or .wat"
            )
        return cls._start(find_manifest, path, options)

    @classmethod
    def from_registry(
        cls,
        reference: str,
        *,
        insecure: bool = False,
        verify: str | Path | bytes | Iterable[str | Path | bytes] | None = None,
        **options: Unpack[RunOptions],
    ) -> "Host":
        """Load an application that ``spin registry push`` wrote, or a component alone.

        What a tag stands for is asked at each call; content is downloaded once.
        ``image_digest`` says what runs.

        Args:
            reference: The image: ``ghcr.io/acme/shop:1.0``, or with ``@sha256:...``.
            insecure: Ask the registry without TLS.
            verify: Public keys of cosign (ECDSA on P-256, PEM), by the paths of their files or
                by their content. One of them must have signed the image, which is checked
                before anything of it is used. ``None`` checks no signature (OCI-52).
            options: How to run it; see ``RunOptions``. It keeps no state unless a folder
                is named. ``profile`` and ``direct_mounts`` change nothing.

        Raises:
            HostError: It cannot be had, or cannot be run as it stands; a ``SignatureError``
                where no key signed it.
        """
        find = functools.partial(find_image, insecure=insecure, verify=verify)
        return cls._start(find, reference, options)

    @classmethod
    def _start(
        cls,
        find: Callable[[Any, Path, RunOptions], FoundApplication],
        source: str | Path,
        options: RunOptions,
    ) -> "Host":
        with contextlib.ExitStack() as owned:
            work_dir = open_work_dir(owned, options)
            found = find(source, work_dir, options)
            ready = prepare(found, work_dir, owned, options)
            try:
                host = cls(
                    ready.plan,
                    settings=ready.settings,
                    engine=options.get("engine"),
                    stores=ready.stores.backends,
                    databases=ready.databases.by_label,
                    network=ready.network,
                    llm=ready.llm,
                    variables=ready.variables,
                    logs=ready.logs,
                    observers=options.get("observers", ()),
                )
            except InvalidRoutesError as error:
                raise ApplicationError(*in_file(found.file, error.problems)) from error
            host.notices = ready.notices
            host._resources = owned.pop_all()
        return host

    @property
    def origin(self) -> str | None:
        """URL under which the application reaches itself (CHAIN-1); a server sets it."""
        return self._sender.origin

    @origin.setter
    def origin(self, url: str | None) -> None:
        self._sender.origin = url

    @property
    def image_digest(self) -> str | None:
        """Digest of the image that the application is from; ``None`` for one from files."""
        return self.application.plan.digest or None

    @property
    def running(self) -> int:
        """Instances that serve a request at this moment."""
        return self._runner.running

    @property
    def computing(self) -> int:
        """Worker threads that are busy at this moment."""
        return self._pool.computing

    @property
    def idle(self) -> bool:
        """Whether no request waits for an instance or has one at this moment."""
        return self._runner.idle

    @property
    def waiting(self) -> int:
        """Instances that wait for a request at this moment."""
        return self._runner.waiting

    @property
    def routes(self) -> tuple[PublicRoute, ...]:
        """Public routes in the order in which they are tried."""
        return self.application.routes

    @property
    def takes_requests(self) -> bool:
        """Whether the application has HTTP triggers, so that a server has something to serve."""
        return any(kind == HTTP for kind in self.triggers)

    @property
    def triggers(self) -> tuple[str, ...]:
        """The kinds of its triggers."""
        return tuple(trigger.kind for trigger in self.application.triggers)

    @property
    def listens(self) -> bool:
        """Whether ``run_triggers`` has something to do."""
        return any(trigger.listeners for trigger in self.application.triggers)

    async def run_triggers(self, say: Callable[[str], None] = _no_line) -> bool:
        """Listen for events of every trigger but HTTP, until cancelled.

        A server that is gone is looked for as long as ``HostSettings.reconnect`` says. A trigger
        that fails is logged and ends no other. Events under way go on when this is cancelled;
        ``drain_events`` waits for them.

        Args:
            say: Told where they listen, line by line.

        Returns:
            Whether the application has done what it was started for, as one with a command has.

        Raises:
            ApplicationFailedError: It has failed to.
            TriggerFailedError: None is left, and one of them failed.
        """
        return await self._dispatcher.run(say)

    async def drain_events(self, timeout_s: float, hurried: asyncio.Event | None = None) -> None:
        """Wait for the events under way. What has not ended by then is logged; ``close`` ends it.

        Args:
            timeout_s: For how long.
            hurried: Set when there is no more time.
        """
        await self._dispatcher.drain(timeout_s, hurried)

    async def trigger(
        self, event: object, watch: InstanceWatch | None = None
    ) -> tuple[EventOutcome, ...]:
        """Have the components that an event is meant for take it, as if it had come.

        Args:
            event: A ``RedisMessage``, ``MqttMessage`` or ``CronEvent``, or what a kind of your own
                takes.
            watch: Told when the instance that takes it starts and ends.

        Returns:
            How each of them took it; empty where no trigger listens to that.

        Raises:
            ValueError: No kind of trigger of the application takes such an event.
        """
        for trigger in self.application.triggers:
            if trigger.deliveries(event) is not None:
                return tuple(await self._dispatcher.deliver(trigger, event, watch))
        raise ValueError(
            f"no trigger of the application takes a {type(event).__name__}; it has "
            f"{', '.join(self.triggers)}"
        )

    def asgi(self) -> AsgiApplication:
        """A program for an ASGI server; closing the host stays the caller's business."""
        return AsgiApplication(self)

    async def handle(
        self, request: HttpRequest, watch: InstanceWatch | None = None, *, observed: bool = True
    ) -> HttpResponse:
        """Answer one request.

        A request without a ``Host`` header gets ``localhost``. The response is returned
        when its head is known; its body streams while it is read.

        Args:
            request: What is asked.
            watch: Told when the instance that answers starts and ends.
            observed: Whether observers are told of the request, the access log among them.
        """
        path, mark, query = request.target.partition("?")
        headers = request.headers
        if not any(name.lower() == b"host" for name, _ in headers):
            headers = [(b"host", b"localhost"), *headers]
        head = RequestHead(
            request.method, path, query if mark else None, headers, request.scheme, request.client
        )
        return await answer(
            self._service, head, request.body, request.trailers, watch, observed=observed
        )

    def begin(
        self,
        head: RequestHead,
        body: ByteChannel | None,
        writer: ResponseWriter,
        *,
        done: Callable[[], None] = _nothing,
    ) -> Responder | None:
        """Begin to answer a request that a server read. Called in its loop.

        Args:
            head: What is asked.
            body: Where its bytes come in; ``None`` for none.
            writer: Where the response goes.
            done: Called in the loop when nobody works on the response any more.

        Returns:
            What tells of the client; ``None`` when the response is out already.
        """
        return self._service.begin(head, body, writer, done=done)

    def close(self) -> None:
        """Stop every guest and free what the host holds. Twice is harmless.

        A guest that waits is stopped at once; one that computes gets two seconds.
        """
        self._runner.cancel("the host was closed")
        self._sender.close()
        self._runner.close()
        self._pool.close(CLOSE_TIMEOUT_S)
        self.application.close()
        self._resources.close()
        if self._own_engine:
            self._engine.close()
        if self._service.observer is not None:
            self._service.observer.host_closed()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
