"""The request: method, path, headers, body, and the stores of this request.

In: a ``RequestSource``. Out: the same, read when it is asked for and only then, decoded
and typed. Nothing here knows a host.

Source: contract edgezero.md, CTX-1, CTX-2, BOD-1 to BOD-4, SPN-1 to SPN-3. Bodies stream
without a cap; reads that keep a whole body in memory have a limit and answer 413 past it.
"""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

from edgezero_spin.core.addresses import parse_client_address
from edgezero_spin.core.annotations import Config, Kv, Secrets
from edgezero_spin.core.app_config import app_config_reader
from edgezero_spin.core.background import BackgroundTasks
from edgezero_spin.core.cookies import parse_cookies
from edgezero_spin.core.errors import BadRequest, BodyReadError, Internal, PayloadTooLarge
from edgezero_spin.core.headers import HeaderInput, Headers, MutableHeaders
from edgezero_spin.core.models import BAD_FORM, BAD_PATH, BAD_QUERY, fields_reader
from edgezero_spin.core.multipart import MAX_HEADER_BYTES, MAX_PARTS, MultipartParser, boundary_of
from edgezero_spin.core.payloads import form_pairs, json_reader
from edgezero_spin.core.percent import PERCENT, parse_pairs, percent_decode
from edgezero_spin.core.sources import MemorySource, RequestSource
from edgezero_spin.core.streaming import ByteSource, SourceStream
from edgezero_spin.core.trailers import read_trailers
from edgezero_spin.core.uploads import FormValue, PartStream, read_form
from edgezero_spin.stores.config import ConfigStore
from edgezero_spin.stores.declaration import DatabaseKind
from edgezero_spin.stores.key_value import KeyValueStore
from edgezero_spin.stores.opening import Stores
from edgezero_spin.stores.registry import Registry
from edgezero_spin.stores.secrets import SecretStore

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from edgezero_spin.core.app import App
    from edgezero_spin.core.outbound import OutboundTransport
    from edgezero_spin.core.route_table import Route
    from edgezero_spin.stores.databases import MySql, Postgres, Redis, Sqlite

__all__ = ["DEFAULT_BODY_LIMIT", "BodyReadError", "Request", "decode_path_value"]

_T = TypeVar("_T")
_S = TypeVar("_S")

# Inside the class, ``bytes`` is the method that reads the body.
_Bytes: TypeAlias = bytes

DEFAULT_BODY_LIMIT = 16 * 1024 * 1024
"""Bytes that a buffering read keeps when neither the app nor the call says otherwise."""

_CHUNK_BYTES = 64 * 1024


class Request:
    """One HTTP request.

    Attributes:
        method: As sent, ``"GET"``.
        raw_path: The path as sent, percent-encoded and without the query.
        route: The route that takes the request, ``None`` when none does. Middleware may
            read its pattern, ``request.route.path``.
        body_limit: Bytes that a buffering read keeps unless the call says otherwise.
        error: What was raised and became the response, for middleware; ``None`` else.
        root_path: The path that the app is mounted at, as sent; ``""`` when it is not.
    """

    # Class attributes instead of assignments in __init__: each line that runs on a fresh
    # instance of a component is paid in full, and most requests touch few of these.
    route: "Route | None" = None
    body_limit: int = DEFAULT_BODY_LIMIT
    error: Exception | None = None
    root_path: str = ""
    # What started a handler of a trigger, which is no request.
    event: object = None
    _app: "App | None" = None
    _background: BackgroundTasks | None = None
    _captured: tuple[_Bytes, ...] = ()
    _states: Mapping[type, object] = {}
    _stores: "Stores | Callable[[], Stores] | None" = None
    _transport: "OutboundTransport | None" = None
    _databases: dict[DatabaseKind, Registry[Any] | None] | None = None
    _headers: Headers | None = None
    _body: _Bytes | None = None
    _form: list[tuple[str, FormValue]] | None = None
    _trailers: Headers | None = None
    _replaced: "Request | None" = None
    _streamed = False
    _path_params: dict[str, str] | None = None
    _extensions: dict[str, Any] | None = None
    # What the dependencies of the handler gave, and what cleans up behind them.
    resolved: dict[Any, Any]
    exits: "AsyncExitStack"

    def __init__(self, source: RequestSource) -> None:
        self._source = source
        self.method = source.method
        self.raw_path = source.raw_path

    @classmethod
    def of(
        cls,
        method: str,
        target: str,
        headers: HeaderInput = (),
        body: _Bytes | Iterable[_Bytes] | AsyncIterable[_Bytes] = b"",
        trailers: HeaderInput = (),
    ) -> "Request":
        """Make a request by hand: ``Request.of("PUT", "/notes/7?x=1", body=b"{}")``.

        Args:
            method: Upper case, unless the app's routes are not.
            target: A path with or without query, or a whole URL.
            headers: Fields in order; several of one name are allowed.
            body: The body, or its chunks as reads shall give them.
            trailers: Fields behind the body.
        """
        return cls(MemorySource(method, target, headers, body, trailers))

    def replace(
        self,
        *,
        method: str | None = None,
        target: str | None = None,
        headers: HeaderInput | None = None,
        body: _Bytes | Iterable[_Bytes] | AsyncIterable[_Bytes] | None = None,
    ) -> "Request":
        """Return this request with parts of it changed, for ``call_next``.

        It is routed anew. Stores, state and extensions are shared; so is a body that is not
        replaced, and only one of the two can be read. Another body has its own length in the
        headers, unless these are replaced as well.
        """
        is_shared = body is None
        if headers is None:
            headers = self.headers if is_shared else self._headers_for(body)
        if body is None:
            body = self._body if self._body is not None else self._remaining()
        if target is None:
            query = self.query_string
            target = self.raw_path.decode("latin-1") + (f"?{query}" if query else "")
        source = MemorySource(
            self.method if method is None else method,
            target,
            headers,
            body,
            self.trailers if is_shared else (),
        )
        source.scheme = source.scheme or self.scheme
        source.authority = source.authority or self.authority
        changed = Request(source)
        changed.body_limit = self.body_limit
        changed._states = self._states
        changed._stores = self._stores
        changed._transport = self._transport
        changed._databases = self._databases
        changed._extensions = self.extensions
        changed._app = self._app
        changed._replaced = self
        # One object for both: the runner knows the first request only.
        changed._background = self.background
        changed.root_path = self.root_path
        return changed

    # What was asked

    @property
    def path(self) -> str:
        """The path as text, percent-decoded; what is not UTF-8 shows as U+FFFD."""
        return percent_decode(self.raw_path).decode("utf-8", "replace")

    @property
    def query_string(self) -> str:
        """What follows the ``?``, as sent; ``""`` without one."""
        return (self._source.query or b"").decode("latin-1")

    @property
    def scheme(self) -> str | None:
        """``http`` or ``https``, ``None`` when the host does not say."""
        return self._source.scheme

    @property
    def authority(self) -> str | None:
        """Host and port as the host gives them, else the ``host`` header."""
        return self._source.authority or self.headers.get("host")

    @property
    def url(self) -> str:
        """The whole URL, put together from its parts."""
        query = self.query_string
        path = self.raw_path.decode("latin-1")
        return (
            f"{self.scheme or 'http'}://{self.authority or 'localhost'}{path}"
            f"{'?' if query else ''}{query}"
        )

    @property
    def local_path(self) -> _Bytes:
        """The path below ``root_path``, as sent; ``/`` when nothing is left of it."""
        if not self.root_path:
            return self.raw_path
        return self.raw_path.removeprefix(self.root_path.encode("latin-1")) or b"/"

    def url_for(self, name: str, /, **values: object) -> str:
        """Return the whole URL of a route of the app by its name. See ``App.url_path_for``.

        Raises:
            ValueError: No route has that name and these parameters.
            RuntimeError: The request was not given to an app.
        """
        if self._app is None:
            raise RuntimeError("url_for: the request was not given to an app")
        path = self._app.url_path_for(name, **values)
        scheme, authority = self.scheme or "http", self.authority or "localhost"
        return f"{scheme}://{authority}{self.root_path}{path}"

    @property
    def headers(self) -> Headers:
        """The header fields, repeats included."""
        headers = self._headers
        if headers is None:
            headers = self._headers = Headers.received(self._source.headers())
        return headers

    @property
    def client_addr(self) -> str | None:
        """The address of the client without its port, from ``spin-client-addr``."""
        return parse_client_address(self.headers.get("spin-client-addr", ""))

    @property
    def full_url(self) -> str | None:
        """The URL as the client wrote it, from ``spin-full-url``."""
        value = self.headers.get_bytes("spin-full-url")
        return value.decode() if value and value.isascii() else None

    @property
    def extensions(self) -> dict[str, Any]:
        """Notes that middleware leaves for what comes after it, by name."""
        if self._extensions is None:
            self._extensions = {}
        return self._extensions

    # Path and query as values

    @property
    def path_params(self) -> dict[str, str]:
        """The values of the route's parameters, percent-decoded.

        Raises:
            BadRequest: A value is not UTF-8.
        """
        params = self._path_params
        if params is None:
            names = self.route.names if self.route is not None else ()
            params = self._path_params = {
                name: decode_path_value(name, raw)
                for name, raw in zip(names, self._captured, strict=True)
            }
        return params

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies by name, as they were sent; of two with one name the first.

        Source: RFC 6265, 4.2 and 5.4: the one of the longer path comes first.
        """
        return parse_cookies(self.headers.get_all("cookie"))

    def path_as(self, model: type[_T]) -> _T:
        """Return the path parameters as a model of scalars.

        Raises:
            BadRequest: A value does not fit its field.
            ValidationFailed: The model refuses them.
        """
        values: _T = fields_reader(model, BAD_PATH)(self.path_params.items())
        return values

    def query_pairs(self) -> list[tuple[str, str]]:
        """Return name and value of each query field, in order, repeats kept."""
        return parse_pairs(self._source.query or b"")

    def query(self, model: type[_T]) -> _T:
        """Return the query string as a model of scalars. Raises as ``path_as`` does."""
        values: _T = fields_reader(model, BAD_QUERY)(self.query_pairs())
        return values

    # The body

    async def bytes(self, limit: int | None = None) -> _Bytes:
        """Return the whole body and keep it, so that it can be asked for again.

        Args:
            limit: Bytes that it may have; ``body_limit`` when not given.

        Raises:
            PayloadTooLarge: It has more.
            BodyReadError: It broke off.
            RuntimeError: It was streamed already.
        """
        if limit is None:
            limit = self.body_limit
        body = self._body
        if body is None:
            body = self._body = await self._read_all(limit)
        elif len(body) > limit:
            raise _too_large(limit)
        return body

    async def text(self, limit: int | None = None) -> str:
        """Return the whole body as text. Raises as ``bytes``, and:

        Raises:
            BadRequest: It is not UTF-8.
        """
        try:
            return (await self.bytes(limit)).decode()
        except UnicodeDecodeError:
            raise BadRequest("request body is not UTF-8 text") from None

    @overload
    async def json(self, model: type[_T], limit: int | None = None) -> _T: ...
    @overload
    async def json(self, model: Any = Any, limit: int | None = None) -> Any: ...
    async def json(self, model: Any = Any, limit: int | None = None) -> Any:
        """Return the body as JSON, built into ``model`` when one is given. Raises as
        ``bytes``, and:

        Raises:
            BadRequest: It is not JSON, or does not fit the model.
            ValidationFailed: It fits and breaks a rule of the model.
        """
        return json_reader(model)(await self.bytes(limit))

    @overload
    async def form(self, model: type[_T], limit: int | None = None) -> _T: ...
    @overload
    async def form(self, model: None = None, limit: int | None = None) -> dict[str, str]: ...
    async def form(self, model: Any = None, limit: int | None = None) -> Any:
        """Return the form, urlencoded or multipart, as a model of scalars and ``UploadFile``s, or
        as a dictionary of its texts in which the last one of a name stands. Raises as ``json``
        does.
        """
        read = fields_reader(dict if model is None else model, BAD_FORM)
        return read(await self.form_pairs(limit))

    async def form_pairs(self, limit: int | None = None) -> list[tuple[str, FormValue]]:
        """Return name and value of each field of a form, urlencoded or multipart, in order.

        A file is an ``UploadFile``; one that was not chosen is left out.

        Args:
            limit: Bytes that all of it may have; ``body_limit`` when not given.

        Raises:
            BadRequest: It is not a form.
            PayloadTooLarge: It has more, or too many parts.
        """
        form = self._form
        if form is None:
            if boundary_of(self.headers.get("content-type")) is None:
                form = list(form_pairs(await self.bytes(limit)))
            else:
                limit = self.body_limit if limit is None else limit
                form = await read_form(self.multipart(), limit)
            self._form = form
        return form

    def multipart(
        self, *, max_parts: int = MAX_PARTS, max_header_bytes: int = MAX_HEADER_BYTES
    ) -> PartStream:
        """Iterate over the parts of a form while it arrives: ``async for part in ...``.

        No limit holds for their content, unless ``part.bytes()`` is asked for all of it.

        Args:
            max_parts: Parts that the form may have; 413 past it.
            max_header_bytes: Bytes of the header fields of one part; 413 past it.

        Raises:
            BadRequest: The form is not sent as ``multipart/form-data``.
        """
        boundary = boundary_of(self.headers.get("content-type"))
        if boundary is None:
            raise BadRequest(f"{BAD_FORM}: not sent as multipart/form-data")
        parser = MultipartParser(boundary, max_parts=max_parts, max_header_bytes=max_header_bytes)
        return PartStream(parser, self.stream(), self.body_limit)

    def stream(self, chunk_bytes: int = _CHUNK_BYTES) -> SourceStream:
        """Iterate over the body as it arrives, in pieces of at most ``chunk_bytes``; no limit
        holds. As the body of a response or of an outbound request, the iterator lets the host
        pass the bytes on without this program.

        A body that was read whole before is given again.

        Raises (at the first piece or a later one):
            BodyReadError: It broke off.
            RuntimeError: It was streamed already.
        """
        return SourceStream(self._begin, chunk_bytes)

    async def trailers(self) -> Headers:
        """Return the fields behind the body; what was not read of it is skipped.

        There are none unless the client sent them in chunks of HTTP/1.1 or with HTTP/2.

        Raises:
            BodyReadError: The body broke off.
        """
        fields = self._trailers
        if fields is None:
            self._streamed = True
            fields = self._trailers = await read_trailers(self._source)
        return fields

    # What the app declared

    @property
    def stores(self) -> Stores:
        """The stores of this request; a kind that the app does not declare is ``None``."""
        stores = self._stores
        if not isinstance(stores, Stores):
            stores = self._stores = Stores() if stores is None else stores()
        return stores

    async def open_stores(self) -> None:
        """Open every declared store now, key-value before config.

        Raises:
            StoreOpenError: The first one that the platform cannot open.
        """
        for registry in (self.stores.kv, self.stores.config):
            if registry is not None:
                for id in registry.declared:
                    await registry[id].open()

    @property
    def kv(self) -> Kv:
        """The key-value stores.

        Raises:
            Internal: The app declares none.
        """
        return _declared(self.stores.kv, "kv store", "stores.kv")

    @property
    def config(self) -> Config:
        """The config stores. Raises as ``kv`` does."""
        return _declared(self.stores.config, "config store", "stores.config")

    @property
    def secrets(self) -> Secrets:
        """The secret stores. Raises as ``kv`` does."""
        return _declared(self.stores.secrets, "secret store", "stores.secrets")

    @property
    def sqlite(self) -> "Sqlite":
        """The default SQLite database, which gives the others by id. Raises as ``kv`` does."""
        found: Sqlite = _declared(self._database("sqlite"), "SQLite database", "databases.sqlite")
        return found

    @property
    def redis(self) -> "Redis":
        """The default Redis server, likewise."""
        found: Redis = _declared(self._database("redis"), "Redis server", "databases.redis")
        return found

    @property
    def postgres(self) -> "Postgres":
        """The default PostgreSQL database, likewise."""
        found: Postgres = _declared(
            self._database("postgres"), "PostgreSQL database", "databases.postgres"
        )
        return found

    @property
    def mysql(self) -> "MySql":
        """The default MySQL database, likewise."""
        found: MySql = _declared(self._database("mysql"), "MySQL database", "databases.mysql")
        return found

    def _database(self, kind: DatabaseKind) -> Any:
        # The stores may be those of all requests of an instance, connections are not.
        databases = self._databases
        if databases is None:
            databases = self._databases = {}
        if kind not in databases:
            databases[kind] = self.stores.new_databases(kind)
        registry = databases[kind]
        return None if registry is None else registry.default

    async def app_config(
        self, model: type[_T], *, store: str | None = None, key: str | None = None
    ) -> _T:
        """Return the app's configuration, as ``AppConfig[T]`` gives it to a handler.

        Args:
            model: The attrs class; secrets are filled in where ``secret()`` marks fields.
            store: The id of a config store; the default one unless given.
            key: The entry; that of the store unless given.

        Raises:
            ConfigOutOfDate: There is none, it does not fit the model, or a secret is missing.
            ConfigStoreError: The store failed, or the entry was damaged.
            Internal: The app declares no config store, or no secret store.
            TypeError: The model is not one of a configuration.
        """
        found: _T = await app_config_reader(model).require(self, store, key)
        return found

    def kv_store(self, id: str) -> KeyValueStore | None:
        """Return a key-value store, ``None`` when the app does not declare it."""
        return self.stores.kv.named(id) if self.stores.kv else None

    def config_store(self, id: str) -> ConfigStore | None:
        """Return a config store, ``None`` when the app does not declare it."""
        return self.stores.config.named(id) if self.stores.config else None

    def secret_store(self, id: str) -> SecretStore | None:
        """Return a secret store, ``None`` when the app does not declare it."""
        return self.stores.secrets.named(id) if self.stores.secrets else None

    @property
    def kv_store_default(self) -> KeyValueStore | None:
        """The default key-value store, ``None`` when the app declares none."""
        return self.stores.kv.default if self.stores.kv else None

    @property
    def config_store_default(self) -> ConfigStore | None:
        """The default config store, ``None`` when the app declares none."""
        return self.stores.config.default if self.stores.config else None

    @property
    def secret_store_default(self) -> SecretStore | None:
        """The default secret store, ``None`` when the app declares none."""
        return self.stores.secrets.default if self.stores.secrets else None

    @property
    def background(self) -> BackgroundTasks:
        """What is done after the response was sent."""
        tasks = self._background
        if tasks is None:
            tasks = self._background = BackgroundTasks()
        return tasks

    def background_work(self) -> "Coroutine[Any, Any, None] | None":
        """Return what the runner awaits when the response was sent, ``None`` for nothing."""
        return self._background.run() if self._background else None

    def state(self, kind: type[_T]) -> _T:
        """Return the object of a type which the app was given.

        Raises:
            Internal: The app was given none of that type.
        """
        if kind not in self._states:
            raise Internal(
                f"no state of type `{kind.__qualname__}` registered -- "
                f"give it to App(state=[...]) or app.with_state(...)"
            )
        found: _T = self._states[kind]  # type: ignore[assignment]  # registered under its own type
        return found

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.path}>"

    async def _read_all(self, limit: int) -> _Bytes:
        read = self._begin().read
        chunks = []
        size = 0
        while chunk := await read(_CHUNK_BYTES):
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            chunks.append(chunk)
        # One chunk is what nearly every body is.
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _headers_for(self, body: object) -> Headers:
        """The header fields with the length of another body, where that is known."""
        headers = MutableHeaders(self.headers)
        had_length = "content-length" in headers
        headers.discard("content-length")
        if had_length and isinstance(body, bytes):
            headers.add("content-length", str(len(body)))
        return headers

    async def _remaining(self) -> AsyncIterator[_Bytes]:
        source = self._begin()
        while chunk := await source.read(_CHUNK_BYTES):
            yield chunk

    def _begin(self) -> ByteSource:
        if self._body is not None:
            return MemorySource(self.method, "/", body=self._body)
        if self._streamed:
            raise RuntimeError("the request body was read already")
        self._streamed = True
        return self._source


def decode_path_value(name: str, raw: bytes) -> str:
    """Return a path parameter as text.

    Raises:
        BadRequest: It is not UTF-8.
    """
    try:
        return (percent_decode(raw) if PERCENT in raw else raw).decode()
    except UnicodeDecodeError:
        raise BadRequest(f"{BAD_PATH}: {name}: not UTF-8") from None


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"request body too large: the limit is {limit} bytes")


def _declared(found: _S | None, noun: str, table: str) -> _S:
    if found is None:
        raise Internal(f"no {noun} configured -- check [{table}]")
    return found
