"""Answers requests with the words of its dependency."""

import json
from urllib.parse import unquote

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports import lookup
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)


def answer(path: str) -> object:
    """What there is below a path."""
    if path == "/environment":
        return lookup.environment()
    if path == "/read":
        with lookup.Reader("br") as one:
            first = one.next()
            other = lookup.fork(one)
            words = [entry.word for entry in (first, one.next(), other.next()) if entry]
            ended = one.next() is None and other.next() is None
            return [words, ended]
    try:
        entry = lookup.define(path.removeprefix("/"))
    except Err as error:
        return {"unknown": error.value.value}
    return {"word": entry.word, "meanings": entry.meanings, "length": entry.length}


class IncomingHandler(exports.IncomingHandler):  # type: ignore[misc]
    """The handler."""

    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        content = json.dumps(answer(unquote(request.path_with_query() or "/"))).encode()
        response = OutgoingResponse(Fields.from_list([("content-type", b"application/json")]))
        body = response.body()
        ResponseOutparam.set(response_out, Ok(response))
        with body.write() as stream:
            stream.blocking_write_and_flush(content)
        OutgoingBody.finish(body, None)
