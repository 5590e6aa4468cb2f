"""Key-value, config and secret stores: backends, typed facades, and what opens them."""

from edgezero_spin.stores.backend import (
    BackendError,
    InvalidSecretNameError,
    KeyValueBackend,
    SecretBackend,
    StorePlatform,
)
from edgezero_spin.stores.config import ConfigStore
from edgezero_spin.stores.declaration import StoreDeclaration, StoreIds
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
from edgezero_spin.stores.json_values import JsonValueError
from edgezero_spin.stores.key_value import KeyIterator, KeyValueStore
from edgezero_spin.stores.memory import (
    MemoryKeyValue,
    MemoryPlatform,
    MemorySecrets,
    NoopKeyValue,
)
from edgezero_spin.stores.opening import Stores, open_stores
from edgezero_spin.stores.paging import KeyPage
from edgezero_spin.stores.registry import Registry
from edgezero_spin.stores.secrets import SecretHandle, SecretStore
from edgezero_spin.stores.structuring import structure, structurer

__all__ = [
    "BackendError",
    "ConfigInternalError",
    "ConfigStore",
    "ConfigStoreError",
    "ConfigUnavailableError",
    "InvalidConfigKeyError",
    "InvalidSecretNameError",
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
    "MemoryKeyValue",
    "MemoryPlatform",
    "MemorySecrets",
    "NoopKeyValue",
    "Registry",
    "SecretBackend",
    "SecretError",
    "SecretHandle",
    "SecretInternalError",
    "SecretNotFoundError",
    "SecretStore",
    "SecretUnavailableError",
    "SecretValidationError",
    "StoreDeclaration",
    "StoreIds",
    "StoreOpenError",
    "StorePlatform",
    "Stores",
    "UndeclaredStoreError",
    "open_stores",
    "structure",
    "structurer",
]
