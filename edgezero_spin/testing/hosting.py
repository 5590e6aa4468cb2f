"""Applications on the embedded host, loaded once and given to one test after the other.

The only module of the kit that needs an engine; ``ComponentClient`` imports it when the
first client is made. Everything that belongs to a test (stores, variables, environment,
output, clock) is found through ``Context``, which the guest's thread carries while it
answers; so loading a component happens once and a test costs an instance.
"""

import asyncio
import atexit
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import attrs

from edgezero_spin.core.headers import Headers
from edgezero_spin.host.capabilities import host_interfaces
from edgezero_spin.host.capabilities.outbound_http import Destination
from edgezero_spin.host.capabilities.wasi_clocks import datetime_of
from edgezero_spin.host.capabilities.wasi_http import (
    FutureIncomingResponse,
    IncomingResponse,
    OutgoingRequest,
    RequestOptions,
    method_text,
)
from edgezero_spin.host.channel import ByteChannel
from edgezero_spin.host.engine import Engine, EngineSettings, make_engine
from edgezero_spin.host.errors import DeadlineExceeded
from edgezero_spin.host.exchange import Exchange as HostExchange
from edgezero_spin.host.host import Host, HostSettings
from edgezero_spin.host.instance import Grants, InstanceState
from edgezero_spin.host.interface import Interface, WitError
from edgezero_spin.host.logs import ComponentLog, Logs, Sink
from edgezero_spin.host.messages import HttpRequest, HttpResponse, ResponseAborted
from edgezero_spin.host.outbound import CHAIN_DOMAIN, OutboundSender
from edgezero_spin.host.plan import ApplicationPlan, plan_of
from edgezero_spin.host.running import Instance
from edgezero_spin.host.trigger.http import GuestComponent, InstanceRunner, InstanceWatch
from edgezero_spin.host.variables import VariableError, VariableResolver
from edgezero_spin.host.variables.resolver import name_fault
from edgezero_spin.manifest.spin import load_spin_manifest, lock_application
from edgezero_spin.manifest.spin.locked_app import LockedApp
from edgezero_spin.stores.backend import BackendError, KeyValueBackend
from edgezero_spin.stores.memory import MemoryKeyValue
from edgezero_spin.testing.errors import BrokenBodyError, NoAnswerError
from edgezero_spin.testing.memory_map import guest_memory_bytes
from edgezero_spin.testing.outbound import HttpScript, OutboundRequest
from edgezero_spin.testing.requests import KitRequest
from edgezero_spin.testing.response import Usage
from edgezero_spin.testing.store_control import ACCESS_DENIED, StoreControl
from edgezero_spin.testing.store_log import StoreCall

__all__ = ["Context", "Exchange", "HostBody", "Runtime", "Surface", "runtime_of"]

MAX_INSTANCES = 8
ENDING_S = 2.0
"""Seconds that an instance may go on after its answer was read."""


class Surface(Protocol):
    """What of a client belongs to a test."""

    stores: StoreControl
    env: dict[str, str]
    http: HttpScript
    granted: Mapping[str, tuple[str, ...]] | None
    now_ns: int | None

    def variable(self, component_id: str, name: str) -> str | None:
        """The value that the test set for a component's variable, if it did."""

    @property
    def resolver(self) -> VariableResolver:
        """The variables of the manifest, with the values that the test set."""

    def random_bytes(self, length: int) -> bytes:
        """Random bytes, the same in every run when the test asked for that."""

    def wrote(self, stream: str, data: bytes) -> None:
        """Keep what a component wrote."""


@attrs.define
class Context:
    """What the guest's thread carries.

    Attributes:
        surface: The client that asked.
        host_calls: Calls to the host so far.
        chained_fuel: Instructions of the components that it called.
    """

    surface: Surface
    host_calls: int = 0
    chained_fuel: int = 0


class _Local(threading.local):
    context: Context | None = None


_local = _Local()


def _surface() -> Surface:
    context = _local.context
    if context is None:
        raise RuntimeError("a host function of the testing kit was called outside of a request")
    return context.surface


# What stands in place of the host's own ----------------------------------------------


class _Labels(Mapping[str, KeyValueBackend]):
    """The stores of whoever asks."""

    def __init__(self, component_id: str) -> None:
        self._component_id = component_id

    def get(self, label: str, default: Any = None) -> Any:
        """Open a store; ``None`` for one that is not granted."""
        surface = _surface()
        granted = None if surface.granted is None else surface.granted[self._component_id]
        try:
            return surface.stores.open(label, granted)
        except BackendError as error:
            if error.message == ACCESS_DENIED:
                return default
            raise WitError(("other", error.message)) from error

    def __getitem__(self, label: str) -> KeyValueBackend:
        found: KeyValueBackend | None = self.get(label)
        if found is None:
            raise KeyError(label)
        return found

    def __contains__(self, label: object) -> bool:
        return isinstance(label, str) and self.get(label) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(_surface().stores.kv)

    def __len__(self) -> int:
        return len(_surface().stores.kv)


class _Variables(VariableResolver):
    """The variables of whoever asks."""

    def __init__(self) -> None:
        super().__init__({}, {})

    def get(self, component_id: str, name: str) -> str:
        surface = _surface()
        undefined: list[VariableError] = []
        failed: list[VariableError] = []

        def look_up() -> str:
            try:
                fault = name_fault(name)
                value = None if fault else surface.variable(component_id, name)
                return surface.resolver.get(component_id, name) if value is None else value
            except VariableError as error:
                if error.case == "undefined":
                    # Not a failure: a program may ask for what is not there.
                    undefined.append(error)
                    return ""
                failed.append(error)
                raise BackendError(error.message) from error

        try:
            value = surface.stores.run(StoreCall("secret", "", name), look_up)
        except BackendError as error:
            raise (failed[0] if failed else VariableError("other", error.message)) from error
        if undefined:
            raise undefined[0]
        return value

    def render(self, text: str) -> str:
        return _surface().resolver.render(text)


class _KitSink(Sink):
    """One stream of one instance: kept by the client, and shown where pytest captures."""

    __slots__ = ("_stream",)

    def __init__(self, stream: str) -> None:
        super().__init__(None, None)
        self._stream = stream

    def write(self, data: bytes) -> None:
        data = bytes(data)
        _surface().wrote(self._stream, data)
        target = sys.stdout if self._stream == "stdout" else sys.stderr
        if target is not None:
            target.write(data.decode("utf-8", "replace"))


class _KitLog(ComponentLog):
    __slots__ = ()

    def open(self, stream: str) -> Sink:
        return _KitSink(stream)


class _ChainRunner(InstanceRunner):
    """Runs a component that another one calls, for the same test as its caller."""

    def __init__(self, runner: InstanceRunner) -> None:
        self._inner = runner

    def start(
        self,
        component: GuestComponent,
        exchange: HostExchange,
        watch: InstanceWatch | None = None,
        *,
        nested: bool = False,
    ) -> None:
        caller = _local.context
        chained = watch if caller is None else _ChainWatch(caller)
        self._inner.start(component, exchange, chained, nested=nested)


class _ChainWatch:
    """Gives a called instance its caller's surface, and its caller the bill."""

    def __init__(self, caller: Context) -> None:
        self._caller = caller
        self._own = Context(caller.surface)

    def started(self, state: InstanceState) -> None:
        _local.context = self._own

    def ended(self, instance: Instance | None, error: BaseException | None) -> None:
        self._caller.host_calls += self._own.host_calls
        self._caller.chained_fuel += self._own.chained_fuel
        if instance is not None:
            self._caller.chained_fuel += instance.fuel_used or 0
        _local.context = None


class _Sender:
    """Answers outbound requests from the script of whoever asks.

    Calls between components of the application are no requests to the outside.
    """

    def __init__(self) -> None:
        self.chain = OutboundSender()

    def send(
        self,
        destination: Destination,
        request: OutgoingRequest,
        options: RequestOptions | None,
        future: FutureIncomingResponse,
    ) -> None:
        if destination.host.endswith(f".{CHAIN_DOMAIN}"):
            self.chain.send(destination, request, options, future)
            return
        script = _surface().http
        url = f"{destination.scheme}://{destination.authority or 'self'}{request.path or '/'}"
        method = method_text(request.method)
        headers = Headers.received(request.headers.entries)

        def answer(content: bytes) -> None:
            found = script.answer(OutboundRequest(method, url, headers, content))
            if found.error is not None:
                code = found.code
                future.reject((code, None if code == found.error else found.error))
                return
            channel = ByteChannel()
            channel.put(found.content)
            channel.end()
            future.resolve(IncomingResponse(found.status, list(found.headers.pairs), channel))

        if request.body is None:
            answer(b"")
        else:
            _collect(request.body.channel, answer)


def _collect(channel: ByteChannel, then: Callable[[bytes], None]) -> None:
    """Read a body that the guest is about to write, and go on when it has ended."""
    parts: list[bytes] = []
    done = False

    def more() -> None:
        nonlocal done
        if done:
            return
        while piece := channel.take_all():
            parts.append(piece)
        if channel.ended:
            done = True
            then(b"".join(parts))

    channel.on_data = more
    more()


def _interfaces() -> dict[str, Interface]:
    """The host's interfaces: every call counted, and those that a test can fix replaced."""
    tables = host_interfaces()
    replaced: dict[str, dict[str, Callable[..., Any]]] = {
        "wasi:cli/environment": {"get-environment": _environment},
        "wasi:clocks/wall-clock": {"now": _now},
        "wasi:random/random": {"get-random-bytes": _random, "get-random-u64": _random_u64},
        "wasi:random/insecure": {
            "get-insecure-random-bytes": _random,
            "get-insecure-random-u64": _random_u64,
        },
        "wasi:random/insecure-seed": {
            "insecure-seed": lambda state: (_random_u64(state), _random_u64(state))
        },
    }
    return {
        name: attrs.evolve(
            table,
            functions={
                item: _counted(function)
                for item, function in {**table.functions, **replaced.get(name, {})}.items()
            },
        )
        for name, table in tables.items()
    }


def _counted(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(state: InstanceState, *arguments: Any) -> Any:
        context = _local.context
        if context is not None:
            context.host_calls += 1
        return function(state, *arguments)

    return call


def _environment(state: InstanceState) -> list[tuple[str, str]]:
    return list({**dict(state.grants.environment), **_surface().env}.items())


def _now(state: InstanceState) -> dict[str, Any]:
    now = _surface().now_ns
    return datetime_of(time.time_ns() if now is None else now)


def _random(state: InstanceState, length: int) -> bytes:
    return _surface().random_bytes(length)


def _random_u64(state: InstanceState) -> int:
    return int.from_bytes(_surface().random_bytes(8), "little")


# One application ----------------------------------------------------------------------


class Runtime:
    """An application that is loaded for tests.

    Attributes:
        app: What the manifest says.
        host: What runs it.
        measures_memory: Whether instances tell how much memory they took.
    """

    def __init__(self, path: Path, *, deadline_s: float | None, measures_memory: bool) -> None:
        """Compile and link.

        Raises:
            ManifestError: The manifest cannot be used.
            HostError: The application cannot be run as it stands.
        """
        self.measures_memory = measures_memory
        manifest = load_spin_manifest(path)
        self._assets = Path(tempfile.mkdtemp(prefix="edgezero-testing-"))
        try:
            self.app: LockedApp = lock_application(manifest, assets_dir=self._assets)
            plan = plan_of(self.app)
            sender = _Sender()
            if path.suffix in (".wasm", ".wat"):
                plan = _trusting(plan)
            self.host = Host(
                plan,
                settings=HostSettings(max_instances=MAX_INSTANCES, request_timeout_s=deadline_s),
                engine=_engine(pooling=not measures_memory),
                stores={
                    label: MemoryKeyValue()
                    for part in plan.components
                    for label in part.key_value_stores
                },
                variables=_Variables(),
                logs=Logs(None),
                interfaces=_interfaces(),
                adapt=lambda grants: _adapt(grants, sender),
            )
            sender.chain.connect(self.host.application.components, _ChainRunner(self.host._runner))
        except BaseException:
            shutil.rmtree(self._assets, ignore_errors=True)
            raise

    def variables(self, values: Mapping[str, str]) -> VariableResolver:
        """The variables of the manifest with some values set."""
        return VariableResolver.for_app(self.app, [_Values(values)])

    def close(self) -> None:
        """Stop the host. Twice is harmless."""
        self.host.close()
        shutil.rmtree(self._assets, ignore_errors=True)


@attrs.frozen
class _Values:
    """A provider of what the test set."""

    values: Mapping[str, str]

    def get(self, name: str) -> str | None:
        return self.values.get(name)


def _trusting(plan: ApplicationPlan) -> ApplicationPlan:
    """A bare component may send requests anywhere: the script decides."""
    return attrs.evolve(
        plan,
        components=tuple(
            attrs.evolve(part, allowed_outbound_hosts=("*://*:*",)) for part in plan.components
        ),
    )


def _adapt(grants: Grants, sender: _Sender) -> Grants:
    if grants.outbound is not None:
        grants.outbound.sender = sender
    return attrs.evolve(grants, key_value=_Labels(grants.component_id), log=_KitLog({}, None))


class _Shared:
    """Engines and applications of this process, made when they are first needed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.engines: dict[bool, Engine] = {}
        self.runtimes: dict[tuple[Any, ...], tuple[object, Runtime]] = {}

    def close(self) -> None:
        for _, runtime in self.runtimes.values():
            runtime.close()
        self.runtimes.clear()
        for engine in self.engines.values():
            engine.close()
        self.engines.clear()


_shared = _Shared()
atexit.register(_shared.close)


def _engine(*, pooling: bool) -> Engine:
    engine = _shared.engines.get(pooling)
    if engine is None:
        settings = EngineSettings(fuel=True, pooling=pooling, max_instances=MAX_INSTANCES)
        engine = _shared.engines[pooling] = make_engine(settings)
    return engine


def runtime_of(
    path: Path, state: object, *, deadline_s: float | None, measures_memory: bool = False
) -> Runtime:
    """Return the application of a manifest or component, loaded once.

    Args:
        path: Absolute.
        state: Changes when the application has to be loaded anew, such as the times of
            its files.
        deadline_s: Seconds that an instance may take.
        measures_memory: Tell how much memory instances took; they are slower.
    """
    key = (path, deadline_s, measures_memory)
    with _shared.lock:
        known = _shared.runtimes.get(key)
        if known is not None:
            if known[0] == state:
                return known[1]
            known[1].close()
        runtime = Runtime(path, deadline_s=deadline_s, measures_memory=measures_memory)
        _shared.runtimes[key] = (state, runtime)
        return runtime


# One request --------------------------------------------------------------------------


class Exchange:
    """One request on its way through an instance; the host's ``InstanceWatch``.

    Attributes:
        usage: What the instance spent; ``None`` until it ended.
        error: How it failed, ``None`` when it did not.
        begun: An instance was made for it.
    """

    def __init__(self, surface: Surface, measures_memory: bool) -> None:
        self.usage: Usage | None = None
        self.error: BaseException | None = None
        self.begun = False
        self._context = Context(surface)
        self._measures_memory = measures_memory
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()

    def started(self, state: InstanceState) -> None:
        """Called on the guest's thread."""
        self.begun = True
        _local.context = self._context

    def ended(self, instance: Instance | None, error: BaseException | None) -> None:
        """Called on the guest's thread."""
        self.error = error
        usage = Usage(host_calls=self._context.host_calls)
        if instance is not None:
            usage.fuel = (instance.fuel_used or 0) + self._context.chained_fuel
            if self._measures_memory:
                usage.peak_memory_bytes = guest_memory_bytes()
        self.usage = usage
        _local.context = None
        self._loop.call_soon_threadsafe(self._done.set)

    @property
    def out_of_time(self) -> bool:
        """Whether its deadline ended it."""
        return isinstance(self.error, DeadlineExceeded)

    async def ask(self, host: Host, request: KitRequest) -> HttpResponse:
        """Send the request and return the answer when its head is there."""
        body = request.body
        headers: list[tuple[str | bytes, str | bytes]] = [
            ("host", request.authority),
            *request.headers,
        ]
        return await host.handle(
            HttpRequest(
                request.method,
                request.target,
                headers,
                body if isinstance(body, bytes) else _pieces_of(body),
                scheme=request.scheme,
            ),
            self,
        )

    async def end(self) -> None:
        """Wait for the instance, which may go on after its answer."""
        if self.begun:
            try:
                await asyncio.wait_for(self._done.wait(), ENDING_S)
            except TimeoutError:
                return


async def _pieces_of(body: Any) -> Any:
    for piece in body:
        yield piece


class HostBody:
    """The body of an answer of the host."""

    def __init__(
        self, response: HttpResponse, exchange: Exchange, request: str, deadline_s: float | None
    ) -> None:
        self._pieces = response.pieces()
        self._response = response
        self._exchange = exchange
        self._request = request
        self._deadline_s = deadline_s

    async def next_piece(self) -> bytes | None:
        try:
            return await anext(self._pieces)
        except StopAsyncIteration:
            return None
        except ResponseAborted as error:
            await self._exchange.end()
            raise self.failure(error.reason) from error

    def failure(self, reason: str) -> BrokenBodyError | NoAnswerError:
        """What to raise for a body that broke off."""
        if self._exchange.out_of_time:
            return NoAnswerError(self._request, self._deadline_s or 0.0)
        return BrokenBodyError(self._request, reason)

    async def aclose(self) -> None:
        await self._response.aclose()
        await self._exchange.end()
