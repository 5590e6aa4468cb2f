"""``wasi:http/types``: fields, requests, responses, and the bodies of both.

The objects here are what a guest's handles stand for: ``inbound`` has requests that came in
and their responses, ``outbound`` requests that a guest sends, ``bodies`` what both carry.
``fields`` has the fields of their heads.

Source: wasi:http@0.2.0 to 0.2.9; clauses HTTP-1 to HTTP-21.
"""

from edgezero_spin.host.factors.wasi.http import bodies, fields, inbound, outbound
from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.factors.wasi.io import InputStream, IoError, OutputStream, Pollable
from edgezero_spin.host.runtime.interface import Interface

__all__ = ["TYPES"]


TYPES = Interface(
    "wasi:http/types",
    {
        "http-error-code": lambda state, error: error.http,
        **fields.FUNCTIONS,
        **bodies.FUNCTIONS,
        **inbound.FUNCTIONS,
        **outbound.FUNCTIONS,
    },
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
