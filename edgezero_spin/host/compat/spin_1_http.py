"""``fermyon:spin/http``: the one call by which components of Spin 1 send a request.

Request and response travel whole. They take the same way as those of
``wasi:http/outgoing-handler``: the same rights, the same connections, the same limits.

Source: contract spin-host.md, OUTH-4, OUTH-5, OUTH-17, OUTH-20, NET-20.
"""

import logging
import re
from typing import Any

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.exchange.channel import PIECE, ByteChannel, BytesLike
from edgezero_spin.host.exchange.fields import FORBIDDEN
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_http.interface import OUTGOING_HANDLER
from edgezero_spin.host.factors.wasi.http import TYPES
from edgezero_spin.host.factors.wasi.http.bodies import OutgoingBody
from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.factors.wasi.http.outbound import (
    FutureIncomingResponse,
    IncomingResponse,
    OutgoingRequest,
)
from edgezero_spin.host.runtime.interface import Interface, Ok, WitError

__all__ = ["LEGACY_HTTP", "MAX_ANSWER_BYTES"]

logger = logging.getLogger("edgezero_spin.host")

MAX_ANSWER_BYTES = 128 * 1024 * 1024
"""Bytes of an answer, headers included, that are held for a guest (OUTH-20)."""

_URL = re.compile(r"(https?)://([^/?#]+)([^#]*)(?:#.*)?", re.IGNORECASE)

_ERRORS = {
    "HTTP-request-denied": "destination-not-allowed",
    "HTTP-request-URI-invalid": "invalid-url",
    "connection-limit-reached": "too-many-requests",
}

Record = dict[str, Any]


def _send_request(state: InstanceState, asked: Record) -> Record:
    request = _request_of(state, asked)
    try:
        future: FutureIncomingResponse = OUTGOING_HANDLER.functions["handle"](state, request, None)
    except WitError as error:
        raise _failure(error.payload) from error
    try:
        state.wait(future.ready)
        answer = future.get()
        outcome = None if answer is None else answer.value
        if not isinstance(outcome, Ok):
            raise _failure(("internal-error", None) if outcome is None else outcome.value)
        return _record_of(state, outcome.value)
    finally:
        future.drop(state)


def _failure(code: tuple[str, Any]) -> WitError:
    return WitError(_ERRORS.get(code[0], "runtime-error"))


def _request_of(state: InstanceState, asked: Record) -> OutgoingRequest:
    body = bytes(asked["body"] or b"")
    pairs = [(name, value.encode()) for name, value in asked["headers"]]
    # The host derives these, from the address and from the body.
    held = {*FORBIDDEN, "content-length"}
    pairs = [pair for pair in pairs if pair[0].lower() not in held]
    if body:
        pairs.append(("content-length", str(len(body)).encode()))
    try:
        request = OutgoingRequest(Fields.from_list(pairs))
    except (WitError, Trap) as error:
        raise WitError("runtime-error") from error
    request.method = (asked["method"], None)
    _address(state, request, asked["uri"])
    if body:
        request.body = OutgoingBody(state, len(body), "HTTP-request-body-size")
        request.body.channel.put(body)
        request.body.channel.end()
    return request


def _address(state: InstanceState, request: OutgoingRequest, uri: str) -> None:
    """Say where the request goes; a path alone is for the application itself (CHAIN-1)."""
    path = uri
    if not uri.startswith("/"):
        url = _URL.fullmatch(uri)
        if url is None:
            raise WitError("invalid-url")
        scheme, authority, path = url.groups()
        _set(state, request, "scheme", (scheme.upper(), None))
        _set(state, request, "authority", authority)
    _set(state, request, "path-with-query", path if path.startswith("/") else f"/{path}")


def _set(state: InstanceState, request: OutgoingRequest, part: str, value: Any) -> None:
    try:
        TYPES.functions[f"[method]outgoing-request.set-{part}"](state, request, value)
    except WitError as error:
        raise WitError("invalid-url") from error


def _record_of(state: InstanceState, response: IncomingResponse) -> Record:
    headers = [(name, value.decode("utf-8", "replace")) for name, value in response.headers]
    held = sum(len(name) + len(value) for name, value in headers)
    channel = response.channel
    body = b"" if channel is None else _whole(state, channel, MAX_ANSWER_BYTES - held)
    return {"status": response.status, "headers": headers, "body": body}


def _whole(state: InstanceState, channel: ByteChannel, most: int) -> bytes:
    """The whole body, if it is not more than ``most`` bytes."""
    channel.on_data = state.wake
    parts: list[BytesLike] = []
    size = 0
    try:
        while True:
            ended = channel.ended
            while part := channel.take(PIECE):
                parts.append(part)
                size += len(part)
            if size > most:
                logger.warning("an answer exceeds the limit of %d bytes", MAX_ANSWER_BYTES)
                raise WitError("runtime-error")
            if ended:
                break
            state.wait(channel.readable)
        if channel.failure is not None:
            raise WitError("runtime-error")
        return b"".join(parts)
    finally:
        channel.close()


LEGACY_HTTP = Interface("fermyon:spin/http", {"send-request": _send_request})
"""The interface."""
