"""Compression of responses with gzip.

In: the responses of the layers and handlers inside. Out: the same, compressed where the client
takes gzip and it is worth it. A streamed body is compressed piece by piece, and each piece leaves
at once.

Source: RFC 9110, 12.5.3 (``Accept-Encoding``) and 8.4; Starlette, ``GZipMiddleware``, for the
names.
"""

import zlib
from collections.abc import AsyncIterator

from edgezero_spin.core.middleware import Middleware, Next
from edgezero_spin.core.request import Request
from edgezero_spin.core.response import Response
from edgezero_spin.core.streaming import BodyStream

__all__ = ["accepts_gzip", "compress"]

_GZIP = 31
"""zlib's number for the format of gzip with the largest window."""

# What is compressed already, or has to leave as it comes.
_LEFT_ALONE = (
    "application/epub+zip",
    "application/gzip",
    "application/octet-stream",
    "application/pdf",
    "application/x-7z-compressed",
    "application/zip",
    "audio/",
    "font/woff",
    "image/",
    "text/event-stream",
    "video/",
)
_COMPRESSIBLE_IMAGES = ("image/bmp", "image/svg+xml", "image/vnd.microsoft.icon")


def compress(*, minimum_size: int = 500, compresslevel: int = 6) -> Middleware:
    """Return the middleware: ``app.middleware(compress())``.

    Left alone are bodies that are small, encoded already, images, archives and their like, event
    streams, parts of files, and what says ``cache-control: no-transform``.

    Args:
        minimum_size: Bytes of the smallest body that is compressed.
        compresslevel: 1, the fastest, to 9, the smallest.

    Raises:
        ValueError: The level is not one of zlib's.
    """
    if not 1 <= compresslevel <= 9:
        raise ValueError(f"compresslevel is 1 to 9, got {compresslevel}")

    async def middleware(request: Request, call_next: Next) -> Response:
        response = await call_next(request)
        if not _is_compressible(response, minimum_size):
            return response
        headers = response.headers
        # A cache must not give one client what another takes.
        if "accept-encoding" not in ",".join(headers.get_all("vary")).lower():
            headers.add("vary", "accept-encoding")
        if not accepts_gzip(request.headers.get_all("accept-encoding")):
            return response
        headers["content-encoding"] = "gzip"
        tag = headers.get("etag", "")
        if tag.startswith('"'):
            # Equal in meaning, no longer byte by byte (RFC 9110, 8.8.3.3).
            headers["etag"] = f"W/{tag}"
        headers.discard("accept-ranges")
        body = response.body
        if isinstance(body, bytes):
            response.body = zlib.compress(body, compresslevel, _GZIP)
            headers["content-length"] = str(len(response.body))
        else:
            response.body = BodyStream(_compressed(body, compresslevel), body.trailers)
            headers.discard("content-length")
        return response

    return middleware


def accepts_gzip(fields: list[str]) -> bool:
    """Tell whether a client with these ``Accept-Encoding`` fields takes gzip."""
    weights: dict[str, str] = {}
    for item in ",".join(fields).lower().split(","):
        coding, _, weight = item.partition(";")
        weights[coding.strip()] = weight.replace(" ", "").removeprefix("q=")
    weight = weights.get("gzip", weights.get("x-gzip", weights.get("*", "0")))
    return weight.strip("0.") != "" or weight == ""


def _is_compressible(response: Response, minimum_size: int) -> bool:
    body = response.body
    if response.status in (204, 206, 304) or (
        isinstance(body, bytes) and len(body) < max(minimum_size, 1)
    ):
        return False
    headers = response.headers
    control = ",".join(headers.get_all("cache-control")).lower()
    if "content-encoding" in headers or "no-transform" in control:
        return False
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) < minimum_size:
        return False
    kind = headers.get("content-type", "").lower()
    return not kind.startswith(_LEFT_ALONE) or kind.startswith(_COMPRESSIBLE_IMAGES)


async def _compressed(body: BodyStream, level: int) -> AsyncIterator[bytes]:
    packer = zlib.compressobj(level, zlib.DEFLATED, _GZIP)
    try:
        async for chunk in body:
            if chunk:
                yield packer.compress(chunk) + packer.flush(zlib.Z_SYNC_FLUSH)
        yield packer.flush()
    finally:
        await body.aclose()
