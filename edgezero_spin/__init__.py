"""Typed, testable Spin components in Python.

Write an ``App``, end its module with ``IncomingHandler = run_app(app)``, and compile it:
``edgezero componentize app:app -o app.wasm``. What is offered here runs natively and inside
the component; the host, the command and the testing kit are imported by their own names.
"""

from edgezero_spin.core import (
    App,
    BadRequest,
    BodyReadError,
    Config,
    Form,
    ForwardedHost,
    Headers,
    Host,
    HttpError,
    Internal,
    Json,
    Kv,
    MethodNotAllowed,
    MutableHeaders,
    Next,
    NotFound,
    NotSupported,
    Path,
    PayloadTooLarge,
    Query,
    Request,
    Response,
    RouteNotFound,
    Secrets,
    ServiceUnavailable,
    State,
    ValidationFailed,
    log_requests,
)
from edgezero_spin.errors import EdgeError, EdgeZeroError, StoreError
from edgezero_spin.guest import open_stores, run_app, wait
from edgezero_spin.stores import KeyPage, StoreDeclaration, StoreIds, Stores, structurer

__version__ = "0.1.0"

__all__ = [
    "App",
    "BadRequest",
    "BodyReadError",
    "Config",
    "EdgeError",
    "EdgeZeroError",
    "Form",
    "ForwardedHost",
    "Headers",
    "Host",
    "HttpError",
    "Internal",
    "Json",
    "KeyPage",
    "Kv",
    "MethodNotAllowed",
    "MutableHeaders",
    "Next",
    "NotFound",
    "NotSupported",
    "Path",
    "PayloadTooLarge",
    "Query",
    "Request",
    "Response",
    "RouteNotFound",
    "Secrets",
    "ServiceUnavailable",
    "State",
    "StoreDeclaration",
    "StoreError",
    "StoreIds",
    "Stores",
    "ValidationFailed",
    "__version__",
    "log_requests",
    "open_stores",
    "run_app",
    "structurer",
    "wait",
]
