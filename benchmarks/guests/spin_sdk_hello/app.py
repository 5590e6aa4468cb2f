"""The same 18 bytes with spin-sdk 3.4.1, the last of the WASI 0.2 line."""

from spin_sdk.http import IncomingHandler as _IncomingHandler
from spin_sdk.http import Request, Response


class IncomingHandler(_IncomingHandler):
    """A handler as spin-sdk's own template writes it."""

    def handle_request(self, request: Request) -> Response:
        return Response(200, {"content-type": "text/plain; charset=utf-8"}, b"hello from python\n")
