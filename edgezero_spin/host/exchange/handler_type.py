"""Handler types: the interfaces by which components take requests and events.

Source: contract spin-host.md, RESP-11, RESP-15, MAN-26; wasi03.md, XP-1, XP-13. Spin has the
same in ``HandlerType``.
"""

import enum

__all__ = ["HandlerType"]


class HandlerType(enum.Enum):
    """How a component takes a request or an event and gives its result."""

    # Members are looked up at each request; the hash of ``Enum`` is that of the name, in Python.
    __hash__ = object.__hash__

    WASI_0_2 = "wasi:http/incoming-handler@0.2"
    """A request and a response whose bodies are streams."""
    WASI_0_3 = "wasi:http/handler@0.3"
    """The same, where several requests may be in one instance."""
    SPIN = "fermyon:spin/inbound-http"
    """One call with the whole request that returns the whole response."""
    WAGI = "wagi"
    """A command: what it reads is the request, what it prints is the response."""
    FUNCTION = "func"
    """A function that is called with an event and returns when it is done."""
    ASYNC_FUNCTION = "async func"
    """The same, where several events may be in one instance."""
