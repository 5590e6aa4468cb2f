"""The guest of every conformance vector, on the plain WIT bindings.

``VECTOR`` in its environment says which one it plays. A vector that holds answers 200 with
no body; one that does not answers 500 and says in one write what was wrong (CONF-0d).
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from componentize_py_types import Err, Ok
from wit_world.imports import (
    instance_network,
    key_value,
    network,
    outgoing_handler,
    poll,
    sqlite,
    store,
    streams,
    tcp_create_socket,
    types,
    variables,
)

Task = Generator[poll.Pollable, None, Any]


class VectorFailedError(Exception):
    """What the client reads in the 500."""


def must(holds: bool, what: str) -> None:
    if not holds:
        raise VectorFailedError(what)


def shown(error: Any) -> str:
    """``Error::AccessDenied``, as the Rust SDK writes it."""
    case = type(error).__name__.replace("_", "::")
    value = getattr(error, "value", None)
    return case if value is None else f'{case}("{value}")'


def denied(error: Err, expected: type, what: str) -> None:
    must(isinstance(error.value, expected), f"{what}: {shown(error.value)}")


# Waiting


def run(*tasks: Task) -> list[Any]:
    """Run tasks side by side; each yields what it waits for, and its result is returned."""
    results: list[Any] = [None] * len(tasks)
    waiting: dict[int, poll.Pollable] = {}

    def advance(index: int) -> None:
        try:
            waiting[index] = next(tasks[index])
        except StopIteration as stop:
            results[index] = stop.value

    for index in range(len(tasks)):
        advance(index)
    while waiting:
        order = list(waiting)
        for ready in poll.poll([waiting[index] for index in order]):
            waiting.pop(order[ready]).__exit__(None, None, None)
            advance(order[ready])
    return results


def pieces(stream: streams.InputStream, limit: int, take: Callable[[bytes], Task]) -> Task:
    """Hand over what arrives, piece by piece."""
    while True:
        yield stream.subscribe()
        try:
            data = stream.read(limit)
        except Err as error:
            if isinstance(error.value, streams.StreamError_Closed):
                return
            raise
        yield from take(data)


def written(stream: streams.OutputStream) -> Callable[[bytes], Task]:
    def write(data: bytes) -> Task:
        while data:
            yield stream.subscribe()
            budget = stream.check_write()
            stream.write(data[:budget])
            data = data[budget:]
        stream.flush()

    return write


# Requests and responses


class Incoming:
    """An incoming request or response with its body."""

    def __init__(self, message: Any) -> None:
        self.message = message
        fields = message.headers()
        self.entries: list[tuple[str, bytes]] = fields.entries()
        fields.__exit__(None, None, None)
        self.body = message.consume()
        self.stream = self.body.stream()

    def header(self, name: str) -> str:
        found = [value.decode() for key, value in self.entries if key == name.lower()]
        must(len(found) == 1, f"{name} came {len(found)} times")
        return found[0]

    def pieces(self, take: Callable[[bytes], Task], limit: int = 16384) -> Task:
        yield from pieces(self.stream, limit, take)
        self.stream.__exit__(None, None, None)
        types.IncomingBody.finish(self.body).__exit__(None, None, None)

    def read(self) -> Task:
        parts: list[bytes] = []

        def keep(data: bytes) -> Task:
            parts.append(data)
            yield from ()

        yield from self.pieces(keep)
        return b"".join(parts)


class Outgoing:
    """The body of an outgoing request or response."""

    def __init__(self, message: Any) -> None:
        self.body = message.body()
        self.stream = self.body.write()
        self.write = written(self.stream)

    def finish(self) -> None:
        self.stream.__exit__(None, None, None)
        types.OutgoingBody.finish(self.body, None)

    def drop(self) -> None:
        self.stream.__exit__(None, None, None)
        self.body.__exit__(None, None, None)


def respond(
    out: types.ResponseOutparam, status: int = 200, headers: list[tuple[str, bytes]] | None = None
) -> Outgoing:
    """Set a response whose body is to be streamed."""
    response = types.OutgoingResponse(types.Fields.from_list(headers or []))
    response.set_status_code(status)
    outgoing = Outgoing(response)
    types.ResponseOutparam.set(out, Ok(response))
    return outgoing


def request_to(
    url: str, method: Any = None, headers: list[tuple[str, bytes]] | None = None
) -> types.OutgoingRequest:
    """A request for a URL; one that starts with ``/`` is for the application itself."""
    parts = urlsplit(url)
    request = types.OutgoingRequest(types.Fields.from_list(headers or []))
    request.set_method(method or types.Method_Get())
    if parts.netloc:
        https = parts.scheme == "https"
        request.set_scheme(types.Scheme_Https() if https else types.Scheme_Http())
        request.set_authority(parts.netloc)
    else:
        request.set_scheme(types.Scheme_Http())
    query = f"?{parts.query}" if parts.query else ""
    request.set_path_with_query((parts.path or "/") + query)
    return request


def sent(request: types.OutgoingRequest) -> Task:
    """Send it; the answer's head is the result."""
    try:
        future = outgoing_handler.handle(request, None)
    except Err as error:
        raise VectorFailedError(f"outgoing-handler#handle: {shown(error.value)}") from None
    return answered(future)


def answered(future: types.FutureIncomingResponse) -> Task:
    yield future.subscribe()
    outcome = future.get()
    future.__exit__(None, None, None)
    result = outcome.value
    if isinstance(result, Err):
        raise VectorFailedError(f"incoming-response#get: {shown(result.value)}")
    return Incoming(result.value)


# The vectors


def kv(request: Incoming) -> None:
    """KV-30."""
    try:
        key_value.Store.open("forbidden")
    except Err as error:
        denied(error, key_value.Error_AccessDenied, "open(forbidden)")
    else:
        must(False, "open(forbidden) succeeded")
    opened = key_value.Store.open("default")
    opened.delete("bar")
    must(not opened.exists("bar"), "bar exists")
    must(opened.get("bar") is None, "bar has a value")
    must(opened.get_keys() == [], f"keys {opened.get_keys()}")
    opened.set("bar", b"baz")
    must(opened.exists("bar"), "bar does not exist")
    must(opened.get("bar") == b"baz", f"bar is {opened.get('bar')!r}")
    must(opened.get_keys() == ["bar"], f"keys {opened.get_keys()}")
    opened.set("bar", b"wow")
    must(opened.get("bar") == b"wow", f"bar is {opened.get('bar')!r}")
    must(opened.get_keys() == ["bar"], f"keys {opened.get_keys()}")
    opened.set("qux", b"yay")
    must(sorted(opened.get_keys()) == ["bar", "qux"], f"keys {opened.get_keys()}")
    opened.delete("bar")
    opened.delete("bar")
    opened.delete("qux")
    must(not opened.exists("qux"), "qux exists")
    must(opened.get_keys() == [], f"keys {opened.get_keys()}")


def kv_default(request: Incoming) -> None:
    """Fails to open what is not granted."""
    key_value.Store.open("default")


def kv_entry(request: Incoming) -> None:
    value = key_value.Store.open("default").get(request.header("key"))
    must(value == request.header("value").encode(), f"{value!r}")


def request_shape(request: Incoming) -> None:
    message = request.message
    must(isinstance(message.method(), types.Method_Get), "method")
    must(message.authority() == "example.com", f"authority {message.authority()}")
    target = "/base/path/end/rest?key=value"
    must(message.path_with_query() == target, f"path {message.path_with_query()}")
    must(
        isinstance(message.scheme(), types.Scheme_Http | types.Scheme_Https),
        f"scheme {message.scheme()}",
    )
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
        must(request.header(name) == value, f"{name}: {request.header(name)}")
    url = request.header("spin-full-url")
    must(url in (f"http://example.com{target}", f"https://example.com{target}"), url)
    known = {*expected, "spin-full-url"}
    for name, raw in request.entries:
        if name == "spin-client-addr":
            address = raw.decode()
            must(
                re.fullmatch(r"(\d+\.\d+\.\d+\.\d+|\[[0-9a-f:]+\]):\d+", address) is not None, name
            )
        elif name.startswith(("spin-", "spin_")):
            must(name in known, f"unexpected {name}")


def sql(request: Incoming) -> None:
    try:
        sqlite.Connection.open("forbidden")
    except Err as error:
        denied(error, sqlite.Error_AccessDenied, "open(forbidden)")
    else:
        must(False, "open(forbidden) succeeded")
    opened = sqlite.Connection.open("default")
    opened.execute(
        "CREATE TABLE IF NOT EXISTS test_data(key TEXT NOT NULL, value TEXT NOT NULL)", []
    )
    row = [sqlite.Value_Text("my_key"), sqlite.Value_Text("my_value")]
    opened.execute("INSERT INTO test_data(key, value) VALUES(?, ?)", row)
    found = opened.execute("SELECT key, value FROM test_data WHERE key = ?", row[:1])
    must(found.columns == ["key", "value"], f"columns {found.columns}")
    must([line.values for line in found.rows] == [row], f"rows {found.rows}")


def sql_default(request: Incoming) -> None:
    sqlite.Connection.open("default")


def variable(request: Incoming) -> None:
    must(variables.get("variable") == "value", variables.get("variable"))
    for name, expected in (
        ("non_existent", variables.Error_Undefined),
        ("invalid-name", variables.Error_InvalidName),
        ("invalid!name", variables.Error_InvalidName),
        ("4invalidname", variables.Error_InvalidName),
    ):
        try:
            value = variables.get(name)
        except Err as error:
            denied(error, expected, f"get({name})")
        else:
            must(False, f"get({name}) gave {value}")


def config(request: Incoming) -> None:
    must(store.get("variable") == "value", f"{store.get('variable')}")
    for name in ("non_existent", "invalid-name", "invalid!name", "4invalidname"):
        must(store.get(name) is None, f"{name} has a value")
    must(store.get_all() == [("variable", "value")], f"{store.get_all()}")


def environment(request: Incoming) -> None:
    for name, value in (("foo", "bar"), ("some_key", "some_value")):
        must(os.environ.get(name) == value, f"{name} is {os.environ.get(name)}")


def connect(request: Incoming) -> None:
    """Begin to connect to the address in a header, and say how that fails."""
    host, port = request.header("address").rsplit(":", 1)
    a, b, c, d = map(int, host.split("."))
    address = network.Ipv4SocketAddress(int(port), (a, b, c, d))
    socket = tcp_create_socket.create_tcp_socket(network.IpAddressFamily.IPV4)
    try:
        socket.start_connect(
            instance_network.instance_network(), network.IpSocketAddress_Ipv4(address)
        )
    except Err as error:
        code = error.value
        name = code.name.lower().replace("_", "-")
        raise VectorFailedError(f"{name} (error {code.value})") from error


def loop_for_ever(request: Incoming) -> None:
    while True:
        pass


def outbound(request: Incoming, out: types.ResponseOutparam) -> None:
    """POST to ``url``, relay what comes back while it comes."""
    outgoing = request_to(request.header("url"), types.Method_Post(), [("content-length", b"13")])
    body = Outgoing(outgoing)
    waiting = sent(outgoing)

    def send() -> Task:
        try:
            yield from body.write(b"Hello, world!")
            body.finish()
        except Err:
            # Why nobody takes the body is what the answer says.
            body.drop()

    reply = run(waiting, send())[0]
    relayed = respond(out, reply.message.status(), reply.entries)
    run(reply.pieces(relayed.write, 1024))
    relayed.finish()


def files(request: Incoming, out: types.ResponseOutparam) -> None:
    """The file that the path names."""
    path = Path((request.message.path_with_query() or "/").partition("?")[0])
    try:
        data = path.read_bytes()
        status = 200
    except OSError:
        status, data = 404, b""
    answer(out, status, data)


def own_application(request: Incoming, out: types.ResponseOutparam) -> None:
    """``/`` asks ``url``, which is this application; it answers elsewhere."""
    if request.message.path_with_query() != "/":
        answer(out, 200, b"the same application")
        return
    reply = run(sent(request_to(request.header("url"))))[0]
    answer(out, reply.message.status(), run(reply.read())[0])


def front(request: Incoming, out: types.ResponseOutparam) -> None:
    reply = run(sent(request_to(request.header("url"))))[0]
    answer(out, reply.message.status(), run(reply.read())[0])


def middle(request: Incoming, out: types.ResponseOutparam) -> None:
    outgoing = request_to("https://back.spin.internal/hello/from/middle", types.Method_Post())
    body = Outgoing(outgoing)

    def send() -> Task:
        yield from body.write(b"body from middle")
        body.finish()

    reply = run(sent(outgoing), send())[0]
    hops = json.loads(run(reply.read())[0])
    answer(out, 200, json.dumps([request.header("spin-path-info"), *hops]).encode())


def back(request: Incoming, out: types.ResponseOutparam) -> None:
    seen = {
        "path-info": request.header("spin-path-info"),
        "method": type(request.message.method()).__name__,
        "body": run(request.read())[0].decode(),
    }
    answer(out, 200, json.dumps([seen]).encode())


def streaming(request: Incoming, out: types.ResponseOutparam) -> None:
    """``/echo``, ``/double-echo`` through this application's ``/echo``, and ``/hash-all``."""
    path = request.message.path_with_query()
    if path == "/echo":
        echoed = respond(out)
        run(request.pieces(echoed.write))
        echoed.finish()
    elif path == "/double-echo":
        outgoing = request_to("http://self.alt/echo", types.Method_Post())
        there = Outgoing(outgoing)
        waiting = sent(outgoing)

        def forward() -> Task:
            yield from request.pieces(there.write)
            there.finish()

        def back_again() -> Task:
            reply = yield from waiting
            here = respond(out)
            yield from reply.pieces(here.write)
            here.finish()

        run(forward(), back_again())
    else:
        digests = respond(out)

        def digest(url: str) -> Task:
            reply = yield from sent(request_to(url))
            total = hashlib.sha256()

            def add(data: bytes) -> Task:
                total.update(data)
                yield from ()

            yield from reply.pieces(add)
            yield from digests.write(f"{url}: {total.hexdigest()}\n".encode())

        run(*(digest(url) for url in request.header("urls").split()))
        digests.finish()


def answer(out: types.ResponseOutparam, status: int, data: bytes) -> None:
    body = respond(out, status)
    run(body.write(data))
    body.finish()


CHECKS: dict[str, Callable[[Incoming], None]] = {
    "key-value": kv,
    "key-value-no-permission": kv_default,
    "key-value-entry": kv_entry,
    "request-shape": request_shape,
    "sqlite": sql,
    "sqlite-no-permission": sql_default,
    "variables": variable,
    "wasi-config": config,
    "environment": environment,
    "tcp-sockets": connect,
    "infinite-loop": loop_for_ever,
}

HANDLERS: dict[str, Callable[[Incoming, types.ResponseOutparam], None]] = {
    "outbound-http": outbound,
    "files": files,
    "self": own_application,
    "front": front,
    "middle": middle,
    "back": back,
    "streaming": streaming,
}


class IncomingHandler:
    """``wasi:http/incoming-handler@0.2.0``."""

    def handle(self, message: types.IncomingRequest, out: types.ResponseOutparam) -> None:
        request = Incoming(message)
        vector = os.environ["VECTOR"]
        try:
            if vector in HANDLERS:
                HANDLERS[vector](request, out)
                return
            CHECKS[vector](request)
        except Err as error:
            self.refuse(out, shown(error.value))
        except VectorFailedError as error:
            self.refuse(out, str(error))
        else:
            response = types.OutgoingResponse(types.Fields())
            types.ResponseOutparam.set(out, Ok(response))

    def refuse(self, out: types.ResponseOutparam, text: str) -> None:
        response = types.OutgoingResponse(types.Fields())
        response.set_status_code(500)
        body = Outgoing(response)
        types.ResponseOutparam.set(out, Ok(response))
        body.stream.blocking_write_and_flush(text.encode()[:4096])
        body.finish()
