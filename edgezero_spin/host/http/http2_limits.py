"""Limits on a client of HTTP/2: what it is told of them, and how much idle work it may ask for.

Source: RFC 9113, sections 6.5.2 and 10.5; CVE-2023-44487, CVE-2019-9518.
"""

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes, Settings

__all__ = ["CONNECTION_WINDOW", "MAX_STREAMS", "STREAM_WINDOW", "Patience", "make_frames"]

MAX_STREAMS = 128
"""Requests of one client at once."""

STREAM_WINDOW = 256 * 1024
"""Bytes of one request's body that a client may send before its guest takes any."""

CONNECTION_WINDOW = 1024 * 1024
"""The same of all its requests together."""

PATIENCE = 200
PATIENCE_PER_S = 30

_FIRST_WINDOW = 65_535


class Patience:
    """How often a client may give a request up, or send a frame that carries nothing.

    200 times at once, and 30 times a second from then on.
    """

    __slots__ = ("_at", "_left")

    def __init__(self, now: float) -> None:
        """All of it is there."""
        self._left = float(PATIENCE)
        self._at = now

    def lose(self, now: float) -> bool:
        """Lose some; return whether none is left."""
        regained = (now - self._at) * PATIENCE_PER_S
        self._left = min(float(PATIENCE), self._left + regained) - 1
        self._at = now
        return self._left < 0


def make_frames(max_head_bytes: int) -> H2Connection:
    """Return what reads and writes the frames of a new connection, its settings to be sent."""
    made = H2Connection(
        H2Configuration(
            client_side=False,
            header_encoding=None,
            # Done where the fields are made.
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
    )
    # Past the server's own limit, which has an answer; each field counts 32 bytes more here.
    header_list_bytes = max_head_bytes + 8192
    made.local_settings = Settings(
        client=False,
        initial_values={
            SettingCodes.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
            SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            SettingCodes.MAX_HEADER_LIST_SIZE: header_list_bytes,
        },
    )
    made.decoder.max_header_list_size = header_list_bytes
    made.initiate_connection()
    made.increment_flow_control_window(CONNECTION_WINDOW - _FIRST_WINDOW)
    return made
