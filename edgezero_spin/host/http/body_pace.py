"""The pace at which a client has to move on with a body.

A client is given time, which passes while it is waited for and grows with each byte. So one
that sends a byte now and then is late as soon as one that sends nothing, and one that keeps
the pace never is. It cannot save time up: there is never more than at the start.

Source: ours; Apache's ``RequestReadTimeout`` with ``MinRate`` and Kestrel's
``MinRequestBodyDataRate`` bound clients in the same manner.
"""

import math

__all__ = ["BodyPace"]


class BodyPace:
    """Time that one client has for one body, in one direction."""

    __slots__ = ("_bytes_per_s", "_deadline", "_left_s", "_most_s")

    def __init__(self, most_s: float, bytes_per_s: int) -> None:
        """Nobody is waited for yet.

        Args:
            most_s: Time at the start, and at most.
            bytes_per_s: Bytes that earn a second; 0 has any byte earn all the time there is.
        """
        self._most_s = most_s
        self._bytes_per_s = bytes_per_s
        self._left_s = most_s
        self._deadline = math.inf

    @property
    def is_waiting(self) -> bool:
        """Whether the client is waited for."""
        return self._deadline < math.inf

    def wait(self, now: float) -> float:
        """Wait for the client; return the time at which it is late."""
        if not self.is_waiting:
            self._deadline = now + self._left_s
        return self._deadline

    def earn(self, now: float, count: int) -> float:
        """Count bytes that moved while the client was waited for; return the new time."""
        most = now + self._most_s
        if self._bytes_per_s and count < self._bytes_per_s * self._most_s:
            self._deadline = min(most, self._deadline + count / self._bytes_per_s)
        else:
            self._deadline = most
        return self._deadline

    def rest(self, now: float) -> None:
        """Wait no more: it is somebody else who takes time."""
        if self.is_waiting:
            self._left_s = max(0.0, self._deadline - now)
            self._deadline = math.inf
