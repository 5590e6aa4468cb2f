"""The end of a connection that its peer takes for an error.

Source: RFC 9112, 8; contract spin-host.md, RESP-7.
"""

import asyncio
import contextlib
import socket
import struct
import sys

__all__ = ["reset"]

# Nothing is waited for when the socket is closed (l_onoff, l_linger).
_NO_LINGER = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


def reset(transport: asyncio.Transport) -> None:
    """Reset a connection, whatever its peer has still to read."""
    with contextlib.suppress(OSError):
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER
        )
    if transport.get_extra_info("ssl_object") is None:
        transport.close()
    else:
        # TLS has a word for a good end, and ``close`` would say it.
        transport.abort()
