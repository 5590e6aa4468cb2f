"""Request ids: one name for a request in the logs of everybody who handles it.

In: the id that a client or proxy sent, if it is one. Out: the id in ``request.extensions``, and in
the response.

Source: the field ``x-request-id`` as proxies write it; there is no standard.
"""

import os
import re

from edgezero_spin.core.middleware import Middleware, Next
from edgezero_spin.core.request import Request
from edgezero_spin.core.response import Response

__all__ = ["request_ids"]

_ID = re.compile(r"[A-Za-z0-9._:+/=@-]{1,128}")
_RANDOM_BYTES = 16


def request_ids(header: str = "x-request-id", *, trust: bool = True) -> Middleware:
    """Return the middleware: ``app.middleware(request_ids())``.

    Handlers find the id in ``request.extensions["request_id"]``, ``access_log()`` writes it.

    Args:
        header: The field in which it comes and goes.
        trust: Whether an id that the client sends is taken; else every request gets a new one.
    """

    async def middleware(request: Request, call_next: Next) -> Response:
        sent = request.headers.get(header, "") if trust else ""
        id = sent if _ID.fullmatch(sent) else os.urandom(_RANDOM_BYTES).hex()
        request.extensions["request_id"] = id
        response = await call_next(request)
        response.headers[header] = id
        return response

    return middleware
