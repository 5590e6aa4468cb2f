"""Middleware of WASI 0.3.0: it marks requests and responses, or answers in the handler's place."""

import os
from typing import Any

import componentize_py_async_support as support
import wit_world
from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports import handler
from wit_world.imports import wasi_http_types as types

served = 0


def verdict() -> Any:
    """The future that says what became of a body."""
    writer, reader = wit_world.result_unit_wasi_http_types_error_code_future(lambda: Ok(None))
    support.spawn(writer.write(Ok(None)))
    return reader


def marked(headers: Any, name: str, mark: str) -> Any:
    """A copy of some headers with one more."""
    fields = headers.clone()
    fields.append(name, mark.encode())
    return fields


def refusal(status: int) -> Any:
    """A response without the handler."""
    end, trailers = (
        wit_world.result_option_wasi_http_types_fields_wasi_http_types_error_code_future(
            lambda: Ok(None)
        )
    )
    response, _ = types.Response.new(types.Fields(), None, trailers)
    response.set_status_code(status)
    support.spawn(end.write(Ok(None)))
    return response


class Handler(exports.Handler):  # type: ignore[misc]  # bindings are made when it is built
    async def handle(self, request: Any) -> Any:
        global served
        served += 1
        headers = request.get_headers()
        asked = dict(headers.copy_all())
        # Each one in a row sees how many were before it.
        mark = str(len(headers.get("x-passed")))
        if asked.get("x-stop") == mark.encode():
            return refusal(403)
        fields = marked(headers, "x-passed", mark)
        method, path = request.get_method(), request.get_path_with_query()
        scheme, authority = request.get_scheme(), request.get_authority()
        body, trailers = types.Request.consume_body(request, verdict())
        behind, _ = types.Request.new(fields, body, trailers, None)
        behind.set_method(method)
        behind.set_path_with_query(path)
        behind.set_scheme(scheme)
        behind.set_authority(authority)
        answer = await handler.handle(behind)
        said = f"{mark} served {served} PLACE={os.environ.get('PLACE', '')}"
        fields = marked(answer.get_headers(), "x-by", said)
        status = answer.get_status_code()
        body, trailers = types.Response.consume_body(answer, verdict())
        response, _ = types.Response.new(fields, body, trailers)
        response.set_status_code(status)
        return response
