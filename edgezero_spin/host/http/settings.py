"""Server settings: port, TLS and limits on clients.

Source: contract spin-host.md, FLAG-2, FLAG-3, OUT-8, LIFE-10.
"""

import attrs
from attrs.validators import ge, gt

__all__ = ["LEAST_MAX_HEAD_BYTES", "ServerSettings"]

LEAST_MAX_HEAD_BYTES = 8192


@attrs.frozen(kw_only=True)
class ServerSettings:
    """How a server treats its clients.

    Attributes:
        find_free_port: Where the port is taken, try the next ones (OUT-8).
        tls: Certificate file and key file.
        drain_s: Seconds that requests in flight get at the end. 0 or more.
        max_head_bytes: Bytes that the head of a request may have; past it the answer is a
            431 (FLAG-3). At least 8192.
        head_timeout_s: Seconds that a client has for the head of a request, and for the
            first byte on a new connection. More than 0.
        keep_alive_s: Seconds that a connection may wait for its next request. More than 0.
        body_timeout_s: Seconds that a client may take for a part of a body that is awaited,
            or for taking a part of a response. Past it the answer is a 408, or the
            connection is closed. More than 0.
        min_body_rate: Bytes of a body that give a client another second, up to
            ``body_timeout_s``: one that is slower is late. 0 has any byte give all of the
            time again.
    """

    find_free_port: bool = False
    tls: tuple[str, str] | None = None
    drain_s: float = attrs.field(default=2, validator=ge(0))
    max_head_bytes: int = attrs.field(default=256 * 1024, validator=ge(LEAST_MAX_HEAD_BYTES))
    head_timeout_s: float = attrs.field(default=30.0, validator=gt(0))
    keep_alive_s: float = attrs.field(default=75.0, validator=gt(0))
    body_timeout_s: float = attrs.field(default=30.0, validator=gt(0))
    min_body_rate: int = attrs.field(default=500, validator=ge(0))

    @property
    def least_taken_bytes(self) -> int:
        """Bytes of responses that a client has to take in ``body_timeout_s``."""
        return max(1, int(self.min_body_rate * self.body_timeout_s))
