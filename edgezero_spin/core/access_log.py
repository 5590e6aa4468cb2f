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

__all__ = ["access_log", "text_line"]

_clock = time.perf_counter


def access_log(*, json: bool = False) -> Middleware:
    """Return the middleware: ``app.middleware(access_log())``.

    The time is that until the head of the response; bytes are left out where the body is streamed
    and its length is not known. ``request_id`` is there when ``request_ids()`` is in use, ``error``
    when the response was made of an exception.

    Args:
        json: Write each line as a JSON object.
    """

    line_of = _json_line if json else text_line

    async def middleware(request: Request, call_next: Next) -> Response:
        started = _clock()
        response = await call_next(request)
        line = line_of(request, response, int((_clock() - started) * 1000))
        # One write is one call to the host of a component.
        sys.stderr.write(line)
        return response

    return middleware


def _length(request: Request, response: Response) -> int | None:
    """The bytes of the body as far as they are known."""
    if request.method == "HEAD":
        return None
    body = response.body
    if type(body) is bytes:
        return len(body)
    said = response.headers.get("content-length", "")
    return int(said) if said.isdigit() else None


def text_line(request: Request, response: Response, elapsed_ms: int) -> str:
    """Return the line of a response."""
    length = _length(request, response)
    size = "" if length is None else f" bytes={length}"
    more = ""
    if request._extensions and "request_id" in request._extensions:
        more = f" request_id={_word(request._extensions['request_id'])}"
    if request.error is not None:
        more += f" error={_word(request.error)}"
    path = request.raw_path.decode("ascii", "backslashreplace")
    return (
        f"method={request.method} path={path} status={response.status}{size} "
        f"elapsed_ms={elapsed_ms}{more}\n"
    )


def _json_line(request: Request, response: Response, elapsed_ms: int) -> str:
    fields = {
        "method": request.method,
        "path": request.raw_path.decode("ascii", "backslashreplace"),
        "status": response.status,
        "bytes": _length(request, response),
        "elapsed_ms": elapsed_ms,
        "request_id": request.extensions.get("request_id"),
        "error": None if request.error is None else str(request.error),
    }
    # Written in this order, which a mapping would not keep.
    members = [
        f"{encode_text(name)}:{encode_text(value)}"
        for name, value in fields.items()
        if value is not None
    ]
    return f"{{{','.join(members)}}}\n"


def _word(value: object) -> str:
    """Return a value as one word, in quotes where it is not one."""
    text = str(value)
    plain = text.isprintable() and " " not in text and '"' not in text
    return text if plain and text else encode_text(text)
