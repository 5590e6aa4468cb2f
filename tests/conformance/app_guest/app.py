"""The guest of the conformance vectors as an app, the same for either generation of WASI.

``VECTOR`` in its environment says which one it plays. A vector that holds answers 200 with no
body; one that does not answers 500 and says what was wrong (CONF-0d). What an app cannot reach
(SQLite, ``wasi:config``, sockets) is left to the guest on the plain bindings.
"""

import asyncio
import hashlib
import json
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

from edgezero_spin import (
    App,
    Outbound,
    OutboundError,
    Request,
    Response,
    SecretError,
    StoreOpenError,
    run_app,
)

app = App(kv=["default", "forbidden"], secrets=["secrets"])


class VectorFailedError(Exception):
    """What the client reads in the 500."""


def must(holds: bool, what: str) -> None:
    if not holds:
        raise VectorFailedError(what)


def header(request: Request, name: str) -> str:
    found = request.headers.get_all(name)
    must(len(found) == 1, f"{name} came {len(found)} times")
    return found[0]


async def key_value(request: Request, outbound: Outbound) -> None:
    """KV-30."""
    try:
        await request.kv["forbidden"].exists("bar")
    except StoreOpenError as error:
        must("access-denied" in str(error), f"open(forbidden): {error}")
    else:
        must(False, "open(forbidden) succeeded")
    opened = request.kv.default

    async def keys() -> list[str]:
        return sorted([key async for key in opened.iter_keys()])

    await opened.delete("bar")
    must(not await opened.exists("bar"), "bar exists")
    must(await opened.get_bytes("bar") is None, "bar has a value")
    must(await keys() == [], f"keys {await keys()}")
    for value in (b"baz", b"wow"):
        await opened.put_bytes("bar", value)
        must(await opened.exists("bar"), "bar does not exist")
        must(await opened.get_bytes("bar") == value, f"bar is not {value!r}")
        must(await keys() == ["bar"], f"keys {await keys()}")
    await opened.put_bytes("qux", b"yay")
    must(await keys() == ["bar", "qux"], f"keys {await keys()}")
    for key in ("bar", "bar", "qux"):
        await opened.delete(key)
    must(not await opened.exists("qux"), "qux exists")
    must(await keys() == [], f"keys {await keys()}")


async def key_value_default(request: Request, outbound: Outbound) -> None:
    """Fails to open what is not granted."""
    try:
        await request.kv.default.exists("key")
    except StoreOpenError as error:
        must("access-denied" not in str(error), "Error::AccessDenied")


async def key_value_entry(request: Request, outbound: Outbound) -> None:
    value = await request.kv.default.get_bytes(header(request, "key"))
    must(value == header(request, "value").encode(), f"{value!r}")


async def request_shape(request: Request, outbound: Outbound) -> None:
    must(request.method == "GET", "method")
    must(request.authority == "example.com", f"authority {request.authority}")
    target = "/base/path/end/rest?key=value"
    asked = f"{request.raw_path.decode()}?{request.query_string}"
    must(asked == target, f"path {asked}")
    must(request.scheme in ("http", "https"), f"scheme {request.scheme}")
    route = "/base/:path_segment/:path_end"
    expected = {
        "spin-raw-component-route": f"{route}/...",
        "spin-matched-route": f"{route}/...",
        "spin-path-info": "/rest",
        "spin-base-path": "/",
        "spin-component-route": route,
        "spin-path-match-path-segment": "path",
        "spin-path-match-path-end": "end",
        "user-agent": "my-agent",
        "accept": "*/*",
    }
    for name, value in expected.items():
        must(header(request, name) == value, f"{name}: {header(request, name)}")
    url = header(request, "spin-full-url")
    must(url in (f"http://example.com{target}", f"https://example.com{target}"), url)
    known = {*expected, "spin-full-url"}
    for name, raw in request.headers.pairs:
        if name == "spin-client-addr":
            address = raw.decode()
            fits = re.fullmatch(r"(\d+\.\d+\.\d+\.\d+|\[[0-9a-f:]+\]):\d+", address)
            must(fits is not None, name)
        elif name.startswith(("spin-", "spin_")):
            must(name in known, f"unexpected {name}")


async def variables(request: Request, outbound: Outbound) -> None:
    secrets = request.secrets.default
    must(await secrets.get_bytes("variable") == b"value", "variable")
    must(await secrets.get_bytes("non_existent") is None, "non_existent has a value")
    for name in ("invalid-name", "invalid!name", "4invalidname"):
        try:
            value = await secrets.get_bytes(name)
        except SecretError:
            continue
        must(False, f"get({name}) gave {value!r}")


async def environment(request: Request, outbound: Outbound) -> None:
    for name, value in (("foo", "bar"), ("some_key", "some_value")):
        must(os.environ.get(name) == value, f"{name} is {os.environ.get(name)}")


async def loop_for_ever(request: Request, outbound: Outbound) -> None:
    while True:
        pass


async def relay(request: Request, outbound: Outbound) -> Response:
    """POST to ``url``, relay what comes back while it comes."""
    answer = await outbound.send("POST", header(request, "url"), body=b"Hello, world!")
    return Response(answer.stream(), answer.status, answer.headers.pairs)


async def files(request: Request, outbound: Outbound) -> Response:
    """The file that the path names."""
    try:
        return Response(Path(request.path).read_bytes())  # noqa: ASYNC240 - nothing else reads files
    except OSError:
        return Response(b"", 404)


async def own_application(request: Request, outbound: Outbound) -> Response:
    """``/`` asks ``url``, which is this application; it answers elsewhere."""
    if request.path != "/":
        return Response(b"the same application")
    return await front(request, outbound)


async def front(request: Request, outbound: Outbound) -> Response:
    answer = await outbound.send("GET", header(request, "url"))
    return Response(await answer.bytes(), answer.status)


async def middle(request: Request, outbound: Outbound) -> Response:
    answer = await outbound.send(
        "POST", "https://back.spin.internal/hello/from/middle", body=b"body from middle"
    )
    hops = await answer.json()
    return Response(json.dumps([header(request, "spin-path-info"), *hops]).encode())


async def back(request: Request, outbound: Outbound) -> Response:
    seen = {
        "path-info": header(request, "spin-path-info"),
        "method": f"Method_{request.method.title()}",
        "body": await request.text(),
    }
    return Response(json.dumps([seen]).encode())


async def streaming(request: Request, outbound: Outbound) -> Response:
    """``/echo``, ``/double-echo`` through this application's ``/echo``, and ``/hash-all``."""
    if request.path == "/echo":
        return Response(request.stream())
    if request.path == "/double-echo":
        answer = await outbound.send("POST", "http://self.alt/echo", body=request.stream())
        return Response(answer.stream())

    async def digest(url: str) -> str:
        answer = await outbound.send("GET", url)
        total = hashlib.sha256()
        async for piece in answer.stream():
            total.update(piece)
        return f"{url}: {total.hexdigest()}\n"

    lines = await asyncio.gather(*map(digest, header(request, "urls").split()))
    return Response("".join(lines).encode())


CHECKS: dict[str, Callable[[Request, Outbound], Awaitable[None]]] = {
    "key-value": key_value,
    "key-value-no-permission": key_value_default,
    "key-value-entry": key_value_entry,
    "request-shape": request_shape,
    "variables": variables,
    "environment": environment,
    "infinite-loop": loop_for_ever,
}

HANDLERS: dict[str, Callable[[Request, Outbound], Awaitable[Response]]] = {
    "outbound-http": relay,
    "files": files,
    "self": own_application,
    "front": front,
    "middle": middle,
    "back": back,
    "streaming": streaming,
}


@app.route("/", methods=["GET", "POST"])
@app.route("/{*path}", methods=["GET", "POST"])
async def play(request: Request, outbound: Outbound) -> Response:
    vector = os.environ["VECTOR"]
    try:
        if vector in HANDLERS:
            return await HANDLERS[vector](request, outbound)
        await CHECKS[vector](request, outbound)
    except OutboundError as error:
        case = "".join(word.title() for word in error.code.split("-"))
        return Response(f"incoming-response#get: ErrorCode::{case}".encode(), 500)
    except VectorFailedError as error:
        return Response(str(error).encode(), 500)
    return Response(b"", headers={"content-length": "0"})


IncomingHandler = run_app(app)
