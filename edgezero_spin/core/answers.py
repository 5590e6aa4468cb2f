"""The JSON answer that an error becomes.

In: any exception. Out: its ``Response``, ``{"error":{"message","status","kind"}}``. Any
``EdgeZeroError`` with a status answers for itself, store errors included; every other
exception is a 500 that says ``internal error``, and standard error has the traceback.

Source: contract edgezero.md, ERR-7 to ERR-13, with the differences of ERR-10 (``kind`` is
there) and ERR-13 (an unexpected exception keeps its text to itself).
"""

import sys
from collections.abc import Iterable
from io import StringIO
from json.encoder import encode_basestring

from edgezero_spin.core.response import Response
from edgezero_spin.errors import EdgeZeroError

__all__ = ["error_response", "report"]


def error_response(error: Exception) -> Response:
    """Return what a client is told about an error. Nothing is logged here."""
    status: int = getattr(error, "status", 0) if isinstance(error, EdgeZeroError) else 0
    if not 400 <= status <= 599:
        return _json_error(500, "internal", "internal error", ())
    try:
        extra = getattr(error, "headers", ())
        return _json_error(status, error.kind, error.answer, extra)  # type: ignore[attr-defined]
    except Exception:
        # A message or a header that cannot be written, half of a surrogate pair for one
        # (ERR-11).
        return Response.text("internal error", status)


def _json_error(status: int, kind: str, message: str, extra: Iterable[tuple[str, str]]) -> Response:
    body = (
        f'{{"error":{{"message":{encode_basestring(message)},"status":{status},'
        f'"kind":{encode_basestring(kind)}}}}}'
    ).encode()
    fields = [("content-type", "application/json"), ("content-length", str(len(body))), *extra]
    return Response(body, status, fields)


def report(error: Exception, method: str, path: str) -> None:
    """Tell standard error about a failure that is ours: a traceback for a 500, a line for
    another 5xx, nothing for what the client did wrong.
    """
    status = getattr(error, "status", 500) if isinstance(error, EdgeZeroError) else 500
    if status == 500:
        # The interpreter's own printer: it needs no module that a component has to carry. It
        # writes word by word, and in a component each word would be a call to the host.
        stderr, sys.stderr = sys.stderr, StringIO()
        try:
            sys.__excepthook__(type(error), error, error.__traceback__)
            text = sys.stderr.getvalue()
        finally:
            sys.stderr = stderr
        print(f"{method} {path} failed:\n{text}", end="", file=stderr)
    elif status > 500:
        print(f"{method} {path}: {error}", file=sys.stderr)
