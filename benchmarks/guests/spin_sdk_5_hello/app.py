"""The same 18 bytes with spin-sdk 5.0.0, as its own template writes a handler."""

from spin_sdk import http
from spin_sdk.http import Request, Response


class HttpHandler(http.Handler):
    """Answers every request alike."""

    async def handle_request(self, request: Request) -> Response:
        return Response(200, {"content-type": "text/plain; charset=utf-8"}, b"hello from python\n")
