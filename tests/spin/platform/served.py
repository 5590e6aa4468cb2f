"""Runs the Python in a request's body, with every interface of the world by name."""

from importlib import import_module
from typing import Any

from componentize_py_types import Err, Ok
from wit_world.imports import streams, types

# The guest of `tests/component`; many modules are named so, and type checkers find another.
platform: Any = import_module("app")


class IncomingHandler:
    """Answers with what the code leaves in ``answer``."""

    def handle(self, request: types.IncomingRequest, response_out: types.ResponseOutparam) -> None:
        sent = request.consume()
        stream = sent.stream()
        code = b""
        while True:
            try:
                code += stream.blocking_read(65536)
            except Err as error:
                if isinstance(error.value, streams.StreamError_Closed):
                    break
                raise
        stream.__exit__(None, None, None)
        types.IncomingBody.finish(sent).__exit__(None, None, None)
        names: dict[str, Any] = {**platform.NAMES, "caught": platform.caught}
        exec(code, names)
        response = types.OutgoingResponse(types.Fields())
        body = response.body()
        types.ResponseOutparam.set(response_out, Ok(response))
        with body.write() as out:
            out.blocking_write_and_flush(str(names["answer"]).encode()[:4096])
        types.OutgoingBody.finish(body, None)
