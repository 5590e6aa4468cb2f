"""Methods that both clients have in common.

```python
response = client.post("/notes", json={"title": "Bread"})
assert response.status == 201
async with client.aio.stream("GET", "/export") as response:
    async for piece in response.aiter_bytes():
        ...
```

A subclass says how one request is answered. Everything runs on the client's own thread,
so that the deadline holds whatever an application does.
"""

import abc
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, MutableMapping
from datetime import datetime
from types import EllipsisType
from typing import Any, Self

from edgezero_spin.core.event_handlers import AppEvent
from edgezero_spin.core.headers import HeaderInput
from edgezero_spin.events import CronEvent, MqttMessage, RedisMessage
from edgezero_spin.stores.json_values import encode
from edgezero_spin.testing.auth import AuthInput, checked_auth, send_with_auth
from edgezero_spin.testing.clock import nanoseconds_of
from edgezero_spin.testing.cookie_jar import Cookies
from edgezero_spin.testing.databases import DatabaseViews
from edgezero_spin.testing.event_result import EventResult
from edgezero_spin.testing.outbound import HttpScript
from edgezero_spin.testing.portal import Portal
from edgezero_spin.testing.requests import Content, Files, KitRequest, Params, make_request
from edgezero_spin.testing.response import ClientResponse, Usage
from edgezero_spin.testing.store_control import StoreControl, StoreViews
from edgezero_spin.testing.store_log import StoreLog

__all__ = ["DEFAULT_DEADLINE_S", "AsyncClient", "Client"]

# pytest shows a failure where the test made it happen, not here.
__tracebackhide__ = True

DEFAULT_DEADLINE_S = 10.0
"""Seconds that a request may take unless the client says otherwise."""


class Client(abc.ABC):
    """A client of one application. Use it in ``with``, or ``close`` it.

    Attributes:
        mode: ``native`` or ``component``.
        stores: What is to happen to calls on stores; see ``StoreControl``.
        sqlite: The SQLite databases by label; see ``DatabaseView``.
        env: Environment variables; what a test sets is there from the next request on.
        secrets: Variables by the name that the application asks for, alive as well.
        deadline_s: Seconds that one request may take; ``None`` for no limit.
        cookies: What answers have set, sent with the next requests; see ``Cookies``.
        auth: The credentials of requests that have none of their own, ``None`` for none.
        http: Answers to what the application sends out; see ``HttpScript``.
        usages: What each request cost a component; empty for a native app.
    """

    mode: str
    __test__ = False

    def __init__(
        self,
        stores: StoreControl,
        *,
        databases: DatabaseViews,
        env: Mapping[str, str] | None,
        secrets: MutableMapping[str, str],
        deadline_s: float | None,
        grace_s: float = 0.0,
        cookies: Mapping[str, str] | None = None,
        auth: AuthInput = None,
        now_ns: int | None = None,
    ) -> None:
        self.stores = stores
        self.sqlite = databases
        self.env: dict[str, str] = dict(env or {})
        self.secrets = secrets
        self.deadline_s = deadline_s
        clock = time.time if now_ns is None else lambda: now_ns / 1e9
        self.cookies = Cookies(cookies, clock)
        self.auth = checked_auth(auth)
        self.http = HttpScript()
        self.usages: list[Usage] = []
        self._portal = Portal(deadline_s, grace_s)
        # What else ends with the client.
        self._owned: list[Callable[[], None]] = [databases.close]

    # What a test sees

    @property
    def kv(self) -> StoreViews:
        """The key-value stores by label; config stores are among them."""
        return self.stores.kv

    @property
    def config(self) -> StoreViews:
        """The same: on Spin a config store is a key-value store."""
        return self.stores.kv

    @property
    def calls(self) -> StoreLog:
        """Every call on a store so far; ``calls.clear()`` starts anew."""
        return self.stores.calls

    @property
    def aio(self) -> "AsyncClient":
        """The same client for ``async`` tests."""
        return AsyncClient(self)

    # Requests

    def request(
        self,
        method: str,
        target: str,
        *,
        headers: HeaderInput = (),
        params: Params | None = None,
        json: Any = ...,
        data: Params | None = None,
        files: Files | None = None,
        content: Content = b"",
        trailers: HeaderInput = (),
        cookies: Mapping[str, str] | None = None,
        auth: "AuthInput | EllipsisType" = ...,
    ) -> ClientResponse:
        """Send a request and read the whole answer.

        Args:
            method: As it is sent: ``GET``.
            target: A path with or without query, or a whole URL.
            headers: Fields in order.
            params: Added to the query.
            json: A body written as JSON.
            data: A body written as a form.
            files: The files of a form, sent in parts with the fields of ``data``: bytes, text, an
                open file, or ``(filename, content)`` or ``(filename, content, type)`` by name.
            content: The body, or its pieces.
            trailers: Fields behind the body.
            cookies: Cookies of this request only, over those of the client.
            auth: Its credentials as httpx takes them: ``(user, password)`` for Basic, a function
                that takes an ``httpx.Request`` and returns it, or an ``httpx.Auth``; ``None`` for
                none, whatever the client has.

        Raises:
            NoAnswerError: The deadline passed.
            BrokenBodyError: The body of the answer broke off.
        """
        asked = make_request(
            method,
            target,
            headers=headers,
            params=params,
            json=json,
            data=data,
            files=files,
            content=content,
            trailers=trailers,
            cookies=cookies,
            auth=auth,
        )
        response: ClientResponse = self._portal.call(self._whole(asked), str(asked))
        return response

    def get(self, target: str, **parts: Any) -> ClientResponse:
        """Send ``GET``; the arguments are those of ``request``."""
        return self.request("GET", target, **parts)

    def head(self, target: str, **parts: Any) -> ClientResponse:
        """Send ``HEAD``."""
        return self.request("HEAD", target, **parts)

    def post(self, target: str, **parts: Any) -> ClientResponse:
        """Send ``POST``."""
        return self.request("POST", target, **parts)

    def put(self, target: str, **parts: Any) -> ClientResponse:
        """Send ``PUT``."""
        return self.request("PUT", target, **parts)

    def patch(self, target: str, **parts: Any) -> ClientResponse:
        """Send ``PATCH``."""
        return self.request("PATCH", target, **parts)

    def delete(self, target: str, **parts: Any) -> ClientResponse:
        """Send ``DELETE``."""
        return self.request("DELETE", target, **parts)

    def options(self, target: str, **parts: Any) -> ClientResponse:
        """Send ``OPTIONS``."""
        return self.request("OPTIONS", target, **parts)

    @contextlib.contextmanager
    def stream(self, method: str, target: str, **parts: Any) -> Iterator[ClientResponse]:
        """Send a request and read its answer piece by piece."""
        asked = make_request(method, target, **parts)
        response = self._portal.call(self._send(asked), str(asked))
        try:
            yield response
        finally:
            response.close()

    # Events

    def redis(self, channel: str, payload: bytes | str = b"", *, json: Any = ...) -> EventResult:
        """Hand over a message on a channel of Redis, as if it had been published.

        Args:
            channel: The channel.
            payload: The content; text is UTF-8.
            json: The content, written as JSON.

        Raises:
            KitError: Nothing listens to that channel.
            NoAnswerError: The deadline passed.
        """
        return self._event(RedisMessage(channel, _payload(payload, json)))

    def mqtt(
        self, topic: str, payload: bytes | str = b"", *, qos: int = 0, json: Any = ...
    ) -> EventResult:
        """Hand over a message on a topic of MQTT, as if it had been published.

        Args:
            topic: The topic, without wildcards.
            payload: The content; text is UTF-8.
            qos: Its quality of service.
            json: The content, written as JSON.

        Raises:
            KitError: Nothing listens to that topic.
            NoAnswerError: The deadline passed.
        """
        return self._event(MqttMessage(topic, _payload(payload, json), qos))

    def cron(self, expression: str, *, at: datetime | None = None) -> EventResult:
        """Have a cron expression come true.

        Args:
            expression: As the handler is declared.
            at: When; UTC unless it has a zone. Now where it is left out.

        Raises:
            KitError: Nothing is due then.
            NoAnswerError: The deadline passed.
        """
        return self._event(_moment(expression, at))

    def _event(self, event: AppEvent) -> EventResult:
        result: EventResult = self._portal.call(self._take(event), str(event))
        return result

    @abc.abstractmethod
    async def _take(self, event: AppEvent) -> EventResult:
        """Have whoever listens take an event. Runs on the client's thread."""

    async def _whole(self, request: KitRequest) -> ClientResponse:
        response = await self._send(request)
        await response.aread()
        return response

    async def _send(self, request: KitRequest) -> ClientResponse:
        return await send_with_auth(self.cookies.sent_with(request), self.auth, self._send_once)

    async def _send_once(self, request: KitRequest) -> ClientResponse:
        response = await self._answer(request)
        self.cookies.take(request, response.headers)
        return response

    @abc.abstractmethod
    async def _answer(self, request: KitRequest) -> ClientResponse:
        """Return the answer as soon as its head is there. Runs on the client's thread."""

    # Its end

    def close(self) -> None:
        """Free what the client holds. Twice is harmless."""
        self._portal.close()
        for close in self._owned:
            close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _payload(payload: bytes | str, json: Any) -> bytes:
    if json is not ...:
        return encode(json)
    return payload.encode() if isinstance(payload, str) else payload


def _moment(expression: str, at: datetime | None) -> CronEvent:
    if at is None:
        return CronEvent(expression)
    return CronEvent(expression, nanoseconds_of(at) // 1_000_000_000)


class AsyncClient:
    """The methods of a client as coroutines: ``await client.aio.get("/")``."""

    def __init__(self, client: Client) -> None:
        """Made by ``Client.aio``."""
        self._client = client

    async def request(self, method: str, target: str, **parts: Any) -> ClientResponse:
        """Send a request and read the whole answer; see ``Client.request``."""
        asked = make_request(method, target, **parts)
        client = self._client
        return await client._portal.acall(client._whole(asked), str(asked))

    async def get(self, target: str, **parts: Any) -> ClientResponse:
        """Send ``GET``."""
        return await self.request("GET", target, **parts)

    async def head(self, target: str, **parts: Any) -> ClientResponse:
        """Send ``HEAD``."""
        return await self.request("HEAD", target, **parts)

    async def post(self, target: str, **parts: Any) -> ClientResponse:
        """Send ``POST``."""
        return await self.request("POST", target, **parts)

    async def put(self, target: str, **parts: Any) -> ClientResponse:
        """Send ``PUT``."""
        return await self.request("PUT", target, **parts)

    async def patch(self, target: str, **parts: Any) -> ClientResponse:
        """Send ``PATCH``."""
        return await self.request("PATCH", target, **parts)

    async def delete(self, target: str, **parts: Any) -> ClientResponse:
        """Send ``DELETE``."""
        return await self.request("DELETE", target, **parts)

    async def options(self, target: str, **parts: Any) -> ClientResponse:
        """Send ``OPTIONS``."""
        return await self.request("OPTIONS", target, **parts)

    @contextlib.asynccontextmanager
    async def stream(self, method: str, target: str, **parts: Any) -> AsyncIterator[ClientResponse]:
        """Send a request and read its answer piece by piece."""
        asked = make_request(method, target, **parts)
        client = self._client
        response = await client._portal.acall(client._send(asked), str(asked))
        try:
            yield response
        finally:
            await response.aclose()

    async def redis(
        self, channel: str, payload: bytes | str = b"", *, json: Any = ...
    ) -> EventResult:
        """Hand over a message of Redis; see ``Client.redis``."""
        return await self._event(RedisMessage(channel, _payload(payload, json)))

    async def mqtt(
        self, topic: str, payload: bytes | str = b"", *, qos: int = 0, json: Any = ...
    ) -> EventResult:
        """Hand over a message of MQTT; see ``Client.mqtt``."""
        return await self._event(MqttMessage(topic, _payload(payload, json), qos))

    async def cron(self, expression: str, *, at: datetime | None = None) -> EventResult:
        """Have a cron expression come true; see ``Client.cron``."""
        return await self._event(_moment(expression, at))

    async def _event(self, event: AppEvent) -> EventResult:
        client = self._client
        return await client._portal.acall(client._take(event), str(event))
