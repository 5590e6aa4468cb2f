"""Errors of the stores, and what of them a client may read.

```
StoreError
├── KeyValueError
│   ├── KeyNotFoundError               404
│   ├── KeyValueUnavailableError       503
│   ├── KeyValueValidationError        400
│   ├── KeyValueSerializationError     500
│   ├── KeyValueInternalError          500
│   ├── KeyValueUnsupportedError       501
│   └── KeyValueLimitError             503
├── ConfigStoreError
│   ├── InvalidConfigKeyError          400
│   ├── ConfigUnavailableError         503
│   └── ConfigInternalError            500
├── SecretError                        nothing of the name or the cause reaches a client
│   ├── SecretNotFoundError            500
│   ├── SecretValidationError          500
│   ├── SecretInternalError            500
│   └── SecretUnavailableError         503
├── StoreOpenError                     500, a declared store could not be opened
└── UndeclaredStoreError               500, the app asks for an id that it does not declare
```

``str(error)`` is for the log, ``error.answer`` for the client. Both are put together when they
are read, so that an error which is caught costs nothing.

Source: contract edgezero.md, KV-31 to KV-37, CFG-4, SEC-8 to SEC-12, REG-5, REG-6. A key that
was not found answers with that key here and not with the path of the request.
"""

from edgezero_spin.errors import StoreError

__all__ = [
    "ConfigInternalError",
    "ConfigStoreError",
    "ConfigUnavailableError",
    "InvalidConfigKeyError",
    "KeyNotFoundError",
    "KeyValueError",
    "KeyValueInternalError",
    "KeyValueLimitError",
    "KeyValueSerializationError",
    "KeyValueUnavailableError",
    "KeyValueUnsupportedError",
    "KeyValueValidationError",
    "SecretError",
    "SecretInternalError",
    "SecretNotFoundError",
    "SecretUnavailableError",
    "SecretValidationError",
    "StoreOpenError",
    "UndeclaredStoreError",
]


class KeyValueError(StoreError):
    """A key-value store refused or failed."""


class KeyNotFoundError(KeyValueError):
    """A key that has to be there is missing.

    The facade answers ``None`` for a missing key; this is for programs which treat that as a
    failure.

    Attributes:
        key: The key that was asked for.
    """

    kind = "not_found"
    status = 404

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        return f"key not found: {self.key}"

    @property
    def answer(self) -> str:
        """The message that a client may read."""
        return f"kv key not found: {self.key}"


class KeyValueUnavailableError(KeyValueError):
    """The store cannot be reached at the moment; trying again later may help."""

    kind = "service_unavailable"
    status = 503

    def __str__(self) -> str:
        return "kv store unavailable"


class KeyValueValidationError(KeyValueError):
    """A key, prefix, value, cursor, limit or time to live is out of bounds.

    Raised before the host is asked for anything.

    Attributes:
        message: Which rule was broken, with the numbers.
    """

    kind = "bad_request"
    status = 400

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return f"validation error: {self.message}"

    @property
    def answer(self) -> str:
        """The message that a client may read."""
        return f"kv validation error: {self.message}"


class KeyValueSerializationError(KeyValueError):
    """A value has no JSON form, or stored bytes are not the JSON of the type asked for.

    Attributes:
        cause: What is wrong, with the path inside the value when there is one.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause

    def __str__(self) -> str:
        return f"serialization error: {self.cause}"

    @property
    def answer(self) -> str:
        """The message that a client may read."""
        return f"internal error: kv serialization error: {self.cause}"


class KeyValueInternalError(KeyValueError):
    """The host failed at an operation.

    Attributes:
        cause: The operation and the host's own words, ``get failed: ...``.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause

    def __str__(self) -> str:
        return f"kv store error: {self.cause}"

    @property
    def answer(self) -> str:
        """The message that a client may read."""
        return f"internal error: {self.cause}"


class KeyValueUnsupportedError(KeyValueError):
    """The platform has no such operation, like an expiry time on Spin.

    Attributes:
        operation: The name of the operation. Nothing was written.
    """

    kind = "not_implemented"
    status = 501

    def __init__(self, operation: str) -> None:
        super().__init__(operation)
        self.operation = operation

    def __str__(self) -> str:
        return f"kv operation not supported by backend: {self.operation}"


class KeyValueLimitError(KeyValueError):
    """A listing matches more keys than the store's ``max_list_keys`` allows.

    Attributes:
        message: How many keys match which prefix, and the limit.
    """

    kind = "service_unavailable"
    status = 503

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return f"kv backend limit exceeded: {self.message}"


class ConfigStoreError(StoreError):
    """A config store refused or failed.

    Attributes:
        message: What went wrong.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidConfigKeyError(ConfigStoreError):
    """The key can be the name of no entry."""

    kind = "bad_request"
    status = 400


class ConfigUnavailableError(ConfigStoreError):
    """An entry could not be read, or is not UTF-8 text."""

    kind = "service_unavailable"
    status = 503

    def __str__(self) -> str:
        return f"config store unavailable: {self.message}"

    @property
    def answer(self) -> str:
        """The message that a client may read."""
        return self.message


class ConfigInternalError(ConfigStoreError):
    """The store behind the config cannot work as it is set up."""

    def __str__(self) -> str:
        return f"config store error: {self.message}"

    @property
    def answer(self) -> str:
        """The message that a client may read."""
        return f"internal error: {self.message}"


class SecretError(StoreError):
    """A secret could not be had. The answer names neither secret, store nor cause."""

    @property
    def answer(self) -> str:
        """The message that a client may read."""
        return "internal error: secret store operation failed"


class SecretNotFoundError(SecretError):
    """A secret that the program cannot do without is not set.

    Attributes:
        name: Store and key, ``default/API_KEY``, as the program spelled them.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"secret not found: {self.name}"

    @property
    def answer(self) -> str:
        """The message that a client may read."""
        return "internal error: required secret is not configured"


class SecretValidationError(SecretError):
    """The name of a secret or of its store is not one that the platform accepts.

    Attributes:
        message: Which rule was broken.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return f"validation error: {self.message}"

    @property
    def answer(self) -> str:
        """The message that a client may read."""
        return "internal error: secret lookup failed"


class SecretInternalError(SecretError):
    """The host failed to look a secret up, or its value is not text.

    Attributes:
        cause: The host's own words. For the log only.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause

    def __str__(self) -> str:
        return f"secret store error: {self.cause}"


class SecretUnavailableError(SecretError):
    """The secret store cannot be reached at the moment."""

    kind = "service_unavailable"
    status = 503

    def __str__(self) -> str:
        return "secret store unavailable"

    @property
    def answer(self) -> str:
        """The message that a client may read."""
        return "secret store unavailable"


class StoreOpenError(StoreError):
    """A declared store could not be opened on this platform.

    Raised at the first use of the store, or before the request is handled when stores are
    opened eagerly.

    Attributes:
        store_kind: ``kv`` or ``config``.
        id: The logical id.
        label: The platform's name for it.
        cause: The host's own words.
    """

    def __init__(self, store_kind: str, id: str, label: str, cause: str) -> None:
        super().__init__(store_kind, id, label, cause)
        self.store_kind = store_kind
        self.id = id
        self.label = label
        self.cause = cause

    def __str__(self) -> str:
        if self.store_kind == "kv":
            return (
                f"Spin KV store '{self.label}' (id `{self.id}`) is explicitly configured but "
                f"could not be opened: kv store error: failed to open kv store: {self.cause} "
                f"(grant the label in the component's `key_value_stores`)"
            )
        return (
            f"config store id `{self.id}` (label `{self.label}`) failed to open: config store "
            f"error: open `{self.label}`: {self.cause} (grant the label in the component's "
            f"`key_value_stores` and configure it in runtime-config.toml)"
        )

    @property
    def answer(self) -> str:
        """The message that a client may read."""
        return f"internal error: {self.store_kind} store '{self.id}' could not be opened"


class UndeclaredStoreError(StoreError, LookupError):
    """The app uses a store id that it does not declare.

    Attributes:
        store_kind: ``kv``, ``config`` or ``secrets``.
        id: The id that was asked for.
        declared: The ids that exist, sorted.
    """

    def __init__(self, store_kind: str, id: str, declared: tuple[str, ...]) -> None:
        super().__init__(store_kind, id, declared)
        self.store_kind = store_kind
        self.id = id
        self.declared = declared

    def __str__(self) -> str:
        offer = ", ".join(self.declared) or "none"
        return f"{self.store_kind} store '{self.id}' is not declared (declared: {offer})"

    @property
    def answer(self) -> str:
        """The message that a client may read."""
        return f"internal error: {self}"
