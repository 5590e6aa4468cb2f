"""Take the paths that every request takes, before there is a request.

CPython adapts bytecode to the types that it sees. Done while a component is built, that
work is part of the snapshot; left to the first request of a fresh instance it nearly doubles
what routing and answering cost there.

Source: measured with wasmtime's fuel, 80 000 instructions for a hello handler without and
43 000 with it.
"""

import sys
from collections.abc import Coroutine
from typing import Annotated, Any

import attrs

from edgezero_spin.core.annotations import Depends, Header, Json
from edgezero_spin.core.app import App
from edgezero_spin.core.cors import cors
from edgezero_spin.core.request import Request
from edgezero_spin.core.response import Response

__all__ = ["warm_up"]

# The interpreter adapts a function after a handful of calls; more changes nothing.
_ROUNDS = 40


@attrs.frozen
class _Item:
    name: str
    size: int = 0


def warm_up() -> None:
    """Answer some requests with an app of our own. No handler of the user's runs."""
    app = App()

    @app.get("/")
    async def text() -> str:
        return "warm"

    @app.get("/{name}/{number}")
    async def with_parameters(name: str, number: int) -> dict[str, object]:
        return {"name": name, "number": number}

    @app.post("/")
    def with_body(item: Json[dict[str, int]]) -> None:
        return None

    @app.put("/")
    async def with_model(item: Json[_Item]) -> _Item:
        return item

    def agent(user_agent: Header[str | None]) -> str | None:
        return user_agent

    layered = App()
    layered.middleware(cors(["https://example.com"]))

    @layered.get("/{name}")
    def with_fields(
        name: str,
        agent: Annotated[str, Depends(agent)],
        page: int = 1,
        tags: list[str] = [],  # noqa: B006  # nobody changes it
    ) -> str:
        return name

    # A module that the app has no use for is not to be in its component.
    access_log = sys.modules.get("edgezero_spin.core.access_log")
    line_of = getattr(access_log, "text_line", None)
    for _ in range(_ROUNDS):
        if line_of is not None:
            line_of(Request.of("GET", "/"), Response(b"warm"), 0)
        _finish(layered.handle(Request.of("GET", "/a?page=1&tags=a", {"user-agent": "a"})))
        _finish(app.handle(Request.of("GET", "/")))
        _finish(app.handle(Request.of("GET", "/a/1")))
        _finish(app.handle(Request.of("POST", "/", body=b'{"a":1}')))
        _finish(app.handle(Request.of("PUT", "/", body=b'{"name":"a","size":1}')))


def _finish(coroutine: Coroutine[Any, Any, object]) -> None:
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
