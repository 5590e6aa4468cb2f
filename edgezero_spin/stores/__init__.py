"""Key-value, config and secret stores, and databases: backends, typed facades, and what opens them.

The names are loaded together, when the first of them is asked for: a host needs the protocols in
``backend`` and none of the facades, with cattrs behind them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgezero_spin.stores.aliases import Alias
    from edgezero_spin.stores.backend import (
        BackendError,
        KeyValueBackend,
        SecretBackend,
        SecretNameInvalid,
        StorePlatform,
    )
    from edgezero_spin.stores.config import ConfigStore
    from edgezero_spin.stores.config_envelope import envelope_text, hash_of, read_envelope
    from edgezero_spin.stores.config_model import (
        SecretField,
        config_model,
        refuses_unknown_fields,
        secret,
        secret_fields,
    )
    from edgezero_spin.stores.constraints import Ge, Gt, Le, Lt, MaxLen, MinLen
    from edgezero_spin.stores.converting import converter
    from edgezero_spin.stores.databases import (
        DatabaseError,
        DatabaseOpenError,
        DatabasePlatform,
        Interval,
        ManyRowsError,
        MySql,
        NoRowError,
        Postgres,
        QueryError,
        Range,
        Redis,
        RowError,
        Sqlite,
    )
    from edgezero_spin.stores.declaration import DatabaseKind, StoreDeclaration, StoreIds
    from edgezero_spin.stores.errors import (
        ConfigInternalError,
        ConfigStoreError,
        ConfigUnavailableError,
        InvalidConfigKeyError,
        KeyNotFoundError,
        KeyValueError,
        KeyValueInternalError,
        KeyValueLimitError,
        KeyValueSerializationError,
        KeyValueUnavailableError,
        KeyValueUnsupportedError,
        KeyValueValidationError,
        SecretError,
        SecretInternalError,
        SecretNotFoundError,
        SecretUnavailableError,
        SecretValidationError,
        StoreOpenError,
        UndeclaredStoreError,
    )
    from edgezero_spin.stores.json_values import JsonValueError, ModelRuleError, decode, encode
    from edgezero_spin.stores.key_value import KeyIterator, KeyValueStore
    from edgezero_spin.stores.memory import (
        MemoryKeyValue,
        MemoryPlatform,
        MemorySecrets,
        NoopKeyValue,
    )
    from edgezero_spin.stores.opening import Stores, open_on_platform
    from edgezero_spin.stores.paging import KeyPage
    from edgezero_spin.stores.registry import Registry
    from edgezero_spin.stores.secrets import SecretHandle, SecretStore
    from edgezero_spin.stores.structuring import structure, structurer

__all__ = [
    "Alias",
    "BackendError",
    "ConfigInternalError",
    "ConfigStore",
    "ConfigStoreError",
    "ConfigUnavailableError",
    "DatabaseError",
    "DatabaseKind",
    "DatabaseOpenError",
    "DatabasePlatform",
    "Ge",
    "Gt",
    "Interval",
    "InvalidConfigKeyError",
    "JsonValueError",
    "KeyIterator",
    "KeyNotFoundError",
    "KeyPage",
    "KeyValueBackend",
    "KeyValueError",
    "KeyValueInternalError",
    "KeyValueLimitError",
    "KeyValueSerializationError",
    "KeyValueStore",
    "KeyValueUnavailableError",
    "KeyValueUnsupportedError",
    "KeyValueValidationError",
    "Le",
    "Lt",
    "ManyRowsError",
    "MaxLen",
    "MemoryKeyValue",
    "MemoryPlatform",
    "MemorySecrets",
    "MinLen",
    "ModelRuleError",
    "MySql",
    "NoRowError",
    "NoopKeyValue",
    "Postgres",
    "QueryError",
    "Range",
    "Redis",
    "Registry",
    "RowError",
    "SecretBackend",
    "SecretError",
    "SecretField",
    "SecretHandle",
    "SecretInternalError",
    "SecretNameInvalid",
    "SecretNotFoundError",
    "SecretStore",
    "SecretUnavailableError",
    "SecretValidationError",
    "Sqlite",
    "StoreDeclaration",
    "StoreIds",
    "StoreOpenError",
    "StorePlatform",
    "Stores",
    "UndeclaredStoreError",
    "config_model",
    "converter",
    "decode",
    "encode",
    "envelope_text",
    "hash_of",
    "open_on_platform",
    "read_envelope",
    "refuses_unknown_fields",
    "secret",
    "secret_fields",
    "structure",
    "structurer",
]

_MODULES = (
    *("aliases", "backend", "config", "config_envelope", "config_model", "constraints"),
    *("converting", "declaration", "errors", "json_values", "key_value", "memory", "opening"),
    *("paging", "registry", "secrets", "structuring"),
)


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for part in _MODULES:
        module = import_module(f"{__name__}.{part}")
        for offered in module.__all__:
            if offered in __all__:
                globals()[offered] = getattr(module, offered)
    if name not in globals():
        # An app without databases carries none of them.
        globals()[name] = getattr(import_module(f"{__name__}.databases"), name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted(__all__)
