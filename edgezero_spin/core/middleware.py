"""Middleware: layers around every handler.

A middleware is ``async def mw(request, call_next)``: it may answer itself, pass another
request on, or change the response. What a handler or an inner layer raises is a response before
a layer sees it, and so is a path without route: headers that a layer adds are on every answer.
``request.error`` is the exception then.

Source: contract edgezero.md, MW-1 and MW-3; MW-2 and RTE-10 are differences of ours.
"""

import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from edgezero_spin.core.binding import Endpoint
from edgezero_spin.core.callables import name_of
from edgezero_spin.core.request import Request
from edgezero_spin.core.response import Response
from edgezero_spin.stores.json_values import encode_text

__all__ = ["ErrorResponder", "Middleware", "Next", "chain", "log_requests"]

Next: TypeAlias = Callable[[Request], Awaitable[Response]]
"""The next middleware, or the handler."""

Middleware: TypeAlias = Callable[[Request, Next], Awaitable[Response]]
"""A function around every handler: it is given the request and what is behind it."""


ErrorResponder: TypeAlias = Callable[[Exception, Request], Awaitable[Response]]
"""What makes the response of an error."""


def chain(layers: list[Middleware], endpoint: Endpoint, answer: ErrorResponder) -> Endpoint:
    """Put layers around an endpoint, the first one outermost.

    Args:
        endpoint: What they stand around; it raises nothing.
        answer: What makes a response of what a layer raises.
    """
    for layer in reversed(layers):
        endpoint = _around(layer, endpoint, answer)
    return endpoint


def _around(layer: Middleware, call_next: Next, answer: ErrorResponder) -> Endpoint:
    async def call(request: Request) -> Response:
        try:
            response = await layer(request, call_next)
            if not isinstance(response, Response):
                raise _no_response(layer, response)
        except Exception as error:
            return await answer(error, request)
        return response

    return call


def _no_response(layer: Middleware, value: Any) -> TypeError:
    if hasattr(value, "close"):
        value.close()
    return TypeError(
        f"middleware {name_of(layer)} returned {type(value).__name__}, not a Response; "
        f"to pass the answer on, `return await call_next(request)`"
    )


async def log_requests(request: Request, call_next: Next) -> Response:
    """Write one line per request to standard error: ``app.middleware(log_requests)``.

    ``method=GET path=/notes status=200 elapsed_ms=3``, with ``error=`` when it failed.
    """
    started = time.perf_counter()
    response = await call_next(request)
    elapsed_ms = int((time.perf_counter() - started) * 1000)
    failure = ""
    if request.error is not None:
        said = str(request.error)
        # What a client sent may be in it, and begins no line.
        failure = f" error={said if said.isprintable() else encode_text(said)}"
    print(
        f"method={request.method} path={request.raw_path.decode('ascii', 'backslashreplace')} "
        f"status={response.status} "
        f"elapsed_ms={elapsed_ms}{failure}",
        file=sys.stderr,
    )
    return response
