"""Requests that an app sends natively: answered by the script, by the app itself, or by another
app of the same application.

What the manifest does not allow is denied before anything else, as on a host.

Source: contract spin-host.md, CHAIN-1 to CHAIN-12, TEST-15, TEST-16, NET-1 to NET-12.
"""

import asyncio
from collections.abc import AsyncIterable, Mapping
from contextvars import ContextVar

import attrs

from edgezero_spin.core.headers import Headers
from edgezero_spin.core.outbound import OutboundError
from edgezero_spin.core.outbound import OutboundRequest as Sent
from edgezero_spin.testing.errors import BrokenBodyError
from edgezero_spin.testing.native_component import NativeComponent
from edgezero_spin.testing.native_messages import (
    NativeAnswer,
    NativeBody,
    added_headers,
    kept_headers,
    promised_length,
    response_headers,
)
from edgezero_spin.testing.native_routes import NativeRoutes
from edgezero_spin.testing.outbound import CHAIN_DOMAIN, MAX_DEPTH, HttpScript, SentRequest
from edgezero_spin.testing.outbound import is_self as is_to_itself
from edgezero_spin.testing.requests import DEFAULT_AUTHORITY, KitRequest
from edgezero_spin.testing.surroundings import Surroundings, environment

__all__ = ["NativeTransport"]

# How many calls between components of this application wait for the present one.
_depth: ContextVar[int] = ContextVar("edgezero_testing_depth", default=0)


@attrs.frozen
class NativeTransport:
    """The ``OutboundTransport`` of one app under test.

    Attributes:
        component: Who sends.
        components: The apps of the application, by component id.
        routes: Of the application.
        script: Of the test.
        outer: What surrounds the request that is being answered.
    """

    component: NativeComponent
    components: Mapping[str, NativeComponent]
    routes: NativeRoutes
    script: HttpScript
    outer: Surroundings

    async def send(self, request: Sent) -> "_Reply":
        """Send a request and return its answer."""
        authority = request.authority
        if not self.component.allows(request.scheme, authority):
            raise OutboundError.of_code("HTTP-request-denied")
        body = b"".join(
            [chunk async for chunk in request.body]
            if isinstance(request.body, AsyncIterable)
            else request.body
        )
        asked = SentRequest(
            request.method,
            f"{request.scheme}://{authority}{request.target}",
            Headers.received(request.headers),
            body,
            request.timeout_s,
            Headers() if request.trailers is None else Headers(request.trailers()),
        )
        if not self.script.answers(asked.method, asked.url):
            if is_to_itself(authority):
                return await self._ask_itself(asked, request.target)
            id, _, domain = authority.partition(":")[0].partition(".")
            if domain == CHAIN_DOMAIN:
                return await self._ask_another(id, asked, request.target, authority)
        answer = self.script.answer(asked)
        if answer.error is not None:
            code = answer.code
            raise OutboundError.of_code(code, "" if code == answer.error else answer.error)
        return _Reply(answer.status, list(answer.headers.pairs), answer.content)

    async def _ask_itself(self, asked: SentRequest, target: str) -> "_Reply":
        request = _inbound(asked, target, DEFAULT_AUTHORITY)
        found = self.routes.find(request)
        if found is None:
            return _Reply(404, [("content-length", b"0")], b"")
        id, added = found
        component = self.components.get(id)
        if component is None:
            raise OutboundError.of_code("internal-error", self._without_app(id, asked))
        return await self._ask(
            component, request, [*kept_headers(request), *added], asked.timeout_s
        )

    async def _ask_another(
        self, id: str, asked: SentRequest, target: str, authority: str
    ) -> "_Reply":
        other = self.components.get(id)
        if other is None:
            grants = self.component.grants
            if grants is not None and id in grants.components:
                raise OutboundError.of_code("internal-error", self._without_app(id, asked))
            raise OutboundError.of_code("destination-not-found")
        request = _inbound(asked, target, authority)
        full_url = f"http://{DEFAULT_AUTHORITY}{target}"
        added = added_headers(request, full_url=full_url, client_addr="0.0.0.0:0")
        return await self._ask(other, request, [*kept_headers(request), *added], asked.timeout_s)

    def _without_app(self, id: str, asked: SentRequest) -> str:
        url = asked.url.partition("?")[0]
        return (
            f"the component {id!r} has no app in this test; give apps={{{id!r}: app}} to the "
            f"TestClient, or script an answer with client.http.on({url!r}, ...)"
        )

    async def respond(
        self, component: NativeComponent, request: KitRequest, headers: list[tuple[str, bytes]]
    ) -> NativeAnswer:
        """Have a component answer, in its own environment, not in that of the sender."""
        transport = attrs.evolve(self, component=component)
        if component is self.component:
            return await component.respond(request, headers, transport)
        before = {} if self.component.own is None else self.component.own.environment
        with environment(component.environment(), instead_of=before):
            return await component.respond(request, headers, transport)

    async def _ask(
        self,
        component: NativeComponent,
        request: KitRequest,
        headers: list[tuple[str, bytes]],
        timeout_s: float | None,
    ) -> "_Reply":
        depth = _depth.get()
        if depth + 1 >= MAX_DEPTH:
            raise OutboundError.of_code("connection-limit-reached")
        token = _depth.set(depth + 1)
        try:
            try:
                async with asyncio.timeout(timeout_s):
                    answer = await self.respond(component, request, headers)
            except TimeoutError:
                raise OutboundError.of_code("connection-read-timeout") from None
            response = answer.response
            pairs = response_headers(response, request.method)
            length = promised_length(pairs, request.method)
            body = NativeBody(answer, str(request), self.outer, length)
            parts = []
            try:
                while (piece := await body.next_piece()) is not None:
                    parts.append(piece)
            except BrokenBodyError:
                return _Reply(response.status, pairs, b"".join(parts), broken=True)
            finally:
                await body.aclose()
            content = b"".join(parts)
            return _Reply(response.status, pairs, content, trailers=body.trailers())
        finally:
            _depth.reset(token)


def _inbound(asked: SentRequest, target: str, authority: str) -> KitRequest:
    path, mark, query = target.partition("?")
    return KitRequest(
        asked.method,
        path,
        query if mark else None,
        list(asked.headers.pairs),
        authority,
        "http",
        asked.content,
        list(asked.trailers.pairs),
    )


@attrs.define(eq=False)
class _Reply:
    """A whole answer, read in pieces."""

    status: int
    headers: list[tuple[str, bytes]]
    _rest: bytes
    _broken: bool = False
    _trailers: list[tuple[str, bytes]] = attrs.field(factory=list)

    async def read(self, limit: int) -> bytes:
        piece, self._rest = self._rest[:limit], self._rest[limit:]
        if not piece and self._broken:
            raise OutboundError("failed to read proxy response body: it broke off")
        return piece

    async def trailers(self) -> list[tuple[str, bytes]]:
        return self._trailers

    def close(self) -> None:
        self._rest, self._broken = b"", False
