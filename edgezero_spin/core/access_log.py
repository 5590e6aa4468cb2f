"""Access log: one line per request on standard error.

In: requests and their responses. Out: ``method=GET path=/notes status=200 bytes=12 elapsed_ms=3``,
or the same as JSON. The path is that of the request line, so no character of it can begin a line.
"""

import sys
import time

from edgezero_spin.core.middleware import Middleware, Next
from edgezero_spin.core.request import Request
from edgezero_spin.core.response import Response
from edgezero_spin.stores.json_values import encode_text

__all__ = ["access_log"]


def access_log(*, json: bool = False) -> Middleware:
    """Return the middleware: ``app.middleware(access_log())``.

    The time is that until the head of the response; bytes are left out where the body is streamed
    and its length is not known. ``request_id`` is there when ``request_ids()`` is in use, ``error``
    when the response was made of an exception.

    Args:
        json: Write each line as a JSON object.
    """

    async def middleware(request: Request, call_next: Next) -> Response:
        started = time.perf_counter()
        response = await call_next(request)
        elapsed_ms = int((time.perf_counter() - started) * 1000)
        line: dict[str, object] = {
            "method": request.method,
            "path": request.raw_path.decode("latin-1"),
            "status": response.status,
        }
        body = response.body
        length = (
            str(len(body))
            if isinstance(body, bytes)
            else response.headers.get("content-length", "")
        )
        if length.isdigit() and request.method != "HEAD":
            line["bytes"] = int(length)
        line["elapsed_ms"] = elapsed_ms
        id = request.extensions.get("request_id")
        if id is not None:
            line["request_id"] = id
        if request.error is not None:
            line["error"] = str(request.error)
        if json:
            text = encode_text(line)
        else:
            text = " ".join([f"{name}={_word(value)}" for name, value in line.items()])
        # One write is one call to the host of a component.
        sys.stderr.write(f"{text}\n")
        return response

    return middleware


def _word(value: object) -> str:
    """Return a value as one word, in quotes where it is none."""
    text = str(value)
    plain = text.isprintable() and " " not in text and '"' not in text
    return text if plain and text else encode_text(text)
