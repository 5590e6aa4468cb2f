"""Typed, testable Spin components in Python.

Write an ``App``, end its module with ``IncomingHandler = run_app(app)``, and compile it:
``edgezero componentize app:app -o app.wasm``. What is offered here runs natively and inside
the component; the host, the command and the testing kit are imported by their own names.

The names are loaded together, when the first of them is asked for: the command passes
through this package at every start and uses none of them. An app asks for ``App`` while its
component is built, and then all of them are in the snapshot.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgezero_spin.core import (
        App,
        BadRequest,
        BodyReadError,
        BodyStream,
        Config,
        Cookie,
        Depends,
        Form,
        ForwardedHost,
        Header,
        Headers,
        Host,
        HttpError,
        Internal,
        Json,
        Kv,
        MethodNotAllowed,
        Middleware,
        MutableHeaders,
        Next,
        NotFound,
        NotSupported,
        Outbound,
        OutboundError,
        OutboundResponse,
        Path,
        PayloadTooLarge,
        Query,
        Request,
        Response,
        RouteNotFound,
        Router,
        Secrets,
        ServiceUnavailable,
        State,
        ValidationFailed,
        cors,
        error_response,
        log_requests,
    )
    from edgezero_spin.errors import EdgeError, EdgeZeroError, StoreError
    from edgezero_spin.guest import open_stores, run_app, wait
    from edgezero_spin.stores import (
        Alias,
        Ge,
        Gt,
        KeyPage,
        Le,
        Lt,
        MaxLen,
        MinLen,
        StoreDeclaration,
        StoreIds,
        Stores,
        converter,
        structurer,
    )

__version__ = "0.1.0"

__all__ = [
    "Alias",
    "App",
    "BadRequest",
    "BodyReadError",
    "BodyStream",
    "Config",
    "Cookie",
    "Depends",
    "EdgeError",
    "EdgeZeroError",
    "Form",
    "ForwardedHost",
    "Ge",
    "Gt",
    "Header",
    "Headers",
    "Host",
    "HttpError",
    "Internal",
    "Json",
    "KeyPage",
    "Kv",
    "Le",
    "Lt",
    "MaxLen",
    "MethodNotAllowed",
    "Middleware",
    "MinLen",
    "MutableHeaders",
    "Next",
    "NotFound",
    "NotSupported",
    "Outbound",
    "OutboundError",
    "OutboundResponse",
    "Path",
    "PayloadTooLarge",
    "Query",
    "Request",
    "Response",
    "RouteNotFound",
    "Router",
    "Secrets",
    "ServiceUnavailable",
    "State",
    "StoreDeclaration",
    "StoreError",
    "StoreIds",
    "Stores",
    "ValidationFailed",
    "__version__",
    "converter",
    "cors",
    "error_response",
    "log_requests",
    "open_stores",
    "run_app",
    "structurer",
    "wait",
]

# Where two rooms offer a name, the first one's is meant.
_ROOMS = ("core", "guest", "stores", "errors")


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for room in _ROOMS:
        module = import_module(f"{__name__}.{room}")
        for offered in module.__all__:
            if offered in __all__:
                globals().setdefault(offered, getattr(module, offered))
    return globals()[name]


def __dir__() -> list[str]:
    return sorted(__all__)
