"""The embedded host: one application in this process, ready for requests.

```python
with Host.from_manifest("spin.toml") as host:
    response = await host.handle(HttpRequest("GET", "/hello"))
    print(response.status, await response.text())
```

``handle`` takes one request from Python, ``asgi()`` gives a program for any ASGI server,
and ``trigger.server.serve`` listens on a socket. All may be used at once, from any number
of event loops. Guests run on threads of the host's own.
"""

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from pathlib import Path
from typing import BinaryIO, Self
from weakref import WeakKeyDictionary

import attrs
from attrs.validators import ge, gt, optional

from edgezero_spin.host.application import Application, Route, load_application
from edgezero_spin.host.capabilities.key_value_stores import KeyValueStores
from edgezero_spin.host.capabilities.sqlite_databases import Database, Databases
from edgezero_spin.host.channel import ByteChannel
from edgezero_spin.host.connection_slots import ConnectionSlots, connection_limit
from edgezero_spin.host.engine import Engine, EngineSettings, InstanceLimits, make_engine
from edgezero_spin.host.exchange import Exchange
from edgezero_spin.host.instance import Grants
from edgezero_spin.host.interface import Interface
from edgezero_spin.host.logs import Logs
from edgezero_spin.host.messages import HttpRequest, HttpResponse
from edgezero_spin.host.outbound import OutboundSender
from edgezero_spin.host.plan import ApplicationError, ApplicationPlan, plan_of
from edgezero_spin.host.runtime_config import (
    RuntimeSettings,
    resolve_runtime,
    variable_providers,
)
from edgezero_spin.host.sqlite_config import configured_databases
from edgezero_spin.host.trigger.asgi import AsgiApplication, answer_for, is_bodiless, wire_head
from edgezero_spin.host.trigger.delivery import Delivery, Linger, Upload
from edgezero_spin.host.trigger.gateway import Answer, RequestHead
from edgezero_spin.host.trigger.http import InstanceRunner, InstanceWatch
from edgezero_spin.host.variables import VariableResolver, read_variable_options
from edgezero_spin.host.workers import Overloaded, WorkerPool
from edgezero_spin.manifest.runtime_config import load_runtime_config
from edgezero_spin.manifest.spin import load_spin_manifest, lock_application
from edgezero_spin.stores.backend import KeyValueBackend

__all__ = ["Host", "HostSettings", "default_cache_dir"]

CLOSE_TIMEOUT_S = 2.0


@attrs.frozen(kw_only=True)
class HostSettings:
    """What an application may use of this machine.

    Attributes:
        max_instances: Instances alive at once. At least 1.
        max_queued: Requests that wait for an instance before others get a 503.
        parallel: Instances that compute at once; ``None`` for one per processor.
        request_timeout_s: Seconds that an instance may take; ``None`` for no limit (LIFE-7).
        max_instance_memory: Bytes of linear memory of one instance; ``None`` for what the
            engine allows (LIFE-9).
        cache_dir: Where compiled components are kept; ``None`` compiles at every start.
        pooling: Reserve address space for instances in advance (ENG-1).
    """

    max_instances: int = attrs.field(default=64, validator=ge(1))
    max_queued: int = attrs.field(default=1024, validator=ge(0))
    parallel: int | None = attrs.field(default=None, validator=optional(ge(1)))
    request_timeout_s: float | None = attrs.field(default=None, validator=optional(gt(0)))
    max_instance_memory: int | None = attrs.field(default=None, validator=optional(gt(0)))
    cache_dir: Path | None = attrs.field(factory=lambda: default_cache_dir())
    pooling: bool = True


def default_cache_dir() -> Path:
    """Where compiled components are kept unless the settings say otherwise."""
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "edgezero-spin" / "components"


class Host:
    """One running application. ``close`` it, or use it in ``with``.

    Attributes:
        application: What was loaded.
        settings: What it may use.
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
        redis_slots: ConnectionSlots | None = None,
        variables: VariableResolver | None = None,
        logs: Logs | None = None,
        interfaces: Mapping[str, Interface] | None = None,
        adapt: Callable[[Grants], Grants] | None = None,
    ) -> None:
        """Load an application.

        Args:
            plan: What to run.
            settings: What it may use of this machine.
            engine: Shared with other hosts of the process; ``None`` makes one of its own.
            stores: Key-value stores by label.
            databases: SQLite databases by label.
            redis_slots: Limits connections of components to Redis servers.
            variables: Values of the components' variables.
            logs: Where components write; ``None`` echoes all to this process's stderr.
            interfaces: What components can import, by name; ``None`` for all that this
                host has. A test or an embedding program may wrap or replace some.
            adapt: Has the last word on what each component is granted.

        Raises:
            HostError: The application cannot be run as it stands.
        """
        settings = settings or HostSettings()
        self.settings = settings
        self.notices: tuple[str, ...] = ()
        self._own_engine = engine is None
        self._engine = engine or make_engine(
            EngineSettings(pooling=settings.pooling, max_instances=settings.max_instances)
        )
        self._sender = OutboundSender()
        try:
            self.application: Application = load_application(
                plan,
                engine=self._engine,
                cache_dir=settings.cache_dir,
                stores=stores or {},
                variables=variables,
                logs=logs or Logs(None),
                limits=InstanceLimits(
                    memory_bytes=settings.max_instance_memory,
                    deadline_s=settings.request_timeout_s,
                ),
                sender=self._sender,
                interfaces=interfaces,
                adapt=adapt,
                databases=databases,
                redis_slots=redis_slots,
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
        self._runner = InstanceRunner(self._pool)
        self._sender.connect(self.application.components, self._runner)
        self._lingers: WeakKeyDictionary[asyncio.AbstractEventLoop, Linger] = WeakKeyDictionary()
        self._asgi = AsgiApplication(self.application.gateway, self._runner, self._linger)

    @classmethod
    def from_manifest(
        cls,
        path: str | Path,
        *,
        state_dir: str | Path | None = None,
        log_dir: str | Path | None = None,
        runtime_config: str | Path | None = None,
        variables: Iterable[str] = (),
        env: Mapping[str, str] | None = None,
        key_values: Mapping[str, str | bytes] | None = None,
        sqlite: Iterable[str] = (),
        follow: Iterable[str] | None = None,
        truncate_logs: bool = False,
        echo_to: BinaryIO | None = None,
        settings: HostSettings | None = None,
        engine: Engine | None = None,
    ) -> "Host":
        """Load the application of a ``spin.toml``, a folder with one, or a component file.

        Args:
            path: The manifest, folder, ``.wasm`` or ``.wat``.
            state_dir: Where data is kept. ``None`` means ``.spin`` beside the manifest, or
                nowhere for a component file; an empty text means in memory (STATE-1).
            log_dir: Where components' output goes. ``None`` means ``logs`` in the state
                directory; an empty text means to this process's stderr only (STATE-3).
            runtime_config: The ``runtime-config.toml``; ``None`` for none.
            variables: As ``--variable`` takes them: ``name=value``, ``name=@file`` (VAR-20).
            env: Environment variables for every component (ENV-1).
            key_values: Entries written to the store ``default`` first (KV-45).
            sqlite: Run first, as ``--sqlite`` takes them: a statement for the database
                ``default``, ``@file`` or ``@file:label`` (DB-2).
            follow: Components whose output is echoed; ``None`` for all, ``()`` for none.
            truncate_logs: Empty the logs of earlier runs.
            echo_to: Where output is echoed; ``None`` means this process's stderr.
            settings: What the application may use of this machine.
            engine: Shared with other hosts of the process.

        Raises:
            ManifestError: The manifest cannot be used.
            HostError: The application cannot be run as it stands.
        """
        manifest = load_spin_manifest(path)
        bare = manifest.path.suffix in (".wasm", ".wat")
        config = None if runtime_config is None else load_runtime_config(runtime_config)
        runtime = resolve_runtime(
            config,
            app_dir=None if bare else manifest.base_dir,
            state_dir=None if state_dir is None else str(state_dir),
            log_dir=None if log_dir is None else str(log_dir),
        )
        settings = _with_memory_limit(settings or HostSettings(), runtime)
        with contextlib.ExitStack() as owned:
            assets = Path(owned.enter_context(tempfile.TemporaryDirectory(prefix="edgezero-")))
            app = lock_application(manifest, assets_dir=assets)
            plan = plan_of(app, environment=env)
            resolver = VariableResolver.for_app(
                app, variable_providers(config, read_variable_options(variables))
            )
            resolver.check_required()
            logs = _logs(plan, runtime.log_dir, follow, echo_to, truncate_logs)
            stores = KeyValueStores(
                {part.id: part.key_value_stores for part in plan.components},
                {label: store.place for label, store in runtime.key_value.items()},
                {key: _raw(value) for key, value in (key_values or {}).items()},
            )
            owned.callback(stores.close)
            databases = Databases(
                {part.id: part.sqlite_databases for part in plan.components},
                configured_databases(config, runtime.state_dir),
            )
            databases.run(sqlite)
            host = cls(
                plan,
                settings=settings,
                engine=engine,
                stores=stores.backends,
                databases=databases.by_label,
                redis_slots=ConnectionSlots(connection_limit(config, "outbound_redis")),
                variables=resolver,
                logs=logs,
            )
            host.notices = _notices(runtime, stores, databases)
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
    def running(self) -> int:
        """Instances alive at this moment."""
        return self._runner.running

    @property
    def routes(self) -> tuple[Route, ...]:
        """Public routes in the order in which they are tried."""
        return self.application.routes

    def asgi(self) -> AsgiApplication:
        """A program for an ASGI server; closing the host stays the caller's business."""
        return self._asgi

    async def handle(
        self, request: HttpRequest, watch: InstanceWatch | None = None
    ) -> HttpResponse:
        """Answer one request.

        A request without a ``Host`` header gets ``localhost``. The response is returned
        when its head is known; its body streams while it is read.

        Args:
            request: What is asked.
            watch: Told when the instance that answers starts and ends.
        """
        path, mark, query = request.target.partition("?")
        headers = request.headers
        if not any(name.lower() == b"host" for name, _ in headers):
            headers = [(b"host", b"localhost"), *headers]
        admitted = self.application.gateway.admit(
            RequestHead(
                request.method,
                path,
                query if mark else None,
                headers,
                request.scheme,
                request.client,
            )
        )
        if isinstance(admitted, Answer):
            return _complete(admitted, request.method)
        exchange = admitted.exchange
        upload = _attach_body(exchange, request.body)
        delivery = Delivery(exchange, self._linger())
        try:
            self._runner.start(admitted.component, exchange, watch)
        except Overloaded:
            return _complete(Answer(503), request.method)
        pump = None
        if upload is not None and not isinstance(request.body, bytes):
            pump = asyncio.create_task(_pump(request.body, upload))
        try:
            return await _respond(delivery, pump)
        except BaseException:
            exchange.abandon()
            if pump is not None:
                pump.cancel()
            raise

    def _linger(self) -> Linger:
        loop = asyncio.get_running_loop()
        linger = self._lingers.get(loop)
        if linger is None:
            linger = self._lingers[loop] = Linger(self._pool.relieve)
        return linger

    def close(self) -> None:
        """Stop every guest and free what the host holds. Twice is harmless.

        A guest that waits is stopped at once; one that computes gets two seconds.
        """
        self._runner.cancel_all("the host was closed")
        self._sender.close()
        self._pool.close(CLOSE_TIMEOUT_S)
        self._resources.close()
        if self._own_engine:
            self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _with_memory_limit(settings: HostSettings, runtime: RuntimeSettings) -> HostSettings:
    """The settings, the runtime configuration's memory limit filled in (LIFE-9)."""
    if settings.max_instance_memory is not None:
        return settings
    return attrs.evolve(settings, max_instance_memory=runtime.max_instance_memory)


def _raw(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _logs(
    plan: ApplicationPlan,
    directory: Path | None,
    follow: Iterable[str] | None,
    echo_to: BinaryIO | None,
    truncate: bool,
) -> Logs:
    followed = None if follow is None else tuple(follow)
    known = [part.id for part in plan.components]
    unknown = [id for id in followed or () if id not in known]
    if unknown:
        raise ApplicationError(
            f"unknown component ids to follow: {', '.join(unknown)} (the application has "
            f"{', '.join(known)})"
        )
    return Logs(directory, follow=followed, echo_to=echo_to, truncate=truncate)


def _notices(
    runtime: RuntimeSettings, stores: KeyValueStores, databases: Databases
) -> tuple[str, ...]:
    notices = list(runtime.warnings)
    if runtime.log_dir is not None:
        notices.append(f'Logging component stdio to "{runtime.log_dir}/"')
    if stores.default_file is not None:
        notices.append(f'Storing default key-value data to "{stores.default_file}".')
    if databases.default_file is not None:
        notices.append(f'Storing default SQLite data to "{databases.default_file}".')
    if runtime.summary:
        notices.append(runtime.summary)
    return tuple(notices)


def _attach_body(exchange: Exchange, body: bytes | AsyncIterable[bytes]) -> Upload | None:
    if isinstance(body, bytes):
        if body:
            channel = ByteChannel()
            channel.put(body)
            channel.end()
            exchange.body = channel
        return None
    upload = Upload()
    exchange.body = upload.channel
    return upload


async def _pump(pieces: AsyncIterable[bytes], upload: Upload) -> None:
    try:
        async for piece in pieces:
            await upload.put(piece)
        upload.channel.end()
    finally:
        # Without effect after a clean end.
        upload.channel.fail(("connection-terminated", None))


def _complete(answer: Answer, method: str) -> HttpResponse:
    headers = [*answer.headers, ("content-length", str(len(answer.body)).encode())]
    body = b"" if method == "HEAD" else answer.body
    return HttpResponse.complete(answer.status, headers, body)


class _Reader:
    """Reads a response body out of a delivery."""

    def __init__(
        self, delivery: Delivery, body: ByteChannel, pump: "asyncio.Task[None] | None"
    ) -> None:
        self._delivery = delivery
        self._body = body
        self._pump = pump
        self._more = True

    async def next_piece(self) -> bytes | None:
        if not self._more:
            return None
        data, self._more = await self._delivery.piece(self._body)
        return data

    def trailers(self) -> list[tuple[str, bytes]] | None:
        return self._body.trailers

    def leave(self) -> None:
        if self._more:
            self._delivery.exchange.abandon()
        if self._pump is not None:
            self._pump.cancel()


async def _respond(delivery: Delivery, pump: "asyncio.Task[None] | None") -> HttpResponse:
    exchange = delivery.exchange
    head = await delivery.head()
    wire = None if head is None else wire_head(head, exchange.method)
    if head is None or wire is None:
        if pump is not None:
            pump.cancel()
        exchange.abandon()
        return _complete(answer_for(exchange), exchange.method)
    status, headers = wire
    body = head.body
    if body is None or is_bodiless(exchange.method, status):
        if body is not None:
            body.close()
        if pump is not None:
            pump.cancel()
        return HttpResponse.complete(status, headers, b"")
    return HttpResponse(status, headers, _Reader(delivery, body, pump))
