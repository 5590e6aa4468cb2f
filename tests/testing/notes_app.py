"""A small app that the tests of the kit test."""

import asyncio
import logging
import os
import random
import secrets
import sys
import time
import uuid
import warnings
from collections.abc import Iterator
from datetime import UTC, date, datetime
from os import urandom
from time import time as clock
from typing import Any

import attrs

from edgezero_spin import (
    App,
    Config,
    Headers,
    Json,
    Kv,
    NotFound,
    Outbound,
    OutboundError,
    Request,
    Response,
    Secrets,
)

__all__ = ["Note", "make_app"]


@attrs.frozen
class Note:
    """What the app keeps."""

    title: str
    tags: list[str] = attrs.field(factory=list)


def make_app() -> App:
    """Return a new app with every kind of store."""
    app = App("kit", kv=["notes", "views"], config=["settings"], secrets=["vault"])

    @app.get("/notes/{id}")
    async def show(id: str, kv: Kv) -> Note:
        note = await kv["notes"].get(id, Note)
        if note is None:
            raise NotFound(f"note {id}")
        return note

    @app.put("/notes/{id}")
    async def save(id: str, note: Json[Note], kv: Kv) -> tuple[int, Note]:
        await kv["notes"].put(id, note)
        return 201, note

    @app.delete("/notes/{id}")
    async def remove(id: str, kv: Kv) -> None:
        await kv["notes"].delete(id)

    @app.get("/raw/{label}/{id}")
    async def raw(label: str, id: str, kv: Kv) -> bytes:
        return await kv[label].get_bytes(id) or b"nothing"

    @app.get("/keys")
    async def keys(kv: Kv) -> list[str]:
        return [key async for key in kv["notes"].iter_keys()]

    @app.get("/config/{key}")
    async def setting(key: str, config: Config) -> str:
        return await config.default.get(key) or "unset"

    @app.get("/secret/{key}")
    async def secret(key: str, vault: Secrets) -> str:
        return await vault.default.require_str(key)

    @app.get("/environment/{name}")
    async def environment(name: str) -> str:
        return os.environ.get(name, "unset")

    @app.get("/headers")
    async def headers(headers: Headers) -> list[list[str]]:
        return [[name, value.decode("latin-1")] for name, value in headers.pairs]

    @app.post("/echo")
    async def echo(request: Request) -> dict[str, Any]:
        body = await request.bytes()
        return {
            "query": request.query_string,
            "path": request.path,
            "type": request.headers.get("content-type"),
            "body": body.decode(),
        }

    @app.get("/pieces/{count}")
    async def pieces(count: int) -> Iterator[bytes]:
        return (b"%d\n" % number for number in range(count))

    @app.get("/broken")
    async def broken() -> Iterator[bytes]:
        def chunks() -> Iterator[bytes]:
            yield b"the beginning\n"
            raise KeyError("halfway")

        return chunks()

    @app.get("/say")
    async def say() -> str:
        print("to stdout")
        print("to stderr", file=sys.stderr)
        return "said"

    @app.get("/log/{level}")
    async def log(level: str) -> str:
        try:
            raise KeyError("cause")
        except KeyError:
            logging.getLogger("kit.log").log(
                logging.getLevelNamesMapping()[level], "logged %s", level, exc_info=level == "ERROR"
            )
        return "logged"

    @app.get("/fail")
    async def fail() -> str:
        raise RuntimeError("on purpose")

    @app.get("/clock")
    async def read_clock() -> dict[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            old = datetime.utcnow()
        return {
            "time": time.time(),
            "time_ns": time.time_ns(),
            "imported": clock(),
            "now": str(datetime.now()),
            "now in UTC": str(datetime.now(UTC)),
            "utcnow": str(old),
            "today": [str(datetime.today()), str(date.today())],
            "localtime": list(time.localtime()),
            "gmtime": list(time.gmtime()),
            "text": [time.ctime(), time.strftime("%Y-%m-%d %H:%M:%S"), time.asctime()],
            "zone": [time.timezone, time.altzone, list(time.tzname)],
            "then": [str(datetime.fromtimestamp(0)), list(time.localtime(0))],
            "aware": str(datetime.now().astimezone()),
            "TZ": os.environ.get("TZ"),
        }

    @app.get("/timers")
    async def timers() -> list[bool]:
        before = time.monotonic(), time.perf_counter(), asyncio.get_running_loop().time()
        await asyncio.sleep(0.002)
        after = time.monotonic(), time.perf_counter(), asyncio.get_running_loop().time()
        return [late - early >= 0.001 for early, late in zip(before, after, strict=True)]

    @app.get("/random")
    async def dice() -> dict[str, Any]:
        found = {
            "random": random.random(),
            "secrets": secrets.token_hex(8),
            "uuid4": str(uuid.uuid4()),
            "urandom": os.urandom(4).hex(),
            "imported": urandom(4).hex(),
            "another generator": random.Random().random(),
            "SystemRandom": random.SystemRandom().random(),
        }
        random.seed()
        return {**found, "seeded anew": random.random(), "seeded": random.Random(7).random()}

    @app.get("/spin")
    async def spin() -> str:
        while True:
            pass

    @app.get("/wait")
    async def wait() -> str:
        await asyncio.Event().wait()
        return "never"

    @app.get("/block")
    def block() -> str:
        time.sleep(1.5)
        return "too late"

    @app.get("/forbidden")
    async def forbidden() -> Response:
        return Response("x", headers={"connection": "close"})

    @app.get("/nothing")
    async def nothing() -> None:
        return None

    @app.post("/fetch/{method}/{scheme}/{host}/{*path}")
    async def fetch(
        request: Request, outbound: Outbound, method: str, scheme: str, host: str, path: str
    ) -> tuple[int, str]:
        body = await request.bytes()
        url = f"{scheme}://{host}/{path}"
        try:
            answer = await outbound.send(method, url, headers={"x-sent": "1"}, body=body)
        except OutboundError as error:
            return 502, f"{error.code}: {error}"
        return answer.status, await answer.text()

    @app.post("/relay/{method}/{scheme}/{host}/{*path}")
    async def relay(
        request: Request, outbound: Outbound, method: str, scheme: str, host: str, path: str
    ) -> dict[str, Any]:
        """Everything that is to be seen of an answer."""
        url = f"{scheme}://{host}/{path}" + (
            f"?{request.query_string}" if request.query_string else ""
        )
        try:
            answer = await outbound.send(
                method, url, headers={"x-sent": "1"}, body=await request.bytes()
            )
            body = await answer.bytes()
        except OutboundError as error:
            return {"code": error.code}
        headers = [[name, value.decode("latin-1")] for name, value in answer.headers.pairs]
        return {"status": answer.status, "headers": headers, "body": body.decode("latin-1")}

    @app.get("/again")
    async def again(outbound: Outbound) -> tuple[int, str]:
        try:
            answer = await outbound.send("GET", "http://self.alt/again")
        except OutboundError as error:
            return 508, error.code
        return answer.status, f"{await answer.text()}, again"

    @app.get("/forward/{host}")
    async def forward(request: Request, outbound: Outbound, host: str) -> Response:
        return await outbound.forward(request, f"https://{host}/there")

    return app
