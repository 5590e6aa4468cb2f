"""End of a chunked body, so that no byte behind it is given to its parser.

A chunked body ends in an empty line, behind its last chunk or its trailers (RFC 9112, 7.1). So
bytes are parted behind each empty line, whatever it is; the parser knows which one was the end.
"""

__all__ = ["ChunkedPieces"]

_EMPTY_LINE = b"\r\n\r\n"


class ChunkedPieces:
    """Parts the bytes of one body, however the network had parted them before."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b""

    def end_of_piece(self, data: bytes | bytearray, at: int) -> int:
        """Return where the piece ends that begins at ``at``."""
        # An empty line may have begun in the piece before.
        found = (self._tail + bytes(data[at : at + 3])).find(_EMPTY_LINE)
        if found >= 0:
            end = at + found + 4 - len(self._tail)
        else:
            found = data.find(_EMPTY_LINE, at)
            end = len(data) if found < 0 else found + 4
        self._tail = (self._tail + bytes(data[max(at, end - 3) : end]))[-3:]
        return end
