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
        AppConfig,
        BackgroundTasks,
        BadRequest,
        BodyReadError,
        BodyStream,
        Config,
        ConfigOutOfDate,
        Cookie,
        Depends,
        Event,
        Form,
        ForwardedHost,
        Header,
        Headers,
        HttpError,
        Internal,
        Json,
        Kv,
        ManifestJson,
        MethodNotAllowed,
        Middleware,
        MutableHeaders,
        Next,
        NotFound,
        NotSupported,
        Outbound,
        OutboundError,
        OutboundResponse,
        OutboundStatusError,
        Part,
        PathParams,
        PayloadTooLarge,
        Query,
        Request,
        RequestHost,
        Response,
        RouteNotFound,
        Router,
        RouteTable,
        Secrets,
        ServiceUnavailable,
        State,
        UploadFile,
        ValidationFailed,
        cors,
        error_response,
        introspection,
        log_requests,
    )
    from edgezero_spin.core.access_log import access_log
    from edgezero_spin.core.compress import compress
    from edgezero_spin.core.request_ids import request_ids
    from edgezero_spin.core.security_headers import security_headers
    from edgezero_spin.core.static_files import static_files
    from edgezero_spin.errors import EdgeError, EdgeZeroError, StoreError
    from edgezero_spin.events import CronEvent, MqttMessage, RedisMessage
    from edgezero_spin.guest import run_app, wait
    from edgezero_spin.guest.adopt import open_stores
    from edgezero_spin.stores import (
        Alias,
        ConfigStore,
        ConfigStoreError,
        ConfigUnavailableError,
        DatabaseError,
        DatabaseOpenError,
        Ge,
        Gt,
        Interval,
        JsonValueError,
        KeyNotFoundError,
        KeyPage,
        KeyValueError,
        KeyValueLimitError,
        KeyValueStore,
        KeyValueUnavailableError,
        KeyValueUnsupportedError,
        KeyValueValidationError,
        Le,
        Lt,
        ManyRowsError,
        MaxLen,
        MinLen,
        MySql,
        NoRowError,
        Postgres,
        QueryError,
        Range,
        Redis,
        Registry,
        RowError,
        SecretError,
        SecretNotFoundError,
        SecretStore,
        Sqlite,
        StoreDeclaration,
        StoreIds,
        StoreOpenError,
        Stores,
        UndeclaredStoreError,
        config_model,
        converter,
        secret,
        structurer,
    )

__version__ = "0.1.0"
"""The version of the package."""

__all__ = [
    "Alias",
    "App",
    "AppConfig",
    "BackgroundTasks",
    "BadRequest",
    "BodyReadError",
    "BodyStream",
    "Config",
    "ConfigOutOfDate",
    "ConfigStore",
    "ConfigStoreError",
    "ConfigUnavailableError",
    "Cookie",
    "CronEvent",
    "DatabaseError",
    "DatabaseOpenError",
    "Depends",
    "EdgeError",
    "EdgeZeroError",
    "Event",
    "Form",
    "ForwardedHost",
    "Ge",
    "Gt",
    "Header",
    "Headers",
    "HttpError",
    "Internal",
    "Interval",
    "Json",
    "JsonValueError",
    "KeyNotFoundError",
    "KeyPage",
    "KeyValueError",
    "KeyValueLimitError",
    "KeyValueStore",
    "KeyValueUnavailableError",
    "KeyValueUnsupportedError",
    "KeyValueValidationError",
    "Kv",
    "Le",
    "Lt",
    "ManifestJson",
    "ManyRowsError",
    "MaxLen",
    "MethodNotAllowed",
    "Middleware",
    "MinLen",
    "MqttMessage",
    "MutableHeaders",
    "MySql",
    "Next",
    "NoRowError",
    "NotFound",
    "NotSupported",
    "Outbound",
    "OutboundError",
    "OutboundResponse",
    "OutboundStatusError",
    "Part",
    "PathParams",
    "PayloadTooLarge",
    "Postgres",
    "Query",
    "QueryError",
    "Range",
    "Redis",
    "RedisMessage",
    "Registry",
    "Request",
    "RequestHost",
    "Response",
    "RouteNotFound",
    "RouteTable",
    "Router",
    "RowError",
    "SecretError",
    "SecretNotFoundError",
    "SecretStore",
    "Secrets",
    "ServiceUnavailable",
    "Sqlite",
    "State",
    "StoreDeclaration",
    "StoreError",
    "StoreIds",
    "StoreOpenError",
    "Stores",
    "UndeclaredStoreError",
    "UploadFile",
    "ValidationFailed",
    "__version__",
    "access_log",
    "compress",
    "config_model",
    "converter",
    "cors",
    "error_response",
    "introspection",
    "log_requests",
    "open_stores",
    "request_ids",
    "run_app",
    "secret",
    "security_headers",
    "static_files",
    "structurer",
    "wait",
]

# Where two rooms offer a name, the first one's is meant.
_ROOMS = ("core", "guest", "stores", "errors")

# Names that are loaded one by one, and their modules: only a component that uses them carries them.
_LOADED_ALONE = {
    "open_stores": "guest.adopt",
    "access_log": "core.access_log",
    "compress": "core.compress",
    "request_ids": "core.request_ids",
    "security_headers": "core.security_headers",
    "static_files": "core.static_files",
    "CronEvent": "events",
    "MqttMessage": "events",
    "RedisMessage": "events",
    "DatabaseError": "stores.databases",
    "DatabaseOpenError": "stores.databases",
    "Interval": "stores.databases",
    "ManyRowsError": "stores.databases",
    "MySql": "stores.databases",
    "NoRowError": "stores.databases",
    "Postgres": "stores.databases",
    "QueryError": "stores.databases",
    "Range": "stores.databases",
    "Redis": "stores.databases",
    "RowError": "stores.databases",
    "Sqlite": "stores.databases",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _LOADED_ALONE:
        return getattr(import_module(f"{__name__}.{_LOADED_ALONE[name]}"), name)
    for room in _ROOMS:
        module = import_module(f"{__name__}.{room}")
        for offered in module.__all__:
            if offered in __all__ and offered not in _LOADED_ALONE:
                globals().setdefault(offered, getattr(module, offered))
    return globals()[name]


def __dir__() -> list[str]:
    return sorted(__all__)
