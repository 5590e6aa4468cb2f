"""Secrets by name. What goes wrong is told to the log and never to a client.

Spin keeps secrets as variables in one flat namespace of lower-case names, so the name of the
store takes part in the rules and in messages only.

Source: contract edgezero.md, SEC-1 to SEC-7.
"""

from typing import Any

from edgezero_spin.environment import ascii_lower
from edgezero_spin.stores.backend import (
    AsyncSecretBackend,
    BackendError,
    SecretBackend,
    SecretNameInvalid,
    is_async,
)
from edgezero_spin.stores.errors import (
    SecretInternalError,
    SecretNotFoundError,
    SecretValidationError,
)
from edgezero_spin.stores.validation import check_secret_name

__all__ = ["SecretHandle", "SecretStore"]


class SecretHandle:
    """The secrets of a platform, by store name and key."""

    __slots__ = ("_awaits", "_backend")

    def __init__(self, backend: SecretBackend | AsyncSecretBackend) -> None:
        """Put the facade over a backend."""
        self._backend: Any = backend
        self._awaits = is_async(backend)

    def __repr__(self) -> str:
        return "SecretHandle()"

    async def get_bytes(self, store_name: str, key: str) -> bytes | None:
        """Return a secret, or ``None`` when it is not set; an empty one is set.

        Raises:
            SecretValidationError: A name breaks a rule, or the platform refuses the key.
            SecretInternalError: The host failed.
        """
        value = await self._lookup(store_name, key)
        return value.encode() if isinstance(value, str) else value

    async def require_bytes(self, store_name: str, key: str) -> bytes:
        """Return a secret that has to be set. Raises as ``get_bytes``, and:

        Raises:
            SecretNotFoundError: It is not set.
        """
        value = await self._require(store_name, key)
        return value.encode() if isinstance(value, str) else value

    async def require_str(self, store_name: str, key: str) -> str:
        """Return a secret that has to be set, as text. Raises as ``require_bytes``, and:

        Raises:
            SecretInternalError: It is not UTF-8.
        """
        value = await self._require(store_name, key)
        if isinstance(value, str):
            return value
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            # The decoding error carries the bytes of the secret, so it is not kept as cause.
            start = error.start
        raise SecretInternalError(f"secret is not valid UTF-8 at byte {start}")

    async def _require(self, store_name: str, key: str) -> str | bytes:
        value = await self._lookup(store_name, key)
        if value is None:
            raise SecretNotFoundError(f"{store_name}/{key}")
        return value

    async def _lookup(self, store_name: str, key: str) -> str | bytes | None:
        check_secret_name(store_name)
        check_secret_name(key)
        try:
            value: str | bytes | None = self._backend.get(ascii_lower(key))
            if self._awaits:
                value = await value  # type: ignore[misc]
            return value
        except SecretNameInvalid as error:
            raise SecretValidationError(error.message) from error
        except BackendError as error:
            raise SecretInternalError(f"secret lookup failed: {error.message}") from error


class SecretStore:
    """The secrets behind one declared id: a shared handle and the platform's store name."""

    __slots__ = ("_handle", "_store_name")

    def __init__(self, handle: SecretHandle, store_name: str) -> None:
        """Bind a handle to a store name."""
        self._handle = handle
        self._store_name = store_name

    def __repr__(self) -> str:
        return f"SecretStore({self._store_name!r})"

    @property
    def store_name(self) -> str:
        """The platform's name of this store."""
        return self._store_name

    async def get_bytes(self, key: str) -> bytes | None:
        """Return a secret, or ``None``; see ``SecretHandle.get_bytes``."""
        return await self._handle.get_bytes(self._store_name, key)

    async def require_bytes(self, key: str) -> bytes:
        """Return a secret that has to be set; see ``SecretHandle.require_bytes``."""
        return await self._handle.require_bytes(self._store_name, key)

    async def require_str(self, key: str) -> str:
        """Return a secret that has to be set, as text; see ``SecretHandle.require_str``."""
        return await self._handle.require_str(self._store_name, key)
