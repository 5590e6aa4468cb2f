"""A handler on spin-sdk 3.4.1 alone: requests, headers, stores, variables and services."""

# spin-sdk is installed only where its component is built.
# mypy: disable-error-code="import-not-found, misc"

import json
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from spin_sdk import http, key_value, llm, mqtt, mysql, postgres, redis, variables
from spin_sdk.http import Request, Response
from spin_sdk.wit.types import Err

SERVICES = {
    "mqtt": lambda address: mqtt.open(address, "user", "password", 30),
    "mysql": mysql.open,
    "postgres": postgres.open,
    "redis": redis.open,
    "llm": lambda address: llm.infer(address.removeprefix("llm:"), "Hello?"),
}


class IncomingHandler(http.IncomingHandler):
    """Answers as ``tests/foreign/test_foreign.py`` asks."""

    def handle_request(self, request: Request) -> Response:
        path = urlsplit(request.uri).path
        if path == "/hello":
            return text("hello from spin-sdk\n")
        if path == "/seen":
            seen = {
                "method": request.method,
                "query": "?" + urlsplit(request.uri).query,
                "tag": request.headers.get("x-tag"),
                "route": request.headers.get("spin-raw-component-route"),
            }
            return Response(200, {"content-type": "application/json"}, json.dumps(seen).encode())
        if path == "/echo":
            return Response(200, {"content-type": "application/octet-stream"}, request.body)
        if path == "/visits":
            with key_value.open_default() as store:
                before = store.get("visits")
                visits = 1 if before is None else int(before) + 1
                store.set("visits", str(visits).encode())
            return text(str(visits))
        if path == "/greeting":
            return text(variables.get("greeting"))
        if path == "/forbidden":
            case, _ = error_of(key_value.open, "other")
            return text(case, 403)
        if path == "/service":
            address = request.headers["x-address"]
            error = error_of(SERVICES[urlsplit(address).scheme], address)
            return text(json.dumps(error))
        if path == "/relay":
            target = request.headers["x-target"]
            return http.send(Request("POST", target, {}, b"from spin-sdk"))
        if path == "/throw":
            raise RuntimeError("thrown on purpose")
        return text("nothing here\n", 404)


def text(content: str, status: int = 200) -> Response:
    return Response(status, {"content-type": "text/plain"}, content.encode())


def error_of(call: Callable[[str], object], argument: str) -> tuple[str, str | None]:
    """Case and message of what the call fails with, as WIT spells them."""
    try:
        call(argument)
    except Err as error:
        case = type(error.value).__name__.removeprefix("Error_")
        kebab = re.sub(r"(?<!^)(?=[A-Z])", "-", case).lower()
        return kebab, getattr(error.value, "value", None)
    return "nothing went wrong", None
