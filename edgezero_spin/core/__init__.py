"""Request to response, with no idea where it runs: app, routing, binding, bodies, errors."""

from edgezero_spin.core import introspection
from edgezero_spin.core.annotations import (
    AppConfig,
    Config,
    Cookie,
    Depends,
    Form,
    ForwardedHost,
    Header,
    Json,
    Kv,
    PathParams,
    Query,
    RequestHost,
    Secrets,
    State,
)
from edgezero_spin.core.answers import error_response
from edgezero_spin.core.app import App
from edgezero_spin.core.background import BackgroundTasks
from edgezero_spin.core.cors import cors
from edgezero_spin.core.errors import (
    BadRequest,
    BodyReadError,
    ConfigOutOfDate,
    HttpError,
    Internal,
    MethodNotAllowed,
    NotFound,
    NotSupported,
    PayloadTooLarge,
    RouteNotFound,
    ServiceUnavailable,
    ValidationFailed,
)
from edgezero_spin.core.events import Event
from edgezero_spin.core.headers import Headers, MutableHeaders
from edgezero_spin.core.introspection import ManifestJson
from edgezero_spin.core.middleware import Middleware, Next, log_requests
from edgezero_spin.core.outbound import (
    Outbound,
    OutboundError,
    OutboundReply,
    OutboundRequest,
    OutboundResponse,
    OutboundStatusError,
    OutboundTransport,
)
from edgezero_spin.core.request import Request
from edgezero_spin.core.response import Response
from edgezero_spin.core.route_table import Route, RouteTable
from edgezero_spin.core.router import Router
from edgezero_spin.core.sources import MemorySource, RequestSource
from edgezero_spin.core.streaming import BodyStream
from edgezero_spin.core.uploads import Part, UploadFile
from edgezero_spin.core.warm import warm_up

__all__ = [
    "App",
    "AppConfig",
    "BackgroundTasks",
    "BadRequest",
    "BodyReadError",
    "BodyStream",
    "Config",
    "ConfigOutOfDate",
    "Cookie",
    "Depends",
    "Event",
    "Form",
    "ForwardedHost",
    "Header",
    "Headers",
    "HttpError",
    "Internal",
    "Json",
    "Kv",
    "ManifestJson",
    "MemorySource",
    "MethodNotAllowed",
    "Middleware",
    "MutableHeaders",
    "Next",
    "NotFound",
    "NotSupported",
    "Outbound",
    "OutboundError",
    "OutboundReply",
    "OutboundRequest",
    "OutboundResponse",
    "OutboundStatusError",
    "OutboundTransport",
    "Part",
    "PathParams",
    "PayloadTooLarge",
    "Query",
    "Request",
    "RequestHost",
    "RequestSource",
    "Response",
    "Route",
    "RouteNotFound",
    "RouteTable",
    "Router",
    "Secrets",
    "ServiceUnavailable",
    "State",
    "UploadFile",
    "ValidationFailed",
    "cors",
    "error_response",
    "introspection",
    "log_requests",
    "warm_up",
]
