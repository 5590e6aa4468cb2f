"""The output of components as text that can be sent.

In: bytes that a component printed. Out: the text, or what shows bytes that are none.

Source: contract services.md, TEL-44.
"""

__all__ = ["escaped", "text_of"]

_ESCAPED_BYTES = 50
"""Bytes that are shown of output that is not text."""


def text_of(data: bytes) -> str | None:
    """Return output as text; ``None`` for what is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def escaped(data: bytes) -> str:
    """Return the beginning of output in ASCII, all else as escapes."""
    return (
        data[:_ESCAPED_BYTES]
        .decode("ascii", "backslashreplace")
        .translate(
            {
                **{code: f"\\x{code:02x}" for code in (*range(32), 127)},
                9: "\\t",
                10: "\\n",
                13: "\\r",
            }
        )
    )
