# What the calls of os do is what a test is about.
# ruff: noqa: PTH104, PTH113, PTH123, PTH208, PTH211
"""A guest that does what the request header ``do`` says, and tells what came of it as JSON.

``do`` is a JSON list: the name of one of the functions below and its arguments. Without the
header the guest tells the head of the request.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from componentize_py_types import Err, Ok
from wit_world.imports import (
    key_value,
    outgoing_handler,
    poll,
    sqlite,
    store,
    streams,
    types,
    variables,
)

JSON = [("content-type", b"application/json")]


def shown(value: Any) -> Any:
    """Anything from the bindings, as JSON can hold it."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, Err):
        return {"error": shown(value.value)}
    if isinstance(value, Ok):
        return shown(value.value)
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shown(item) for item in value]
    fields = getattr(value, "__dict__", None)
    if fields is None or isinstance(value, str | int | float | None):
        return value
    return [type(value).__name__, *map(shown, fields.values())]


def tried(call: Callable[..., Any], *arguments: Any) -> Any:
    """The result, or the error as the guest gets it."""
    try:
        return shown(call(*arguments))
    except Err as error:
        return shown(error)
    except OSError as error:
        return {"errno": os.strerror(error.errno or 0)}


class Reply:
    """The response of this request, a piece at a time."""

    def __init__(self, out: types.ResponseOutparam) -> None:
        self.out = out

    def head(self, status: int, pairs: list[tuple[str, bytes]]) -> None:
        response = types.OutgoingResponse(types.Fields.from_list(pairs))
        response.set_status_code(status)
        self.body = response.body()
        self.stream = self.body.write()
        types.ResponseOutparam.set(self.out, Ok(response))

    def bare(self, status: int, pairs: list[tuple[str, bytes]]) -> None:
        response = types.OutgoingResponse(types.Fields.from_list(pairs))
        response.set_status_code(status)
        types.ResponseOutparam.set(self.out, Ok(response))

    def write(self, data: bytes) -> None:
        for start in range(0, len(data), 4096):
            self.stream.blocking_write_and_flush(data[start : start + 4096])

    def finish(self) -> None:
        self.stream.__exit__(None, None, None)
        types.OutgoingBody.finish(self.body, None)

    def drop(self) -> None:
        self.stream.__exit__(None, None, None)
        self.body.__exit__(None, None, None)

    def tell(self, value: Any) -> None:
        self.head(200, JSON)
        self.write(json.dumps(value, sort_keys=True).encode())
        self.finish()


def body_of(message: Any) -> tuple[bytes, Any]:
    """The body of a request or a response, and how it failed; closes what it took."""
    body = message.consume()
    stream = body.stream()
    content = b""
    failure = None
    while failure is None:
        try:
            content += stream.blocking_read(65536)
        except Err as error:
            if isinstance(error.value, streams.StreamError_Closed):
                break
            with error.value.value as cause:
                failure = shown(types.http_error_code(cause))
    stream.__exit__(None, None, None)
    if failure is None:
        types.IncomingBody.finish(body).__exit__(None, None, None)
    else:
        body.__exit__(None, None, None)
    return content, failure


def pairs_of(pairs: list[list[str]]) -> list[tuple[str, bytes]]:
    return [(name, value.encode("latin-1")) for name, value in pairs]


# What it does: told as JSON


def head(request: types.IncomingRequest) -> Any:
    return {
        "method": shown(request.method()),
        "scheme": shown(request.scheme()),
        "authority": request.authority(),
        "path": request.path_with_query(),
        "headers": by_name(request.headers()),
    }


def length(request: types.IncomingRequest) -> Any:
    body, failure = body_of(request)
    return [len(body), sum(body) % 65521, failure]


def environment(request: types.IncomingRequest) -> Any:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return {"environment": kept, "arguments": len(sys.argv), "stdin": tried(sys.stdin.read)}


def read_variables(request: types.IncomingRequest, *names: str) -> Any:
    found = {name: tried(variables.get, name) for name in names}
    config = {name: tried(store.get, name) for name in names}
    every = tried(store.get_all)
    return [found, config, sorted(every) if isinstance(every, list) else every]


def keys(request: types.IncomingRequest, *calls: list[Any]) -> Any:
    """``["open", label]`` makes the store that the calls after it are for."""
    results: list[Any] = []
    opened: Any = None
    for name, *arguments in calls:
        if name == "open":
            try:
                opened = key_value.Store.open(*arguments)
                results.append("opened")
            except Err as error:
                results.append(shown(error))
        else:
            given = [a.encode("latin-1") if at == 1 else a for at, a in enumerate(arguments)]
            answer = tried(getattr(opened, name), *given)
            results.append(sorted(answer) if name == "get_keys" else answer)
    return results


def statements(request: types.IncomingRequest, label: str, *texts: list[Any]) -> Any:
    try:
        opened = sqlite.Connection.open(label)
    except Err as error:
        return shown(error)
    return [
        tried(opened.execute, text, [sql_value(value) for value in values])
        for text, *values in texts
    ]


def sql_value(value: Any) -> Any:
    kinds: list[tuple[type, Any]] = [
        (int, sqlite.Value_Integer),
        (float, sqlite.Value_Real),
        (str, sqlite.Value_Text),
    ]
    for kind, case in kinds:
        if isinstance(value, kind):
            return case(value)
    return sqlite.Value_Null() if value is None else sqlite.Value_Blob(bytes(value))


def files(request: types.IncomingRequest, *calls: list[str]) -> Any:
    """``read``, ``write``, ``list`` and others, each with a path."""

    def read(path: str) -> str:
        with open(path, "rb") as file:
            return file.read().decode("latin-1")

    def write(path: str) -> str:
        with open(path, "wb") as file:
            file.write(b"written")
        return read(path)

    def append(path: str) -> str:
        with open(path, "ab") as file:
            file.write(b"+")
        return read(path)

    def listing(path: str) -> list[str]:
        return sorted(os.listdir(path))

    def about(path: str) -> list[Any]:
        found = os.lstat(path)
        return [oct(found.st_mode), found.st_size if os.path.isfile(path) else None]

    known: dict[str, Callable[..., Any]] = {
        "read": read,
        "write": write,
        "append": append,
        "list": listing,
        "about": about,
        "remove": os.remove,
        "mkdir": os.mkdir,
        "rename": lambda path: os.rename(path, path + "2"),
        "link": lambda path: os.symlink(path, path + ".link"),
        "resolve": os.readlink,
    }
    return [tried(known[name], path) for name, path in calls]


def fetch(
    request: types.IncomingRequest,
    method: str,
    scheme: str | None,
    authority: str | None,
    path: str | None,
    pairs: list[list[str]],
    body: str = "",
) -> Any:
    return exchanged(method, scheme, authority, path, pairs, body)


def exchanged(
    method: str,
    scheme: str | None,
    authority: str | None,
    path: str | None,
    pairs: list[list[str]],
    body: str,
) -> Any:
    """Status, headers and body of an answer, or where the exchange failed and how."""
    schemes: dict[str, Any] = {"http": types.Scheme_Http(), "https": types.Scheme_Https()}
    methods: dict[str, Any] = {"GET": types.Method_Get(), "POST": types.Method_Post()}
    outgoing = types.OutgoingRequest(types.Fields.from_list(pairs_of(pairs)))
    outgoing.set_method(methods.get(method) or types.Method_Other(method))
    outgoing.set_scheme(
        None if scheme is None else schemes.get(scheme) or types.Scheme_Other(scheme)
    )
    for what, call, value in (
        ("authority", outgoing.set_authority, authority),
        ("path", outgoing.set_path_with_query, path),
    ):
        try:
            call(value)
        except Err:
            return {"refused": what}
    sent = outgoing.body() if body else None
    try:
        future = outgoing_handler.handle(outgoing, None)
    except Err as error:
        return {"handle": shown(error)}
    if sent is not None:
        stream = sent.write()
        stream.blocking_write_and_flush(body.encode("latin-1"))
        stream.__exit__(None, None, None)
        types.OutgoingBody.finish(sent, None)
    pollable = future.subscribe()
    poll.poll([pollable])
    pollable.__exit__(None, None, None)
    outcome = future.get()
    future.__exit__(None, None, None)
    result = outcome.value
    if isinstance(result, Err):
        return {"get": shown(result)}
    response = result.value
    content, failure = body_of(response)
    return {
        "status": response.status(),
        "headers": [pair for pair in by_name(response.headers()) if pair[0] != "date"],
        "body": told(content),
        "failure": failure,
    }


def told(content: bytes) -> Any:
    """What another probe said, or the bytes as they are."""
    try:
        return json.loads(content)
    except ValueError:
        return shown(content)


def by_name(table: types.Fields) -> list[list[str]]:
    """All headers by their names, those of one name in their order.

    Spin fills the place of a header that it takes away with the last one, so the order of
    names says nothing.
    """
    return sorted(shown(table.entries()), key=lambda pair: pair[0])


def fields(request: types.IncomingRequest, *calls: list[Any]) -> Any:
    """Calls on one new ``fields``."""
    table = types.Fields()
    results = []
    for name, *arguments in calls:
        given: list[Any] = arguments
        if name == "append":
            given = [arguments[0], arguments[1].encode("latin-1")]
        elif name == "set":
            given = [arguments[0], [item.encode("latin-1") for item in arguments[1]]]
        results.append(tried(getattr(table, name), *given))
    return results


def setters(request: types.IncomingRequest, *calls: list[Any]) -> Any:
    """Calls on one new ``outgoing-request`` or ``outgoing-response``."""
    out = types.OutgoingRequest(types.Fields())
    back = types.OutgoingResponse(types.Fields())
    results: list[Any] = []
    for name, value in calls:
        if name == "set_status_code":
            results.append([tried(back.set_status_code, value), back.status_code()])
        elif name == "set_method":
            results.append([tried(out.set_method, types.Method_Other(value)), shown(out.method())])
        elif name == "set_scheme":
            results.append([tried(out.set_scheme, types.Scheme_Other(value)), shown(out.scheme())])
        else:
            results.append([tried(getattr(out, name), value)])
    return results


def say(request: types.IncomingRequest, out: str, error: str) -> Any:
    sys.stdout.write(out)
    sys.stdout.flush()
    sys.stderr.write(error)
    sys.stderr.flush()
    return "said"


# What it does: with a response of its own


def answer(reply: Reply, status: int, pairs: list[list[str]], *pieces: str) -> None:
    reply.head(status, pairs_of(pairs))
    for piece in pieces:
        reply.write(piece.encode("latin-1"))
    reply.finish()


def answer_large(reply: Reply, size: int, pairs: list[list[str]]) -> None:
    reply.head(200, pairs_of(pairs))
    reply.write(b"0123456789abcdef" * (size // 16))
    reply.finish()


def answer_bare(reply: Reply, status: int, pairs: list[list[str]]) -> None:
    reply.bare(status, pairs_of(pairs))


def answer_dropped(reply: Reply, pairs: list[list[str]], *pieces: str) -> None:
    reply.head(200, pairs_of(pairs))
    for piece in pieces:
        reply.write(piece.encode("latin-1"))
    reply.drop()


def answer_then_trap(reply: Reply, *pieces: str) -> None:
    reply.head(200, [])
    for piece in pieces:
        reply.write(piece.encode("latin-1"))
    raise RuntimeError("after the head")


def answer_then_work(reply: Reply, label: str) -> None:
    """RESP-10: what it writes after the response is done stays written."""
    answer(reply, 200, [], "done")
    key_value.Store.open(label).set("after", b"the response")


def trap(reply: Reply) -> None:
    raise RuntimeError("before the head")


def exit_with(reply: Reply, status: int) -> None:
    sys.stderr.write("leaving\n")
    sys.stderr.flush()
    sys.exit(status)


def nothing(reply: Reply) -> None:
    """RESP-5."""


def refuse(reply: Reply, text: str) -> None:
    types.ResponseOutparam.set(reply.out, Err(types.ErrorCode_InternalError(text)))


TOLD: dict[str, Callable[..., Any]] = {
    call.__name__: call
    for call in (
        head,
        length,
        environment,
        read_variables,
        keys,
        statements,
        files,
        fetch,
        fields,
        setters,
        say,
    )
}
ANSWERED: dict[str, Callable[..., None]] = {
    call.__name__: call
    for call in (
        answer,
        answer_large,
        answer_bare,
        answer_dropped,
        answer_then_trap,
        answer_then_work,
        trap,
        exit_with,
        nothing,
        refuse,
    )
}


class IncomingHandler:
    def handle(self, request: types.IncomingRequest, response_out: types.ResponseOutparam) -> None:
        asked = request.headers().get("do")
        name, *arguments = json.loads(asked[0]) if asked else ["head"]
        reply = Reply(response_out)
        if name in ANSWERED:
            ANSWERED[name](reply, *arguments)
        elif name == "echo":
            reply.head(200, [])
            reply.write(body_of(request)[0])
            reply.finish()
        else:
            reply.tell(TOLD[name](request, *arguments))
