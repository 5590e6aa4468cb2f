"""Core functions of Spin 1: what modules made with wit-bindgen 0.2 import and export.

Their core types and layouts are those that the canonical ABI has for the interfaces
``fermyon:spin/...`` without a version, which took their place. Rust SDK 1, and the Go SDK up to
2, made such modules.

Source: spin-componentize (the imports that it retargets) and the interfaces of Spin 1; contract
spin-host.md, GEN-8.
"""

from collections.abc import Mapping

from edgezero_spin.wasm.component.types import (
    EnumType,
    FunctionType,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    ValueType,
    VariantType,
)

__all__ = ["SPIN_1_EXPORTS", "SPIN_1_IMPORTS", "SPIN_1_RENAMED"]

_BOOL, _U8, _U16, _U32, _U64 = (
    Primitive.BOOL,
    Primitive.U8,
    Primitive.U16,
    Primitive.U32,
    Primitive.U64,
)
_S64, _F32, _F64, _TEXT = Primitive.S64, Primitive.F32, Primitive.F64, Primitive.STRING
_BYTES, _TEXTS = ListType(_U8), ListType(_TEXT)

_Case = tuple[str, ValueType | None]


def _function(
    *parameters: tuple[str, ValueType], ok: ValueType | None = None, error: ValueType | None = None
) -> FunctionType:
    return FunctionType(parameters, None if error is None else ResultType(ok, error))


def _plain(*names: str) -> tuple[_Case, ...]:
    return tuple((name, None) for name in names)


def _texts(*names: str) -> tuple[_Case, ...]:
    return tuple((name, _TEXT) for name in names)


# HTTP

_HEADERS = ListType(TupleType((_TEXT, _TEXT)))
_METHOD = EnumType(("get", "post", "put", "delete", "patch", "head", "options"))
_REQUEST = RecordType(
    (
        ("method", _METHOD),
        ("uri", _TEXT),
        ("headers", _HEADERS),
        ("params", _HEADERS),
        ("body", OptionType(_BYTES)),
    )
)
_RESPONSE = RecordType(
    (("status", _U16), ("headers", OptionType(_HEADERS)), ("body", OptionType(_BYTES)))
)
_HTTP_ERROR = EnumType(
    (
        "success",
        "destination-not-allowed",
        "invalid-url",
        "request-error",
        "runtime-error",
        "too-many-requests",
    )
)

# Configuration, key-value stores and SQLite

_CONFIG_ERROR = VariantType(_texts("provider", "invalid-key", "invalid-schema", "other"))
_STORE, _KEY, _VALUE = ("store", _U32), ("key", _TEXT), ("value", _BYTES)
_STORE_ERROR = VariantType(
    (
        *_plain("store-table-full", "no-such-store", "access-denied", "invalid-store"),
        *_plain("no-such-key"),
        *_texts("io"),
    )
)
_SQLITE_ERROR = VariantType(
    (
        *_plain("no-such-database", "access-denied", "invalid-connection", "database-full"),
        *_texts("io"),
    )
)
_SQLITE_VALUE = VariantType(
    (("integer", _S64), ("real", _F64), ("text", _TEXT), ("blob", _BYTES), ("null", None))
)
_QUERY_RESULT = RecordType(
    (
        ("columns", _TEXTS),
        ("rows", ListType(RecordType((("values", ListType(_SQLITE_VALUE)),)))),
    )
)

# Redis

_ADDRESS = ("address", _TEXT)
_REDIS_ERROR = EnumType(("success", "error"))
_REDIS_PARAMETER = VariantType((("int64", _S64), ("binary", _BYTES)))
_REDIS_RESULT = VariantType((("nil", None), ("status", _TEXT), ("int64", _S64), ("binary", _BYTES)))
_REDIS_VALUES = ("values", _TEXTS)

# PostgreSQL and MySQL

_SCALARS: tuple[_Case, ...] = (
    ("boolean", _BOOL),
    ("int8", Primitive.S8),
    ("int16", Primitive.S16),
    ("int32", Primitive.S32),
    ("int64", _S64),
    ("uint8", _U8),
    ("uint16", _U16),
    ("uint32", _U32),
    ("uint64", _U64),
    ("floating32", _F32),
    ("floating64", _F64),
    ("str", _TEXT),
    ("binary", _BYTES),
)
_DATA_TYPE = EnumType((*(name for name, _ in _SCALARS), "other"))
_ROW_SET = RecordType(
    (
        ("columns", ListType(RecordType((("name", _TEXT), ("data-type", _DATA_TYPE))))),
        ("rows", ListType(ListType(VariantType((*_SCALARS, *_plain("db-null", "unsupported")))))),
    )
)
_STATEMENT = (
    _ADDRESS,
    ("statement", _TEXT),
    ("params", ListType(VariantType((*_SCALARS, *_plain("db-null"))))),
)
_DATABASE_ERROR = VariantType(
    (
        *_plain("success"),
        *_texts("connection-failed", "bad-parameter", "query-failed"),
        *_texts("value-conversion-failed", "other-error"),
    )
)

# Language models

_PARAMETERS = RecordType(
    (
        ("max-tokens", _U32),
        ("repeat-penalty", _F32),
        ("repeat-penalty-last-n-token-count", _U32),
        ("temperature", _F32),
        ("top-k", _U32),
        ("top-p", _F32),
    )
)
_MODEL_ERROR = VariantType(
    (*_plain("model-not-supported"), *_texts("runtime-error", "invalid-input"))
)
_USAGE = RecordType((("prompt-token-count", _U32), ("generated-token-count", _U32)))
_INFERENCE = RecordType((("text", _TEXT), ("usage", _USAGE)))
_EMBEDDINGS = RecordType(
    (
        ("embeddings", ListType(ListType(_F32))),
        ("usage", RecordType((("prompt-token-count", _U32),))),
    )
)

SPIN_1_IMPORTS: Mapping[str, tuple[str, Mapping[str, FunctionType]]] = {
    "wasi-outbound-http": (
        "fermyon:spin/http",
        {"request": _function(("req", _REQUEST), ok=_RESPONSE, error=_HTTP_ERROR)},
    ),
    "spin-config": (
        "fermyon:spin/config",
        {"get-config": _function(("key", _TEXT), ok=_TEXT, error=_CONFIG_ERROR)},
    ),
    "key-value": (
        "fermyon:spin/key-value",
        {
            "open": _function(("name", _TEXT), ok=_U32, error=_STORE_ERROR),
            "get": _function(_STORE, _KEY, ok=_BYTES, error=_STORE_ERROR),
            "set": _function(_STORE, _KEY, _VALUE, error=_STORE_ERROR),
            "delete": _function(_STORE, _KEY, error=_STORE_ERROR),
            "exists": _function(_STORE, _KEY, ok=_BOOL, error=_STORE_ERROR),
            "get-keys": _function(_STORE, ok=_TEXTS, error=_STORE_ERROR),
            "close": _function(_STORE),
        },
    ),
    "sqlite": (
        "fermyon:spin/sqlite",
        {
            "open": _function(("database", _TEXT), ok=_U32, error=_SQLITE_ERROR),
            "execute": _function(
                ("conn", _U32),
                ("statement", _TEXT),
                ("parameters", ListType(_SQLITE_VALUE)),
                ok=_QUERY_RESULT,
                error=_SQLITE_ERROR,
            ),
            "close": _function(("conn", _U32)),
        },
    ),
    "outbound-redis": (
        "fermyon:spin/redis",
        {
            "publish": _function(
                _ADDRESS, ("channel", _TEXT), ("payload", _BYTES), error=_REDIS_ERROR
            ),
            "get": _function(_ADDRESS, _KEY, ok=_BYTES, error=_REDIS_ERROR),
            "set": _function(_ADDRESS, _KEY, _VALUE, error=_REDIS_ERROR),
            "incr": _function(_ADDRESS, _KEY, ok=_S64, error=_REDIS_ERROR),
            "del": _function(_ADDRESS, ("keys", _TEXTS), ok=_S64, error=_REDIS_ERROR),
            "sadd": _function(_ADDRESS, _KEY, _REDIS_VALUES, ok=_S64, error=_REDIS_ERROR),
            "smembers": _function(_ADDRESS, _KEY, ok=_TEXTS, error=_REDIS_ERROR),
            "srem": _function(_ADDRESS, _KEY, _REDIS_VALUES, ok=_S64, error=_REDIS_ERROR),
            "execute": _function(
                _ADDRESS,
                ("command", _TEXT),
                ("arguments", ListType(_REDIS_PARAMETER)),
                ok=ListType(_REDIS_RESULT),
                error=_REDIS_ERROR,
            ),
        },
    ),
    "outbound-pg": (
        "fermyon:spin/postgres",
        {
            "query": _function(*_STATEMENT, ok=_ROW_SET, error=_DATABASE_ERROR),
            "execute": _function(*_STATEMENT, ok=_U64, error=_DATABASE_ERROR),
        },
    ),
    "outbound-mysql": (
        "fermyon:spin/mysql",
        {
            "query": _function(*_STATEMENT, ok=_ROW_SET, error=_DATABASE_ERROR),
            "execute": _function(*_STATEMENT, error=_DATABASE_ERROR),
        },
    ),
    "llm": (
        "fermyon:spin/llm",
        {
            "infer": _function(
                ("model", _TEXT),
                ("prompt", _TEXT),
                ("params", OptionType(_PARAMETERS)),
                ok=_INFERENCE,
                error=_MODEL_ERROR,
            ),
            "generate-embeddings": _function(
                ("model", _TEXT), ("text", _TEXTS), ok=_EMBEDDINGS, error=_MODEL_ERROR
            ),
        },
    ),
}
"""By the module that is imported: the interface in its place, and the functions imported."""

SPIN_1_RENAMED: Mapping[str, str] = {"request": "send-request"}
"""By the name of an imported function: its name in the interface, where that is another."""

SPIN_1_EXPORTS: Mapping[str, tuple[str, str, FunctionType]] = {
    "handle-http-request": (
        "fermyon:spin/inbound-http",
        "handle-request",
        FunctionType((("req", _REQUEST),), _RESPONSE),
    ),
    "handle-redis-message": (
        "fermyon:spin/inbound-redis",
        "handle-message",
        FunctionType((("message", _BYTES),), ResultType(None, _REDIS_ERROR)),
    ),
}
"""By the core export: the interface and function that it becomes, and its type."""
