"""``wasi:http@0.3``: fields, requests, responses and their bodies as streams; sending requests.

``fields`` and ``messages`` are what a guest's handles stand for, ``bodies`` what messages carry,
``client`` sends requests. The handler that answers requests is the guest's own export.

Source: wasi:http@0.3.0; contract wasi03.md, sections 3 and 4.
"""

from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.factors.wasi_03.http import fields, messages
from edgezero_spin.host.factors.wasi_03.http.client import CLIENT_03
from edgezero_spin.host.factors.wasi_03.http.messages import Request03, RequestOptions03, Response03
from edgezero_spin.host.runtime.interface import Interface

__all__ = ["INTERFACES_03"]

_TYPES = Interface(
    "wasi:http/types@0.3",
    {**fields.FUNCTIONS, **messages.FUNCTIONS},
    {
        "fields": Fields,
        "headers": Fields,
        "trailers": Fields,
        "request": Request03,
        "request-options": RequestOptions03,
        "response": Response03,
    },
)

INTERFACES_03 = (_TYPES, CLIENT_03)
"""All of ``wasi:http@0.3`` that a component imports."""
