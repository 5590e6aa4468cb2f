"""What stands around every handler.

A middleware is ``async def mw(request, call_next)``: it may answer itself, pass another
request on, change the response, or catch the error that the rest raised. Errors travel
through it as exceptions; what nobody catches becomes an answer outside the chain. A path
without route is such an error too, so that logging and CORS see it.

Source: contract edgezero.md, MW-1 to MW-3; RTE-10 is a difference of ours.
"""

import sys
import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from edgezero_spin.core.binding import Endpoint
from edgezero_spin.core.request import Request
from edgezero_spin.core.response import Response
from edgezero_spin.core.signatures import name_of

__all__ = ["Middleware", "Next", "chain", "log_requests"]

Next: TypeAlias = Callable[[Request], Awaitable[Response]]
Middleware: TypeAlias = Callable[[Request, Next], Awaitable[Response]]


def chain(layers: list[Middleware], endpoint: Endpoint) -> Endpoint:
    """Put layers around an endpoint, the first one outermost."""
    for layer in reversed(layers):
        endpoint = _around(layer, endpoint)
    return endpoint


def _around(layer: Middleware, call_next: Next) -> Endpoint:
    async def call(request: Request) -> Response:
        response = await layer(request, call_next)
        if not isinstance(response, Response):
            if hasattr(response, "close"):
                response.close()
            raise TypeError(
                f"middleware {name_of(layer)} returned {type(response).__name__}, not a Response; "
                f"to pass the answer on, `return await call_next(request)`"
            )
        return response

    return call


async def log_requests(request: Request, call_next: Next) -> Response:
    """Write one line per request to standard error: ``app.middleware(log_requests)``.

    ``method=GET path=/notes status=200 elapsed_ms=3``, with ``error=`` when it failed.
    """
    started = time.perf_counter()
    status, failure = 500, ""
    try:
        response = await call_next(request)
        status = response.status
        return response
    except Exception as error:
        status = getattr(error, "status", 500)
        failure = f" error={error}"
        raise
    finally:
        elapsed_ms = int((time.perf_counter() - started) * 1000)
        print(
            f"method={request.method} path={request.path} status={status} "
            f"elapsed_ms={elapsed_ms}{failure}",
            file=sys.stderr,
        )
