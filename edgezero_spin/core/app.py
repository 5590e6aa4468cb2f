"""The application: routes, middleware and declared stores, compiled once and then called.

In: decorated functions, or a manifest that names them. Out: ``await app.handle(request)``.
``compile`` decides everything that can be decided without a request; a component does that
while it is built, so that a request finds tables and closures only.

Source: contract edgezero.md, APP-1 to APP-8, RTE-10 to RTE-14; design.md for the API.
"""

import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import attrs

from edgezero_spin.core.annotations import Depends
from edgezero_spin.core.binding import Endpoint
from edgezero_spin.core.compilation import compile_routes
from edgezero_spin.core.exception_handlers import ExceptionHandlers, begin_body
from edgezero_spin.core.introspection import ManifestJson
from edgezero_spin.core.middleware import chain
from edgezero_spin.core.mounts import Mount, MountTarget, find_mount, merged_stores
from edgezero_spin.core.offers import Offers
from edgezero_spin.core.outbound import OutboundTransport
from edgezero_spin.core.references import resolved
from edgezero_spin.core.request import DEFAULT_BODY_LIMIT, Request
from edgezero_spin.core.response import Response
from edgezero_spin.core.return_values import to_response
from edgezero_spin.core.route_table import Route, RouteTable
from edgezero_spin.core.router import Router
from edgezero_spin.core.signatures import sends_requests
from edgezero_spin.stores.declaration import StoreDeclaration, StoreIds
from edgezero_spin.stores.opening import Stores

if TYPE_CHECKING:
    from edgezero_spin.core.event_handlers import AppEvent, DeclaredTrigger, EventHandlers
    from edgezero_spin.core.openapi import ApiDescription, SecurityScheme

__all__ = ["DEFAULT_NAME", "App"]

DEFAULT_NAME = "EdgeZero App"

_Handler = TypeVar("_Handler", bound=Callable[..., object])
_Stores: TypeAlias = Stores | Callable[[], Stores] | None

# No body goes with these (RFC 9110, 15.3.5 and 15.4.5).
_BODILESS = frozenset({204, 304})


class App(Router):
    """A service: its routes, its middleware, and the stores it declares.

    Args:
        name: For people and tools.
        kv: Logical ids of key-value stores; the first is the default. ``StoreIds.of``
            names another one.
        config: Logical ids of config stores, likewise.
        secrets: Logical ids of secret stores, likewise.
        sqlite: Logical ids of SQLite databases, likewise; an id stands for a label.
        redis: Logical ids of Redis servers, likewise; an id stands for the variable that has the
            address.
        postgres: Logical ids of PostgreSQL databases, likewise.
        mysql: Logical ids of MySQL databases, likewise.
        outbound_http: Whether the app sends requests of its own. The component is granted
            the network only then; a handler with a parameter ``Outbound`` says so itself.
        open_stores: ``lazy`` opens a store at its first use, ``eager`` opens all of them
            before every request, and then one that cannot be opened fails it.
        body_limit: Bytes of a request body that a buffering read keeps; 413 past it.
        state: Objects that handlers get by their type, ``State[Settings]``.
        dependencies: Are called before every handler of a route, ``Depends(require_key)``.

    Raises:
        TypeError: A dependency is not a ``Depends``.
        ValueError: A store id is malformed, or an option has no such value.
    """

    _is_root = True

    def __init__(
        self,
        name: str = DEFAULT_NAME,
        *,
        kv: Sequence[str] | StoreIds = (),
        config: Sequence[str] | StoreIds = (),
        secrets: Sequence[str] | StoreIds = (),
        sqlite: Sequence[str] | StoreIds = (),
        redis: Sequence[str] | StoreIds = (),
        postgres: Sequence[str] | StoreIds = (),
        mysql: Sequence[str] | StoreIds = (),
        outbound_http: bool = False,
        open_stores: Literal["lazy", "eager"] = "lazy",
        body_limit: int = DEFAULT_BODY_LIMIT,
        state: Iterable[object] = (),
        dependencies: Iterable[Depends] = (),
    ) -> None:
        if open_stores not in ("lazy", "eager"):
            raise ValueError(f"open_stores is 'lazy' or 'eager', got {open_stores!r}")
        if body_limit < 0:
            raise ValueError(f"body_limit must be at least 0, got {body_limit}")
        super().__init__(dependencies=dependencies)
        self.name = name
        self.declaration = StoreDeclaration.of(
            kv=kv,
            config=config,
            secrets=secrets,
            sqlite=sqlite,
            redis=redis,
            postgres=postgres,
            mysql=mysql,
        )
        self.outbound_http = outbound_http
        self.transport: OutboundTransport | None = None
        self.open_stores = open_stores
        self.body_limit = body_limit
        self._states: dict[type, object] = {}
        self._overrides: dict[Callable[..., Any], Callable[..., Any]] = {}
        self.api_description: ApiDescription | None = None
        self._prepares: list[Callable[[], None]] = []
        self._exception_handlers = ExceptionHandlers()
        self._mounts: list[Mount] = []
        self._events: EventHandlers | None = None
        self._table = RouteTable(())
        self._entry: Endpoint | None = None
        self._endpoint: Endpoint = self._call_route
        for value in (self._table, ManifestJson(), *state):
            self.with_state(value)

    @classmethod
    def from_manifest(
        cls,
        path: "str | PathLike[str]" = "edgezero.toml",
        *,
        outbound_http: bool = False,
        open_stores: Literal["lazy", "eager"] = "lazy",
        body_limit: int = DEFAULT_BODY_LIMIT,
        state: Iterable[object] = (),
    ) -> "App":
        """Make the app that an ``edgezero.toml`` describes: name, stores, middleware, routes.

        Routes and middleware may be added with the decorators as well. Nothing is read
        when a request comes.

        Args:
            path: The manifest. A relative path is tried in the folder of the calling module
                first, then in the current folder.
            outbound_http: As for ``App``; so are the other options.

        Raises:
            ManifestError: The manifest is missing or wrong. Handlers are looked up by
                ``compile``, which raises the same for one that does not exist.
        """
        # Only an app that has a manifest carries its reader, and reads it while it is built.
        from edgezero_spin.core.from_manifest import read_described_app

        described = read_described_app(path, sys._getframe(1).f_globals)
        app = cls(
            described.name or DEFAULT_NAME,
            outbound_http=outbound_http,
            open_stores=open_stores,
            body_limit=body_limit,
            state=state,
        )
        app.declaration = described.stores
        app.with_state(described.manifest)
        app._layers += described.middleware
        app._entries += described.routes
        return app

    # What a handler file writes

    def exception_handler(self, kind: type[Exception]) -> Callable[[_Handler], _Handler]:
        """Declare what answers an error: ``@app.exception_handler(LookupError)``.

        The function is called with the request and the error, and returns what a handler may
        return. It serves subclasses as well, unless they have one of their own. An answer of
        500 or more is logged with the traceback of the error.

        Args:
            kind: The class of the error; ``Exception`` for all that have no other.

        Raises:
            TypeError: It is not a class of exceptions.
        """
        return self._exception_handlers.declare(kind)

    def redis(self, channel: str) -> Callable[[_Handler], _Handler]:
        """Declare a handler of messages on a channel of Redis: ``@app.redis("orders")``.

        It may take a ``RedisMessage``, the payload as ``Json[T]``, stores, ``State[T]``,
        ``Depends`` and what else a route may, but nothing of a request. What it returns counts for
        nothing; what it raises is logged, and the message is not brought again.

        Args:
            channel: As ``[[trigger.redis]]`` of ``spin.toml`` has it; no pattern.

        Raises:
            ValueError: It has no name, or a handler already.
        """
        return self.events.declare("redis", channel)

    def mqtt(self, topic: str, *, qos: int = 0) -> Callable[[_Handler], _Handler]:
        """Declare a handler of messages on a topic of MQTT: ``@app.mqtt("doors/{door}/open")``.

        As for ``redis``, with ``MqttMessage``; a name in the topic is a parameter of that name.

        Args:
            topic: A topic filter; ``{name}`` is one level, as ``+`` is, and ``{*name}`` the rest,
                as ``#`` is.
            qos: The quality of service that is asked for, 0 to 2.

        Raises:
            ValueError: It is not a topic filter, or has a handler already.
        """
        return self.events.declare("mqtt", topic, qos)

    def cron(self, expression: str) -> Callable[[_Handler], _Handler]:
        """Declare a handler of moments: ``@app.cron("0 */5 * * * *")``.

        As for ``redis``, with ``CronEvent``.

        Args:
            expression: Six fields, seconds first, in UTC, as ``[[trigger.cron]]`` has them.

        Raises:
            ValueError: It has another number of fields, or a handler already.
        """
        return self.events.declare("cron", expression)

    def mount(self, path: str, target: MountTarget, *, name: str | None = None) -> None:
        """Give everything below a path to another app, or to ``static_files()``.

        A route of this app comes first. An app that is mounted keeps its middleware, its exception
        handlers, its state and its body limit, and answers paths that it has no route for; its
        stores are declared with those of this app.

        Args:
            path: Static text, ``/static``.
            target: The app, or an endpoint, ``async def (request) -> Response``, that reads
                ``request.local_path``.
            name: What ``url_for`` knows it by: ``name:route`` of an app, ``name`` with
                ``path="a.css"`` of an endpoint.

        Raises:
            ValueError: The path has parameters, something is mounted there already, or the default
                stores of the two apps differ.
        """
        endpoint: Any = target
        if isinstance(target, App):
            if target is self or target._mounts_app(self):
                raise ValueError("an app cannot be mounted in itself")
            self.declaration = merged_stores(self.declaration, target.declaration)
            endpoint = target._answer_mounted
            target._owners.append(self)
        elif not callable(target):
            raise TypeError(f"mount {path!r}: {target!r} is neither an App nor an endpoint")
        mount = Mount.at(path, target, endpoint, name)
        if any(mount.prefix == other.prefix for other in self._mounts):
            raise ValueError(f"something is mounted at {path!r} already")
        self._mounts.append(mount)
        self._changed()

    def url_path_for(self, name: str, /, **values: object) -> str:
        """Return the path of a route by its name: ``app.url_path_for("show", id=7)``.

        Args:
            name: The ``name=`` of the route, or the name of its function; behind the name of a
                mount, ``mount:route``.
            values: Its path parameters.

        Raises:
            ValueError: No route has that name and these parameters, or a value cannot be part of a
                path.
        """
        self.compile()
        path = self.path_of(name, values)
        if path is None:
            given = ", ".join(values) or "no parameters"
            known = sorted({f"{route.name}({', '.join(route.names)})" for route in self.routes})
            raise ValueError(
                f"no route is called {name!r} with {given}; there are: {', '.join(known) or 'none'}"
            )
        return path

    def path_of(self, name: str, values: Mapping[str, object]) -> str | None:
        """Return what ``url_path_for`` does, ``None`` where that raises."""
        self.compile()
        path = self._table.path_of(name, values)
        for mount in self._mounts:
            path = path or mount.path_of(name, values)
        return path

    def with_state(self, value: object, kind: type | None = None) -> "App":
        """Give handlers an object by its type; the last one of a type wins."""
        self._states[type(value) if kind is None else kind] = value
        return self

    @property
    def dependency_overrides(self) -> dict[Callable[..., Any], Callable[..., Any]]:
        """What is called in place of a dependency: ``app.dependency_overrides[user] = ann``.

        For tests. What is changed counts from the next request on, which compiles the app again.
        """
        self._changed()
        return self._overrides

    @dependency_overrides.setter
    def dependency_overrides(
        self, overrides: Mapping[Callable[..., Any], Callable[..., Any]]
    ) -> None:
        self._overrides = dict(overrides)
        self._changed()

    def openapi(
        self,
        *,
        title: str | None = None,
        version: str = "0.1.0",
        description: str | None = None,
        servers: Iterable[str] = (),
        tags: Mapping[str, str] | None = None,
        security_schemes: "Mapping[str, SecurityScheme] | None" = None,
        security: Iterable[str] = (),
        path: str = "/openapi.json",
        docs: str | None = "/docs",
    ) -> None:
        """Answer with the OpenAPI document of this app, and with a page that shows it.

        Both are made when the app is compiled, and so while a component is built.

        Args:
            title: The name of the interface; that of the app unless given.
            version: Its version.
            description: Markdown.
            servers: URLs that it is found under.
            tags: A sentence by tag, in the order of the page.
            security_schemes: How clients say who they are, by name.
            security: Names of schemes that every operation asks for unless it says otherwise.
            path: Where the document is answered.
            docs: Where the page is answered; ``None`` for none.

        Raises:
            ValueError: A path is not a pattern.
        """
        # Only an app that describes itself carries what does it.
        from edgezero_spin.core.openapi import ApiDescription
        from edgezero_spin.core.openapi.serving import serve_description

        serve_description(
            self,
            ApiDescription(
                title=self.name if title is None else title,
                version=version,
                description=description,
                servers=tuple(servers),
                tags=dict(tags or {}),
                security_schemes=dict(security_schemes or {}),
                security=tuple(security),
                openapi_path=path,
                docs_path=docs,
            ),
        )

    def list_routes(self, path: str = "/__edgezero/routes") -> None:
        """Answer ``GET`` on a path with every route as ``[{"method", "path"}]``.

        Raises:
            ValueError: The path does not start with ``/``.
        """

        def routes() -> list[dict[str, str]]:
            return [{"method": route.method, "path": route.path} for route in self.routes]

        self.get(path)(routes)

    def _mounts_app(self, app: "App") -> bool:
        return any(
            mount.target is app or mount.target._mounts_app(app)
            for mount in self._mounts
            if isinstance(mount.target, App)
        )

    def _changed(self) -> None:
        self._entry = None
        super()._changed()

    # What a runner calls

    @property
    def routes(self) -> tuple[Route, ...]:
        """Every route in order of declaration."""
        self.compile()
        return self._table.routes

    @property
    def events(self) -> "EventHandlers":
        """The handlers of events."""
        if self._events is None:
            # Only an app that has some carries what calls them.
            from edgezero_spin.core.event_handlers import EventHandlers

            self._events = EventHandlers(self._changed)
        return self._events

    @property
    def triggers(self) -> "tuple[DeclaredTrigger, ...]":
        """What starts the handlers of events, as ``spin.toml`` has to have it."""
        return () if self._events is None else self._events.triggers

    @property
    def needs(self) -> frozenset[str]:
        """What the app answers and uses, which decides the world of its component.

        Each is a ``Need`` of ``edgezero_spin.project.world``: ``http`` for the kinds of event
        that it answers, ``key_value``, ``variables`` and ``outbound_http`` for what it imports.

        Raises:
            TypeError, ValueError, ManifestError: As ``compile``.
        """
        self.compile()
        stores = self.declaration
        found = {
            "http": True,
            "key_value": stores.kv or stores.config,
            "variables": stores.secrets or stores.servers,
            "outbound_http": self.outbound_http,
            "sqlite": stores.sqlite,
            "redis": stores.redis,
            "postgres": stores.postgres,
            "mysql": stores.mysql,
            **{f"{trigger.kind}_trigger": True for trigger in self.triggers},
        }
        return frozenset(name for name, needed in found.items() if needed)

    def compile(self) -> Endpoint:
        """Build the tables and bind every handler, unless that is done already.

        Raises:
            TypeError: A handler's signature cannot be served, or it wants a store or state that
                the app does not declare.
            ValueError: Two routes take the same paths.
            ManifestError: The manifest names a handler that does not exist.
        """
        if self._entry is not None:
            return self._entry
        for kind in self.declaration.databases:
            # Only an app with databases carries their facades, loaded while it is built.
            import_module(f"edgezero_spin.stores.databases.{kind}")
        declared = list(self.declarations())
        handlers = [resolved(route.handler) for route in declared]
        kinds = [field.name for field in attrs.fields(StoreDeclaration)]
        offers = Offers(
            frozenset(kind for kind in kinds if getattr(self.declaration, kind) is not None),
            frozenset(self._states),
            overrides=self._overrides,
        )
        exceptions = self._exception_handlers
        routes = compile_routes(declared, handlers, offers, exceptions, self._miss)
        self._table = self._states[RouteTable] = RouteTable(routes)
        if self._events is not None:
            self._events.compile(offers)
            handlers += self._events.functions()
        mounted = [mount.target for mount in self._mounts if isinstance(mount.target, App)]
        for app in mounted:
            app.compile()
        called = [depends.call for route in declared for depends in route.dependencies]
        if any(map(sends_requests, filter(None, [*handlers, *called]))) or any(
            app.outbound_http for app in mounted
        ):
            self.outbound_http = True
        self._endpoint = exceptions.answering(self._call_route)
        layers = [resolved(layer) for layer in self._layers]
        entry = chain(layers, self._endpoint, exceptions.answer) if layers else self._call_route
        self._entry = entry
        try:
            for prepare in self._prepares:
                prepare()
        except Exception:
            self._entry = None
            raise
        return self._entry

    async def take(
        self,
        event: "AppEvent",
        stores: _Stores = None,
        *,
        chosen: str | None = None,
        transport: OutboundTransport | None = None,
    ) -> None:
        """Have the handler of an event take it, with what it leaves for the background.

        Args:
            event: The event.
            stores: The stores of the handler, or a function that opens them.
            chosen: The channel, topic filter or expression, where several handlers would do.
            transport: Carries what the handler sends, unless the app has its own.

        Raises:
            NoEventHandlerError: There is no handler, or several.
            Exception: Whatever the handler raises.
        """
        if self._entry is None:
            self.compile()
        request, endpoint = self.events.request_of(event, chosen)
        request._transport = transport
        self._prepare(request, stores)
        if self.open_stores == "eager":
            await request.open_stores()
        await endpoint(request)
        work = request.background_work()
        if work is not None:
            await work

    async def handle(self, request: Request, stores: _Stores = None) -> Response:
        """Answer a request, whatever happens.

        Args:
            request: The request.
            stores: Its stores, or a function that opens them when they are first needed.

        Returns:
            The response, its body ``bytes`` or a ``BodyStream`` whose first chunk is there.
            An error has become its JSON answer; what is the service's own fault is on
            standard error as well.
        """
        try:
            response = await self.dispatch(request, stores)
            body = response.body
            if type(body) is not bytes:
                await begin_body(request, response)
                body = response.body
            if body and (request.method == "HEAD" or response.status in _BODILESS):
                await response.drop_body()
        except Exception as error:
            response = await self._exception_handlers.answer(error, request)
            if request.method == "HEAD":
                await response.drop_body()
        return response

    def dispatch(self, request: Request, stores: _Stores = None) -> Awaitable[Response]:
        """Answer a request, or raise what its handler raises where no middleware stands around it.

        Raises:
            EdgeZeroError: No route takes the request, or the handler refuses it.
            Exception: Whatever else the handler raises.
        """
        entry = self._entry or self.compile()
        self._prepare(request, stores)
        match = self._table.find(request.method, request.raw_path)
        if match is not None:
            request.route, request._captured = match
        if self.open_stores == "eager":
            return self._with_open_stores(request, entry)
        if match is not None and not self._layers:
            return match[0].call(request)
        return entry(request)

    def _prepare(self, request: Request, stores: _Stores) -> None:
        if stores is not None:
            request._stores = stores
        request.body_limit = self.body_limit
        request._states = self._states
        if self.transport is not None:
            request._transport = self.transport
        request._app = self

    async def _with_open_stores(self, request: Request, entry: Endpoint) -> Response:
        await request.open_stores()
        return await entry(request)

    def _call_route(self, request: Request) -> Awaitable[Response]:
        route = request.route
        if route is None:
            # A miss, or a request that a middleware put in place of the first one.
            path = request.local_path
            match = self._table.find(request.method, path)
            if match is None:
                return self._call_mounted(request, path)
            request.route, request._captured = match
            route = match[0]
        return route.call(request)

    async def _call_mounted(self, request: Request, path: bytes) -> Response:
        mount = find_mount(self._mounts, request) if self._mounts else None
        if mount is None:
            # The layers of a group are around its 405 as well: a preflight request is one.
            for taker in self._table.takers(path).values():
                if taker.refuse is not None:
                    return await taker.refuse(request)
            return await self._miss(request)
        request.root_path += mount.prefix
        try:
            return to_response(await mount.endpoint(request))
        finally:
            request.root_path = request.root_path.removesuffix(mount.prefix)
            request._app = self

    async def _miss(self, request: Request) -> Response:
        raise self._table.miss(request.method, request.local_path, request.raw_path)

    async def _answer_mounted(self, request: Request) -> Response:
        """Answer a request of the app that this one is mounted in."""
        entry = self._entry or self.compile()
        request.body_limit = self.body_limit
        request._states = {**request._states, **self._states}
        request._app = self
        return await (entry if self._layers else self._endpoint)(request)
