"""Components of Spin 1 and 2: one call with the whole request that returns the whole response.

In: an ``Exchange`` and an instance that exports ``fermyon:spin/inbound-http``. Out: the same
exchange, answered. Instances, deadlines and limits are those of every other handler.

Source: contract spin-host.md, RESP-11, RESP-15, HDR-12.
"""

import logging
from collections.abc import Iterable
from typing import Any

from edgezero_spin.errors import HostError
from edgezero_spin.host.compat.whole_bodies import read_request, respond
from edgezero_spin.host.exchange.exchange import Exchange
from edgezero_spin.host.exchange.fields import FIELDS_LIMIT, FORBIDDEN, is_token, is_value, size_of
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.runtime.instance import Instance

__all__ = ["BODY_LIMIT_BYTES", "INBOUND_HTTP", "ResponseError", "answer"]

logger = logging.getLogger("edgezero_spin.host")

INBOUND_HTTP = "fermyon:spin/inbound-http"

BODY_LIMIT_BYTES = 4 * 1024 * 1024
"""Most of a request's body that is held for a guest; 413 past it. Our own limit.

It crosses in one call, for which the engine's C interface takes some 80 bytes for each.
"""

METHODS = ("get", "post", "put", "delete", "patch", "head", "options")

LOWEST_STATUS = 100
HIGHEST_STATUS = 600


class ResponseError(HostError):
    """What a guest returned cannot be sent; the request gets a 500."""


def answer(instance: Instance, state: InstanceState, exchange: Exchange, component_id: str) -> None:
    """Have the guest answer an exchange (RESP-11). Called on the guest's thread.

    Args:
        component_id: Whose it is, for the log.

    Raises:
        GuestTrapped: The guest stopped, or the request did.
        ResponseError: A header cannot be sent.
    """
    method = exchange.method.lower()
    if exchange.method != method.upper() or method not in METHODS:
        respond(exchange, 405, [], b"")
        return
    body = read_request(state, exchange, BODY_LIMIT_BYTES, component_id)
    if body is None:
        return
    request = {
        "method": method,
        "uri": _plain((exchange.target or "/").encode("utf-8", "surrogateescape")),
        "headers": [(name, _plain(value)) for name, value in exchange.headers],
        "params": [],
        "body": body,
    }
    returned: dict[str, Any] = instance.call(INBOUND_HTTP, "handle-request", request)
    status, content = returned["status"], returned["body"]
    if not LOWEST_STATUS <= status <= HIGHEST_STATUS:
        logger.error("%s: malformed HTTP status code: %d", component_id, status)
        respond(exchange, 500, [], b"")
        return
    headers = _headers_of(returned["headers"] or ())
    length = headers.pop("content-length", None)
    if method == "head" and not content and length is not None:
        # The length of what a GET request would have got (RFC 9110, 8.6).
        headers["content-length"] = length
    respond(exchange, status, [*headers.items()], content or b"")


def _plain(raw: bytes) -> str:
    """Make text of bytes that a client chose; WIT strings are UTF-8."""
    return raw.decode("utf-8", "replace")


def _headers_of(returned: Iterable[tuple[str, str]]) -> dict[str, bytes]:
    """The headers as they go out: the last of a name counts, and framing is the host's."""
    headers: dict[str, bytes] = {}
    for name, text in returned:
        lower, value = name.lower(), text.encode()
        if lower in FORBIDDEN:
            continue
        if not is_token(name):
            raise ResponseError(f"the guest returned a header with an invalid name: {name!r}")
        if not is_value(value):
            raise ResponseError(f"the header {lower!r} that the guest returned cannot be sent")
        headers[lower] = value
    if size_of(headers.items()) > FIELDS_LIMIT:
        raise ResponseError(f"the guest returned more than {FIELDS_LIMIT} bytes of headers")
    return headers
