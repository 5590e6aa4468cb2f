"""The decoding of gzip bodies that are passed on.

In: chunks as they were sent. Out: the decoded bytes of all members, in pieces, as they come.

Source: contract edgezero.md, PRX-6 to PRX-8, with the difference that all members are kept.
"""

from collections.abc import AsyncIterator

from edgezero_spin.core.outbound.transport import OutboundError
from edgezero_spin.core.streaming import SourceStream

try:
    import zlib
except ImportError:  # the interpreter of componentize-py 0.17, on which spin-sdk 3 builds
    zlib = None  # type: ignore[assignment]

__all__ = ["MAX_DECODED_BYTES", "unzipped"]

MAX_DECODED_BYTES = 64 * 1024 * 1024
"""Bytes that a decoded body may have (PRX-7)."""

_CHUNK_BYTES = 64 * 1024


async def unzipped(chunks: SourceStream) -> AsyncIterator[bytes]:
    """Decode every member of a gzip body, and let go of its source at the end, however it comes.

    Raises:
        OutboundError: It is not a valid gzip, or has more than ``MAX_DECODED_BYTES`` decoded.
    """
    if zlib is None:
        raise OutboundError("gzip decompression failed: this interpreter has no zlib")
    decoder = None
    total = 0
    try:
        async for data in chunks:
            while data:
                if decoder is None:
                    decoder = zlib.decompressobj(wbits=31)
                try:
                    piece = decoder.decompress(data, _CHUNK_BYTES)
                except zlib.error as error:
                    raise OutboundError(f"gzip decompression failed: {error}") from error
                total += len(piece)
                if total > MAX_DECODED_BYTES:
                    raise OutboundError(
                        f"decompressed body exceeds maximum size of {MAX_DECODED_BYTES} bytes"
                    )
                if piece:
                    yield piece
                data = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
                if decoder.eof:
                    decoder = None
        if decoder is not None:
            raise OutboundError("gzip decompression failed: the body ends too early")
    finally:
        await chunks.aclose()
