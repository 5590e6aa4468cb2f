"""Exception handlers: the answers to what handlers and middleware raise.

In: an exception and its request. Out: the response of the handler that is declared for its class,
or of a base class, else the JSON answer of ``answers``. A streamed body counts as raised until its
first chunk is there: nothing has been sent before.

Source: contract edgezero.md, ERR-7 to ERR-13; ``exception_handler`` is that of Starlette.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from edgezero_spin.core.answers import error_response, report
from edgezero_spin.core.binding import Endpoint
from edgezero_spin.core.files import FileBody, apply_conditions
from edgezero_spin.core.request import Request
from edgezero_spin.core.response import Response
from edgezero_spin.core.return_values import to_response
from edgezero_spin.core.streaming import BodyStream

__all__ = ["ExceptionHandlers", "begin_body"]

_Handler = TypeVar("_Handler", bound=Callable[..., object])
_ExceptionHandler: TypeAlias = Callable[[Request, Any], Any]


class ExceptionHandlers:
    """What an app declared to answer exceptions."""

    def __init__(self) -> None:
        """There are none yet."""
        self._handlers: dict[type, _ExceptionHandler] = {}

    def declare(self, kind: type[Exception]) -> Callable[[_Handler], _Handler]:
        """Return what declares the handler of a class and of its subclasses.

        Raises:
            TypeError: It is not a class of exceptions.
        """
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            hint = "; NotFound is that of 404, HttpError one with a status of its choice"
            raise TypeError(
                f"exception_handler takes a class of exceptions, got {kind!r}"
                f"{hint if isinstance(kind, int) else ''}"
            )

        def declare(handler: _Handler) -> _Handler:
            self._handlers[kind] = handler
            return handler

        return declare

    def answering(self, endpoint: Endpoint) -> Endpoint:
        """Return an endpoint that answers what another raises, its stream at the first chunk."""

        async def call(request: Request) -> Response:
            try:
                response = await endpoint(request)
                if type(response.body) is not bytes:
                    await begin_body(request, response)
            except Exception as error:
                response = await self.answer(error, request)
            return response

        return call

    async def answer(self, error: Exception, request: Request) -> Response:
        """Make the response of an error, and log what is the service's own fault, once."""
        told: Request | None = request
        while told is not None:
            # The layers outside have the request that was replaced.
            told.error = error
            told = told._replaced
        if request._background is not None:
            request._background.clear()
        handler = self._handler_of(error)
        if handler is None:
            _report(error, request)
            return error_response(error)
        try:
            result = handler(request, error)
            response = to_response(await result if hasattr(result, "__await__") else result)
            await begin_body(request, response)
        except Exception as second:
            _report(second, request)
            return error_response(second)
        if response.status >= 500:
            _report(error, request)
        return response

    def _handler_of(self, error: Exception) -> _ExceptionHandler | None:
        if not self._handlers:
            return None
        for kind in type(error).__mro__:
            handler = self._handlers.get(kind)
            if handler is not None:
                return handler
        return None


def _report(error: Exception, request: Request) -> None:
    # The path as it was sent: decoded, it could begin a line of the log.
    report(error, request.method, request.raw_path.decode("ascii", "backslashreplace"))


async def begin_body(request: Request, response: Response) -> None:
    """Have the first chunk of a streamed body there, so that its failure is answered."""
    body = response.body
    if isinstance(body, FileBody):
        await apply_conditions(request, response, body)
        body = response.body
    if isinstance(body, BodyStream):
        await body.prime()
