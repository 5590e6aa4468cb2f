"""The errors a handler raises on purpose, and the JSON answer each becomes.

In: an exception. Out: its ``Response``, ``{"error":{"message","status","kind"}}``.
Any ``EdgeZeroError`` with a status answers for itself, store errors included;
every other exception is a 500 that says ``internal error`` and nothing more.

Source: contract edgezero.md, ERR-1 to ERR-13, with the differences of ERR-3 (only a
routing miss says ``no route matched path``), ERR-10 (``kind`` is present) and ERR-13
(an unexpected exception keeps its text to itself).
"""

# The names say what the client is told; an Error suffix would add nothing to "raise NotFound".
# ruff: noqa: N818

from collections.abc import Iterable

from edgezero_spin.core.headers import HeaderInput, MutableHeaders
from edgezero_spin.errors import EdgeError

__all__ = [
    "BadRequest",
    "BodyReadError",
    "ConfigOutOfDate",
    "HttpError",
    "Internal",
    "MethodNotAllowed",
    "NotFound",
    "NotSupported",
    "PayloadTooLarge",
    "RouteNotFound",
    "ServiceUnavailable",
    "ValidationFailed",
]

# ERR-1..7 name their kinds; these are the other statuses that applications answer with.
_KINDS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    410: "gone",
    412: "precondition_failed",
    413: "payload_too_large",
    415: "unsupported_media_type",
    422: "validation",
    429: "too_many_requests",
    500: "internal",
    501: "not_implemented",
    503: "service_unavailable",
}


class HttpError(EdgeError):
    """Any other status: ``raise HttpError(409, "the name is taken")``.

    Attributes:
        headers: Extra header fields of the answer, given as a mapping,
            ``{"www-authenticate": "Basic"}``, or as pairs.

    Raises:
        TypeError: A header value is neither text nor bytes.
        ValueError: The status is not an error status, 400 to 599, or a header is malformed.
    """

    def __init__(
        self, status: int, message: str = "", *, kind: str | None = None, headers: HeaderInput = ()
    ) -> None:
        if not 400 <= status <= 599:
            raise ValueError(f"an error status is 400 to 599, got {status}")
        self.status = status
        self.kind = kind or _KINDS.get(status, f"http_{status}")
        self.headers = MutableHeaders(headers)
        super().__init__(message or self.kind.replace("_", " "))


class BadRequest(EdgeError):
    """The request cannot be understood: 400, the message as given."""

    kind = "bad_request"
    status = 400


class ValidationFailed(EdgeError):
    """The request was understood and breaks a rule of its model: 422, the message as given."""

    kind = "validation"
    status = 422

    def __str__(self) -> str:
        return f"validation error: {self.message}"


class NotFound(EdgeError):
    """Something that the request names is not there: 404, ``not found: <what>``."""

    kind = "not_found"
    status = 404

    def __init__(self, what: str = "") -> None:
        super().__init__(f"not found: {what}" if what else "not found")


class RouteNotFound(NotFound):
    """No route takes the path, whatever the method: 404."""

    def __init__(self, path: str) -> None:
        EdgeError.__init__(self, f"no route matched path: {path}")
        self.path = path


class MethodNotAllowed(EdgeError):
    """The path exists under other methods only: 405 with an ``Allow`` header.

    Attributes:
        allowed: The methods that have a route for the path, sorted.
        headers: ``Allow`` as RFC 9110 wants it. It names ``HEAD`` wherever there is
            ``GET``, because the handler of ``GET`` answers it; the message keeps to
            the routes.
    """

    kind = "method_not_allowed"
    status = 405

    def __init__(self, method: str, allowed: Iterable[str] = ()) -> None:
        self.method = method
        self.allowed = tuple(sorted(allowed))
        supported = set(self.allowed)
        if "GET" in supported:
            supported.add("HEAD")
        self.headers = MutableHeaders([("allow", ", ".join(sorted(supported)))])
        names = ", ".join(self.allowed) or "(none)"
        super().__init__(f"method {method} not allowed; allowed: {names}")


class PayloadTooLarge(EdgeError):
    """A body is larger than a buffering read may keep: 413."""

    kind = "payload_too_large"
    status = 413

    def __init__(self, message: str = "request body too large") -> None:
        super().__init__(message)


class NotSupported(EdgeError):
    """The application does not do this: 501, the message as given."""

    kind = "not_implemented"
    status = 501

    def __str__(self) -> str:
        return f"not implemented: {self.message}"


class ConfigOutOfDate(EdgeError):
    """The pushed configuration is missing or does not fit the app: 503, to be tried again.

    Attributes:
        field_path: The dotted place of what does not fit; empty for all of it.
        headers: ``Retry-After``.
    """

    kind = "config_out_of_date"
    status = 503

    def __init__(self, message: str, field_path: str = "") -> None:
        super().__init__(message)
        self.field_path = field_path
        self.headers = MutableHeaders([("retry-after", "60")])


class ServiceUnavailable(EdgeError):
    """Something the application needs is away for now: 503, the message as given."""

    kind = "service_unavailable"
    status = 503

    def __str__(self) -> str:
        return f"service unavailable: {self.message}"


class Internal(EdgeError):
    """The application failed and says so: 500, ``internal error: <cause>``.

    The text of the cause reaches the client. An exception that nobody raised on
    purpose does not: it answers ``internal error``, and its traceback goes to
    standard error.

    Attributes:
        cause: What was given, text or exception, for the log.
    """

    kind = "internal"
    status = 500

    def __init__(self, cause: str | BaseException) -> None:
        super().__init__(f"internal error: {cause}")
        self.cause = cause


class BodyReadError(Internal):
    """The request body broke off or could not be read: 500 (BOD-3)."""

    def __init__(self, cause: str | BaseException) -> None:
        super().__init__(f"failed to read request body: {cause}")
