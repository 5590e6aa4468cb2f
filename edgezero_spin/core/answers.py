"""The JSON answer that an error becomes.

In: any exception. Out: its ``Response``, ``{"error":{"message","status","kind"}}``. Any
``EdgeZeroError`` with a status answers for itself, store errors included; every other
exception is a 500 that says ``internal error``, and standard error has the traceback.

Source: contract edgezero.md, ERR-7 to ERR-13, with the differences of ERR-10 (``kind`` is
there) and ERR-13 (an unexpected exception keeps its text to itself).
"""

import sys
from io import StringIO
from json.encoder import encode_basestring

from edgezero_spin.core.headers import Headers
from edgezero_spin.core.response import Response
from edgezero_spin.errors import EdgeZeroError

__all__ = ["error_response", "report"]

_JSON = ("content-type", b"application/json")
_OF_THE_BODY = ("content-type", "content-length")


def error_response(error: Exception) -> Response:
    """Return what a client is told about an error.

    Nothing is logged here, unless headers or a message of the error's own cannot be sent:
    then standard error says so, and the answer goes out without them.
    """
    status = _status_of(error)
    if not status:
        return _json_error(500, "internal", "internal error")
    try:
        place = getattr(error, "field_path", "")
        response = _json_error(status, error.kind, error.answer, place)  # type: ignore[attr-defined]
    except Exception as problem:
        # No text, half of a surrogate pair, or an error class that fails (ERR-11).
        _log_left_out(error, "message", problem)
        response = Response.text("internal error", status)
    extra = getattr(error, "headers", None)
    if extra:
        try:
            pairs = Headers(extra).pairs
        except Exception as problem:
            _log_left_out(error, "headers", problem)
        else:
            response.header_pairs.extend(pair for pair in pairs if pair[0] not in _OF_THE_BODY)
    return response


def _status_of(error: Exception) -> int:
    """The error's own status; 0 when it has none that an error can have."""
    status = getattr(error, "status", 0) if isinstance(error, EdgeZeroError) else 0
    return status if isinstance(status, int) and 400 <= status <= 599 else 0


def _log_left_out(error: Exception, part: str, problem: Exception) -> None:
    print(f"{type(error).__name__}: its {part} cannot be sent: {problem}", file=sys.stderr)


def _json_error(status: int, kind: str, message: str, field_path: str = "") -> Response:
    place = f',"field_path":{encode_basestring(field_path)}' if field_path else ""
    body = (
        f'{{"error":{{"message":{encode_basestring(message)},"status":{status},'
        f'"kind":{encode_basestring(kind)}{place}}}}}'
    ).encode()
    response = Response(body, status)
    response.header_pairs[:] = [_JSON, ("content-length", b"%d" % len(body))]
    return response


def report(error: Exception, method: str, path: str) -> None:
    """Tell standard error about a failure that is ours: a traceback for a 500, a line for
    another 5xx, nothing for what the client did wrong.
    """
    status = _status_of(error) or 500
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
