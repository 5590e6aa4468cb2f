"""Ends of connections: one that its peer takes for an error, and one that loses nothing.

Source: RFC 9112, 8 and 9.6; contract spin-host.md, RESP-7.
"""

import asyncio
import contextlib
import socket
import struct
import sys

__all__ = ["LINGER_S", "end_sending", "reset"]

LINGER_S = 2.0
"""Seconds for which a client is read from, and not listened to, before its connection closes."""

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


def end_sending(transport: asyncio.Transport) -> bool:
    """End this side of a connection behind what was written; ``False`` where that cannot be.

    Closing on a client that is still sending resets the connection, and what was written may
    be lost with it. TLS knows no such half of an end.
    """
    if not transport.can_write_eof() or transport.is_closing():
        return False
    with contextlib.suppress(OSError):
        transport.write_eof()
    return True
