"""``wasi:http/types``: fields, requests, responses, and the bodies of both.

The objects here are what a guest's handles stand for: ``inbound`` has requests that came in
and their responses, ``outbound`` requests that a guest sends, ``bodies`` what both carry.
``fields`` has the fields of their heads.

Source: wasi:http@0.2.0 to 0.2.9; clauses HTTP-1 to HTTP-21.
"""

from collections.abc import Sequence

from edgezero_spin.host.factors.bounds import hold
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.http import bodies, inbound, outbound
from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.factors.wasi.io import InputStream, IoError, OutputStream, Pollable
from edgezero_spin.host.runtime.interface import HostFunction, Interface

__all__ = ["TYPES"]


def _held(state: InstanceState, fields: Fields) -> Fields:
    hold(state, fields.size)
    return fields


def _set(state: InstanceState, fields: Fields, name: str, values: Sequence[bytes]) -> None:
    fields.set(name, values)
    hold(state, fields.size)


def _append(state: InstanceState, fields: Fields, name: str, value: bytes) -> None:
    before = fields.size
    fields.append(name, value)
    hold(state, fields.size - before)


_FIELDS: dict[str, HostFunction] = {
    "http-error-code": lambda state, error: error.http,
    "[constructor]fields": lambda state: Fields(),
    "[static]fields.from-list": lambda state, entries: _held(state, Fields.from_list(entries)),
    "[method]fields.get": lambda state, fields, name: fields.get(name),
    "[method]fields.has": lambda state, fields, name: fields.has(name),
    "[method]fields.set": _set,
    "[method]fields.delete": lambda state, fields, name: fields.set(name, ()),
    "[method]fields.append": _append,
    "[method]fields.entries": lambda state, fields: fields.entries,
    "[method]fields.clone": lambda state, fields: _held(state, fields.clone()),
}

TYPES = Interface(
    "wasi:http/types",
    {**_FIELDS, **bodies.FUNCTIONS, **inbound.FUNCTIONS, **outbound.FUNCTIONS},
    {
        "fields": Fields,
        "headers": Fields,
        "trailers": Fields,
        "incoming-request": inbound.IncomingRequest,
        "outgoing-request": outbound.OutgoingRequest,
        "request-options": outbound.RequestOptions,
        "response-outparam": inbound.ResponseOutparam,
        "incoming-response": outbound.IncomingResponse,
        "incoming-body": bodies.IncomingBody,
        "future-trailers": bodies.FutureTrailers,
        "outgoing-response": inbound.OutgoingResponse,
        "outgoing-body": bodies.OutgoingBody,
        "future-incoming-response": outbound.FutureIncomingResponse,
        "input-stream": InputStream,
        "output-stream": OutputStream,
        "io-error": IoError,
        "error": IoError,
        "pollable": Pollable,
    },
)
"""All of ``wasi:http/types``."""
