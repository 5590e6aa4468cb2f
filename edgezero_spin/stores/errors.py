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


class _TextError(StoreError):
    """An error whose texts are formats of its attributes."""

    _text = ""
    _answer = ""

    def __str__(self) -> str:
        return self._text.format_map(vars(self)) if self._text else super().__str__()

    @property
    def answer(self) -> str:
        """The message that a client may read."""
        return self._answer.format_map(vars(self)) if self._answer else str(self)


class _MessageError(_TextError):
    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class _CauseError(_TextError):
    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class KeyValueError(_TextError):
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
    _text = "key not found: {key}"
    _answer = "kv key not found: {key}"

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class KeyValueUnavailableError(KeyValueError):
    """The store cannot be reached at the moment; trying again later may help."""

    kind = "service_unavailable"
    status = 503
    _text = "kv store unavailable"


class KeyValueValidationError(_MessageError, KeyValueError):
    """A key, prefix, value, cursor, limit or time to live is out of bounds.

    Raised before the host is asked for anything.

    Attributes:
        message: Which rule was broken, with the numbers.
    """

    kind = "bad_request"
    status = 400
    _text = "validation error: {message}"
    _answer = "kv validation error: {message}"


class KeyValueSerializationError(_CauseError, KeyValueError):
    """A value has no JSON form, or stored bytes are not the JSON of the type asked for.

    Attributes:
        cause: What is wrong, with the path inside the value when there is one.
    """

    _text = "serialization error: {cause}"
    _answer = "internal error: kv serialization error: {cause}"


class KeyValueInternalError(_CauseError, KeyValueError):
    """The host failed at an operation.

    Attributes:
        cause: The operation and the host's own words, ``get failed: ...``.
    """

    _text = "kv store error: {cause}"
    _answer = "internal error: {cause}"


class KeyValueUnsupportedError(KeyValueError):
    """The platform has no such operation, like an expiry time on Spin.

    Attributes:
        operation: The name of the operation. Nothing was written.
    """

    kind = "not_implemented"
    status = 501
    _text = "kv operation not supported by backend: {operation}"

    def __init__(self, operation: str) -> None:
        super().__init__(operation)
        self.operation = operation


class KeyValueLimitError(_MessageError, KeyValueError):
    """A listing matches more keys than the store's ``max_list_keys`` allows.

    Attributes:
        message: How many keys match which prefix, and the limit.
    """

    kind = "service_unavailable"
    status = 503
    _text = "kv backend limit exceeded: {message}"


class ConfigStoreError(_MessageError):
    """A config store refused or failed.

    Attributes:
        message: What went wrong.
    """


class InvalidConfigKeyError(ConfigStoreError):
    """The key can be the name of no entry."""

    kind = "bad_request"
    status = 400


class ConfigUnavailableError(ConfigStoreError):
    """An entry could not be read, or is not UTF-8 text."""

    kind = "service_unavailable"
    status = 503
    _text = "config store unavailable: {message}"
    _answer = "{message}"


class ConfigInternalError(ConfigStoreError):
    """The store behind the config cannot work as it is set up."""

    _text = "config store error: {message}"
    _answer = "internal error: {message}"


class SecretError(_TextError):
    """A secret could not be had. The answer names neither secret, store nor cause."""

    _answer = "internal error: secret store operation failed"


class SecretNotFoundError(SecretError):
    """A secret that the program cannot do without is not set.

    Attributes:
        name: Store and key, ``default/API_KEY``, as the program spelled them.
    """

    _text = "secret not found: {name}"
    _answer = "internal error: required secret is not configured"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class SecretValidationError(_MessageError, SecretError):
    """The name of a secret or of its store is not one that the platform accepts.

    Attributes:
        message: Which rule was broken.
    """

    _text = "validation error: {message}"
    _answer = "internal error: secret lookup failed"


class SecretInternalError(_CauseError, SecretError):
    """The host failed to look a secret up, or its value is not text.

    Attributes:
        cause: The host's own words. For the log only.
    """

    _text = "secret store error: {cause}"


class SecretUnavailableError(SecretError):
    """The secret store cannot be reached at the moment."""

    kind = "service_unavailable"
    status = 503
    _text = "secret store unavailable"
    _answer = "secret store unavailable"


class StoreOpenError(_TextError):
    """A declared store could not be opened on this platform.

    Raised at the first use of the store, or before the request is handled when stores are
    opened eagerly.

    Attributes:
        store_kind: ``kv`` or ``config``.
        id: The logical id.
        label: The platform's name for it.
        cause: The host's own words.
    """

    _answer = "internal error: {store_kind} store '{id}' could not be opened"

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
