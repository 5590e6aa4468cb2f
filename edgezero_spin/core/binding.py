"""Handlers to endpoints: one coroutine function from request to response.

In: a handler and the parameters of its route, when the app is compiled. Out: its endpoint, with as
little as possible left to do for each request. How parameters are filled is in ``signatures``.

Source: contract edgezero.md, HND-1 to HND-3.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeAlias

from edgezero_spin.core.annotations import Depends
from edgezero_spin.core.callables import hints_of, is_async, name_of
from edgezero_spin.core.dependencies import Parameters
from edgezero_spin.core.offers import Offers
from edgezero_spin.core.request import Request
from edgezero_spin.core.response import Response
from edgezero_spin.core.return_annotations import check_return
from edgezero_spin.core.return_values import prepare_json, to_response
from edgezero_spin.core.signatures import parameters_of

__all__ = ["Endpoint", "bind"]

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


def bind(
    handler: Callable[..., object],
    names: tuple[str, ...],
    elsewhere: frozenset[str] = frozenset(),
    offers: Offers | None = None,
    dependencies: Sequence[Depends] = (),
) -> Endpoint:
    """Return the call of a handler.

    Args:
        handler: A function, ``async`` or not, or any callable with a signature.
        names: The path parameters of the route, in order.
        elsewhere: Path parameters that other routes of this handler have; here they take
            their default.
        offers: What the app declares; ``None`` to find out at the request.
        dependencies: What is called before it, and gives it nothing.

    Raises:
        TypeError: A parameter cannot be filled from a request or by the app, or nothing can be
            answered of what the handler returns.
    """
    parameters = parameters_of(handler, names, elsewhere, offers, dependencies)
    returned = hints_of(handler).get("return")
    if not hasattr(handler, "__wrapped__"):
        # A decorator may make something else of what the function returns.
        try:
            check_return(returned)
        except TypeError as error:
            where = name_of(handler)
            raise TypeError(f"handler {where}: its return annotation: {error}") from None
    prepare_json(returned)
    waits = is_async(handler)
    if not waits and hasattr(handler, "__wrapped__"):
        # A plain decorator around an async handler gives back what the handler gave it.
        handler, waits = _awaiting(handler), True
    endpoint = _endpoint(handler, parameters, waits)
    if parameters.cleans_up:
        return _with_exits(endpoint, handler)
    return _with_memory(endpoint) if parameters.has_dependencies else endpoint


def _endpoint(handler: Callable[..., object], parameters: Parameters, is_async: bool) -> Endpoint:
    call: Callable[..., Any] = handler
    arguments = parameters.arguments
    if not parameters.simple:
        called = parameters.calling(call, is_async, to_response)
        return called if parameters.waits or is_async else _awaitable(called)
    if not arguments:

        async def call_bare(request: Request) -> Response:
            result = call()
            return to_response(await result if is_async else result)

        return call_bare
    if len(arguments) == 1:
        extract_only = arguments[0].extract

        async def call_with_one(request: Request) -> Response:
            result = call(extract_only(request))
            return to_response(await result if is_async else result)

        return call_with_one
    extracts = [argument.extract for argument in arguments]

    async def call_with_all(request: Request) -> Response:
        result = call(*[extract(request) for extract in extracts])
        return to_response(await result if is_async else result)

    return call_with_all


def _awaitable(called: Callable[[Request], Response]) -> Endpoint:
    async def call(request: Request) -> Response:
        return called(request)

    return call


def _with_memory(endpoint: Endpoint) -> Endpoint:
    """Keep what the dependencies of a call gave, so that each is called once."""

    def call_with_memory(request: Request) -> Awaitable[Response]:
        request.resolved = {}
        return endpoint(request)

    return call_with_memory


def _with_exits(endpoint: Endpoint, handler: Callable[..., object]) -> Endpoint:
    """Let the dependencies of a call clean up when it ends, however it ends."""

    async def call_with_exits(request: Request) -> Response:
        async with AsyncExitStack() as exits:
            request.exits = exits
            request.resolved = {}
            return await endpoint(request)
        raise RuntimeError(
            f"a dependency of handler {name_of(handler)} caught the error and went on; "
            f"write `raise` behind what it does with it"
        )

    return call_with_exits


def _awaiting(handler: Callable[..., Any]) -> Callable[..., Awaitable[object]]:
    async def call(*args: Any, **kwargs: Any) -> object:
        result = handler(*args, **kwargs)
        return await result if hasattr(result, "__await__") else result

    return call
