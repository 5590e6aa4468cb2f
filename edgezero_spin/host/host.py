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
import os
import sys
from collections.abc import AsyncIterable, Mapping
from pathlib import Path
from typing import Self
from weakref import WeakKeyDictionary

import attrs
from attrs.validators import ge, gt, optional

from edgezero_spin.host.application import Application, ApplicationPlan, Route, load_application
from edgezero_spin.host.channel import ByteChannel
from edgezero_spin.host.engine import Engine, EngineSettings, InstanceLimits, make_engine
from edgezero_spin.host.exchange import Exchange
from edgezero_spin.host.instance import VariableSource
from edgezero_spin.host.logs import Logs
from edgezero_spin.host.messages import HttpRequest, HttpResponse
from edgezero_spin.host.trigger.asgi import AsgiApplication, answer_for, is_bodiless, wire_head
from edgezero_spin.host.trigger.delivery import Delivery, Linger, Upload
from edgezero_spin.host.trigger.gateway import Answer, RequestHead
from edgezero_spin.host.trigger.http import InstanceRunner
from edgezero_spin.host.workers import Overloaded, WorkerPool
from edgezero_spin.stores.backend import KeyValueBackend

__all__ = ["Host", "HostSettings", "default_cache_dir"]

CLOSE_TIMEOUT_S = 5.0


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
    """

    def __init__(
        self,
        plan: ApplicationPlan,
        *,
        settings: HostSettings | None = None,
        engine: Engine | None = None,
        stores: Mapping[str, KeyValueBackend] | None = None,
        variables: VariableSource | None = None,
        logs: Logs | None = None,
    ) -> None:
        """Load an application.

        Args:
            plan: What to run.
            settings: What it may use of this machine.
            engine: Shared with other hosts of the process; ``None`` makes one of its own.
            stores: Key-value stores by label.
            variables: Values of the components' variables.
            logs: Where components write; ``None`` echoes all to this process's stderr.

        Raises:
            HostError: The application cannot be run as it stands.
        """
        settings = settings or HostSettings()
        self.settings = settings
        self._own_engine = engine is None
        self._engine = engine or make_engine(
            EngineSettings(pooling=settings.pooling, max_instances=settings.max_instances)
        )
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
            )
        except BaseException:
            if self._own_engine:
                self._engine.close()
            raise
        self._pool = WorkerPool(
            max_running=settings.max_instances,
            max_queued=settings.max_queued,
            parallel=settings.parallel,
        )
        self._runner = InstanceRunner(self._pool)
        self._lingers: WeakKeyDictionary[asyncio.AbstractEventLoop, Linger] = WeakKeyDictionary()
        self._asgi = AsgiApplication(self.application.gateway, self._runner, self._linger)

    @property
    def routes(self) -> tuple[Route, ...]:
        """Public routes in the order in which they are tried."""
        return self.application.routes

    def asgi(self) -> AsgiApplication:
        """A program for an ASGI server; closing the host stays the caller's business."""
        return self._asgi

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer one request.

        A request without a ``Host`` header gets ``localhost``. The response is returned
        when its head is known; its body streams while it is read.
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
            self._runner.start(admitted.component, exchange)
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

        A guest that waits is stopped at once; one that computes gets a few seconds.
        """
        self._runner.cancel_all("the host was closed")
        self._pool.close(CLOSE_TIMEOUT_S)
        if self._own_engine:
            self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


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
