"""A handler on spin-sdk 3.4.1 alone: requests, headers, a key-value store and variables."""

# spin-sdk is installed only where its component is built.
# mypy: disable-error-code="import-not-found, misc"

import json
from urllib.parse import urlsplit

from spin_sdk import http, key_value, variables
from spin_sdk.http import Request, Response
from spin_sdk.wit.types import Err


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
            try:
                key_value.open("other")
            except Err as error:
                case = type(error.value).__name__
                return text({"Error_AccessDenied": "access-denied"}.get(case, case), 403)
            return text("opened")
        if path == "/relay":
            target = request.headers["x-target"]
            return http.send(Request("POST", target, {}, b"from spin-sdk"))
        if path == "/throw":
            raise RuntimeError("thrown on purpose")
        return text("nothing here\n", 404)


def text(content: str, status: int = 200) -> Response:
    return Response(status, {"content-type": "text/plain"}, content.encode())
