"""Header fields that a response needs on either WASI.

Source: RFC 9110, section 8.6.
"""

__all__ = ["headers_of_nothing"]


def headers_of_nothing(
    status: int, headers: list[tuple[str, bytes]], method: str
) -> list[tuple[str, bytes]]:
    """Return the header fields of a response without content: with its length, where it has one.

    A host would send an empty chunk instead. A response to HEAD has the length that one to GET
    would have, or none where that is not known.
    """
    if (
        method == "HEAD"
        or status in (204, 304)
        or any(name == "content-length" for name, _ in headers)
    ):
        return headers
    return [*headers, ("content-length", b"0")]
