"""Test an app in this process: no wasm, no build, and the stores of a Spin host.

What a host changes on the way is changed here too, so that one test can hold for both: the
headers that it adds to a request and takes from it, and the length of a response.

Source: contract spin-host.md, HDR-1 to HDR-7, HDR-11, HDR-13, HDR-15, RESP-1, RESP-2.
"""

import random
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any

from edgezero_spin.core.app import App
from edgezero_spin.core.request import Request
from edgezero_spin.core.response import Response
from edgezero_spin.core.sources import MemorySource
from edgezero_spin.core.streaming import BodyStream
from edgezero_spin.environment import EnvironmentLayer
from edgezero_spin.manifest.spin import load_spin_manifest
from edgezero_spin.stores.backend import BackendError, KeyValueBackend
from edgezero_spin.stores.memory import MemorySecrets
from edgezero_spin.stores.opening import open_stores
from edgezero_spin.testing.client import DEFAULT_DEADLINE_S, Client
from edgezero_spin.testing.clock import nanoseconds_of
from edgezero_spin.testing.databases import DatabaseViews
from edgezero_spin.testing.errors import BrokenBodyError, PreloadError
from edgezero_spin.testing.grants import AppGrants, grants_of
from edgezero_spin.testing.native_outbound import ScriptTransport
from edgezero_spin.testing.requests import KitRequest
from edgezero_spin.testing.response import ClientResponse
from edgezero_spin.testing.store_control import ACCESS_DENIED, StoreControl
from edgezero_spin.testing.store_log import StoreCall
from edgezero_spin.testing.surroundings import Surroundings

__all__ = ["TestClient"]

# Headers that WASI HTTP keeps for the host (HTTP-3).
HOST_ONLY = frozenset(
    {
        "connection",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
    }
)
BODILESS = (204, 304)


class TestClient(Client):
    """A client of an ``App`` in this process.

    ```python
    client = TestClient(app, kv={"notes": {"bread": {"title": "Bread"}}})
    assert client.get("/notes/bread").json() == {"title": "Bread"}
    assert client.calls.texts == ["open notes", "get notes bread"]
    ```
    """

    mode = "native"
    __test__ = False

    def __init__(
        self,
        app: App,
        *,
        kv: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
        sqlite: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        now: datetime | None = None,
        seed: int | None = None,
        manifest: "str | PathLike[str] | None" = None,
        component: str | None = None,
        deadline_s: float | None = DEFAULT_DEADLINE_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Make a client with stores of its own.

        Args:
            app: What to test.
            kv: Label to entries. Bytes and text are stored as they are, other values as
                JSON. Stores that the app declares and that are not here are empty.
            config: Label to a table of config values; nested ones become dotted keys.
            sqlite: Label to what fills that database. An app cannot reach one natively; this
                is for tests of both modes.
            secrets: Secrets by name.
            variables: Variables of the application, for the templates of ``manifest``.
            env: Environment variables, ``EDGEZERO__*`` among them.
            now: What the clock says during requests, instead of the time that it is; UTC
                unless it has a zone. Needs time-machine, of the extra ``testing``.
            seed: Makes what is random for the app the same in every run.
            manifest: A ``spin.toml``: only what it grants the component is granted.
            component: The app's component in it; may be left out where it has one.
            deadline_s: Seconds that one request may take; ``None`` for no limit.
            sleep: What a delayed store call does.

        Raises:
            KitError: ``now`` is given and time-machine is not installed.
            PreloadError: A value is of a wrong kind.
            UnknownLabelError: A label is neither declared by the app nor granted.
            UnknownVariableError: The manifest knows no such variable.
        """
        app.compile()
        self.app = app
        grants = None if manifest is None else grants_of(load_spin_manifest(Path(manifest)))
        own = None if grants is None else grants.one(component)
        environment = {**({} if own is None else own.environment), **(env or {})}
        if own is None:
            if variables:
                raise PreloadError(
                    "variables",
                    "they fill templates of a spin.toml; name it with manifest=..., "
                    "or give secrets=... by the names that the app asks for",
                )
            labels: Iterable[str] = _labels_of(app, environment)
            remedy = "declare it in the app, App(kv=[...]), or look at EDGEZERO__STORES__* in env"
        else:
            labels = own.labels
            remedy = f"add it to key_value_stores in {grants and grants.path}"
        stores = StoreControl(dict.fromkeys(labels), remedy=remedy, sleep=sleep)
        stores.preload(kv, config)
        databases = DatabaseViews(
            () if own is None else own.databases,
            open_ended=own is None,
            remedy=f"add it to sqlite_databases in {grants and grants.path}",
        )
        databases.fill(sqlite or {})
        super().__init__(
            stores,
            databases=databases,
            env=environment,
            secrets=_checked_secrets(secrets),
            deadline_s=deadline_s,
        )
        self.variables: dict[str, str] = dict(variables or {})
        if grants is not None and own is not None:
            grants.check_set(self.variables, self.secrets, own.id)
        templates = {} if own is None else own.variables
        self._secrets = _Secrets(stores, self.secrets, templates, grants, self.variables)
        self._platform = _Platform(stores, self._secrets)

        def allows(scheme: str, authority: str) -> bool:
            if grants is None or own is None:
                return True
            return grants.allows(own, scheme, authority, self.variables)

        self._transport = ScriptTransport(self.http, allows)
        self._now_ns = None if now is None else nanoseconds_of(now)
        self._dice = None if seed is None else random.Random(seed)
        self._surroundings = self._around()
        self._portal.on_give_up = self._leave_behind

    def _leave_behind(self) -> None:
        # What was left behind may still run, with the old surroundings and no effect.
        self._surroundings.restore()
        self._surroundings = self._around()

    def _around(self) -> Surroundings:
        return Surroundings(self.env, now_ns=self._now_ns, dice=self._dice)

    def _stores(self) -> Any:
        return open_stores(self.app.declaration, self._platform, lambda: self.env)

    async def _answer(self, request: KitRequest) -> ClientResponse:
        begun = len(self.calls)
        outer = self._surroundings
        marks = len(outer.stdout), len(outer.stderr)
        source = MemorySource(request.method, request.target, (), request.body)
        source.scheme = request.scheme
        source.authority = request.authority
        asked = Request(_Source(source, _request_headers(request)))
        # An app that brings a transport of its own keeps it.
        asked._transport = self._transport
        with outer:
            response = await self.app.handle(asked, self._stores)
            if any(name in HOST_ONLY for name, _ in response.header_pairs):
                # A host refuses such a header, and the guest says so.
                response = _failed(response)
        body = response.body
        return ClientResponse(
            str(request),
            response.status,
            _response_headers(response, request.method),
            source=_Body(body, str(request), outer),
            runner=self._portal,
            calls=lambda: self.calls.since(begun),
            output=lambda: (bytes(outer.stdout[marks[0] :]), bytes(outer.stderr[marks[1] :])),
        )


def _labels_of(app: App, environment: Mapping[str, str]) -> list[str]:
    layer = EnvironmentLayer.from_mapping(environment)
    declared = app.declaration
    return [
        layer.store_name(kind, id)
        for kind, ids in (("kv", declared.kv), ("config", declared.config))
        if ids is not None
        for id in ids.ids
    ]


def _checked_secrets(secrets: Mapping[str, str] | None) -> dict[str, str]:
    for name, value in (secrets or {}).items():
        if not isinstance(value, str):
            raise PreloadError(
                f"secrets[{name!r}]",
                f"a variable is text, got the {type(value).__name__} {value!r}",
            )
    return dict(secrets or {})


def _request_headers(request: KitRequest) -> list[tuple[str, bytes]]:
    """What a component sees on the route ``/...``."""
    grouped: dict[str, list[bytes]] = {}
    for name, value in request.headers:
        if name not in HOST_ONLY and not name.startswith(("spin-", "spin_")):
            grouped.setdefault(name, []).append(value)
    added = {
        "spin-path-info": request.path,
        "spin-full-url": f"{request.scheme}://{request.authority}{request.target}",
        "spin-matched-route": "/...",
        "spin-base-path": "/",
        "spin-raw-component-route": "/...",
        "spin-component-route": "",
        "spin-client-addr": "127.0.0.1:0",
    }
    return [
        *((name, value) for name, values in grouped.items() for value in values),
        *((name, text.encode()) for name, text in added.items()),
    ]


def _response_headers(response: Response, method: str) -> list[tuple[str, bytes]]:
    """What a client of a host sees: the length at the end, or none where there is no body."""
    pairs = [pair for pair in response.header_pairs if pair[0] != "content-length"]
    lengths = [pair for pair in response.header_pairs if pair[0] == "content-length"]
    if response.status in BODILESS:
        return pairs
    if not lengths and response.body == b"":
        lengths = [("content-length", b"0")]
    return pairs + lengths[:1]


def _failed(refused: Response) -> Response:
    body = b'{"error":{"message":"internal error","status":500,"kind":"internal"}}'
    name = next(name for name, _ in refused.header_pairs if name in HOST_ONLY)
    print(f"a host does not take the response header {name!r}", file=sys.stderr)
    return Response(body, 500, [("content-type", "application/json"), ("content-length", "69")])


class _Source:
    """A request whose headers are those that a host hands on."""

    def __init__(self, source: MemorySource, headers: list[tuple[str, bytes]]) -> None:
        self.method = source.method
        self.raw_path = source.raw_path
        self.query = source.query
        self.scheme = source.scheme
        self.authority = source.authority
        self.read = source.read
        self._headers = headers

    def headers(self) -> list[tuple[str, bytes]]:
        return self._headers


class _Body:
    """A response body, pulled piece by piece."""

    def __init__(self, body: bytes | BodyStream, request: str, outer: Surroundings) -> None:
        self._whole = body if isinstance(body, bytes) else b""
        self._stream = body if isinstance(body, BodyStream) else None
        self._request = request
        self._outer = outer

    async def next_piece(self) -> bytes | None:
        if self._stream is None:
            whole, self._whole = self._whole, b""
            return whole or None
        with self._outer:
            try:
                return await anext(self._stream)
            except StopAsyncIteration:
                return None
            except Exception as error:
                sys.__excepthook__(type(error), error, error.__traceback__)
                reason = f"the handler raised {type(error).__name__}: {error}"
                raise BrokenBodyError(self._request, reason) from error

    async def aclose(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            with self._outer:
                await stream.aclose()


class _Secrets:
    """Variables: those that the test set, then those of the manifest's templates."""

    def __init__(
        self,
        stores: StoreControl,
        values: Mapping[str, str],
        templates: Mapping[str, str],
        grants: AppGrants | None,
        variables: Mapping[str, str],
    ) -> None:
        self._stores = stores
        self._memory = MemorySecrets(values)
        self._templates = templates
        self._grants = grants
        self._variables = variables

    def get(self, name: str) -> str | bytes | None:
        return self._stores.run(StoreCall("secret", "", name), lambda: self._value_of(name))

    def _value_of(self, name: str) -> str | bytes | None:
        value = self._memory.get(name)
        if value is None and self._grants is not None and name in self._templates:
            return self._grants.render(self._templates[name], self._variables)
        return value


class _Platform:
    """The host, as the facades see it."""

    def __init__(self, stores: StoreControl, secrets: _Secrets) -> None:
        self._stores = stores
        self._secrets = secrets

    def open_key_value(self, label: str) -> KeyValueBackend:
        try:
            return self._stores.open(label)
        except BackendError as error:
            if error.message == ACCESS_DENIED:
                raise BackendError(
                    "access-denied (the label is not in this component's key_value_stores in "
                    "spin.toml)"
                ) from None
            raise

    def secrets(self) -> _Secrets:
        return self._secrets
