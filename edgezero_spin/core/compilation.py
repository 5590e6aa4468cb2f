"""The compilation of routes: handlers bound, and their routers' middleware put around them.

In: declarations and the functions that they name, when the app is compiled. Out: ``Route``s, whose
``call`` does for a request what is left to do.

Source: contract edgezero.md, RTE-10 to RTE-14.
"""

from collections.abc import Callable, Sequence
from typing import Any

from edgezero_spin.core.binding import Endpoint, bind
from edgezero_spin.core.exception_handlers import ExceptionHandlers
from edgezero_spin.core.middleware import chain
from edgezero_spin.core.offers import Offers
from edgezero_spin.core.references import resolved
from edgezero_spin.core.route_table import Route
from edgezero_spin.core.router import Declaration

__all__ = ["compile_routes"]


def compile_routes(
    declared: Sequence[Declaration],
    handlers: Sequence[Callable[..., Any]],
    offers: Offers,
    exceptions: ExceptionHandlers,
    miss: Endpoint,
) -> list[Route]:
    """Return the routes, in order.

    Args:
        declared: What the app and its routers declare.
        handlers: The function of each.
        offers: What the app has for them.
        exceptions: What answers an exception before it reaches a router's middleware.
        miss: What raises the error of a path that no route takes, for the middleware of a router.

    Raises:
        TypeError: A handler's signature cannot be served.
        ManifestError: The manifest names a middleware that does not exist.
    """
    names: dict[int, set[str]] = {}
    for route, handler in zip(declared, handlers, strict=True):
        names.setdefault(id(handler), set()).update(route.pattern.names)
    routes = []
    for route, handler in zip(declared, handlers, strict=True):
        own = route.pattern.names
        elsewhere = frozenset(names[id(handler)] - {*own})
        call = bind(handler, own, elsewhere, offers, route.dependencies)
        refuse = None
        if route.layers:
            layers = [resolved(layer) for layer in route.layers]
            call = chain(layers, exceptions.answering(call), exceptions.answer)
            refuse = chain(layers, exceptions.answering(miss), exceptions.answer)
        name = route.name or str(getattr(handler, "__name__", ""))
        routes.append(
            Route(
                route.method,
                route.pattern,
                handler,
                call,
                name,
                route.tags,
                route.dependencies,
                refuse,
            )
        )
    return routes
