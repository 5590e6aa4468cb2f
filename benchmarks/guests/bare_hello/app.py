"""The least that answers: the generated bindings, nothing read, 18 bytes written."""

from componentize_py_types import Ok
from wit_world.imports import types


class IncomingHandler:
    """``wasi:http/incoming-handler@0.2.0`` by hand."""

    def handle(self, request, response_out):
        response = types.OutgoingResponse(
            types.Fields.from_list([("content-type", b"text/plain; charset=utf-8")])
        )
        body = response.body()
        types.ResponseOutparam.set(response_out, Ok(response))
        stream = body.write()
        stream.blocking_write_and_flush(b"hello from python\n")
        stream.__exit__(None, None, None)
        types.OutgoingBody.finish(body, None)
