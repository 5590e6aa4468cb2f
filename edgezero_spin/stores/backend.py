"""Protocols of store backends.

Bytes by key, secrets by name, and the platform that hands them out, each in two forms: with
plain methods, as SQLite files, dictionaries and WASI 0.2 have them, and with coroutines, as
WASI 0.3 has them. The facades stay above, the WIT bindings, files and dictionaries below.
Every implementation runs the cases of ``tests/contracts``.

Source: the interfaces ``key-value`` and ``variables`` of ``fermyon:spin@2.0.0``,
``spin:key-value@3.0.0`` and ``spin:variables@3.0.0``.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Any, Literal, Protocol, TypeGuard

from edgezero_spin.errors import StoreError

__all__ = [
    "AsyncKeyValueBackend",
    "AsyncSecretBackend",
    "BackendError",
    "BackendOpenError",
    "KeyValueBackend",
    "SecretBackend",
    "SecretNameInvalid",
    "StorePlatform",
    "is_async",
]


class BackendError(StoreError):
    """A backend could not do what it was asked for.

    The facades turn it into an error of their own family.

    Attributes:
        message: The host's own words, such as ``access-denied``.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class SecretNameInvalid(BackendError):  # noqa: N818 - named after WIT's invalid-name
    """The platform does not accept this text as the name of a secret."""


class BackendOpenError(BackendError):
    """The store of an asynchronous backend could not be opened at its first use."""


class KeyValueBackend(Protocol):
    """Where the bytes of one key-value store live.

    Keys are text, values raw bytes, possibly empty. Any method may raise ``BackendError``;
    none of them retries.
    """

    def get(self, key: str) -> bytes | None:
        """Return the value, or ``None`` when the key is absent."""

    def set(self, key: str, value: bytes) -> None:
        """Write the value, replacing what was there."""

    def delete(self, key: str) -> None:
        """Remove the key. An absent key is not an error."""

    def exists(self, key: str) -> bool:
        """Tell whether the key is there, an empty value included."""

    def keys(self) -> Iterable[str]:
        """Return every key once, in no promised order."""


class SecretBackend(Protocol):
    """Where secrets come from: one flat namespace of lower-case names."""

    def get(self, name: str) -> str | bytes | None:
        """Return the value, or ``None`` when no such secret is defined.

        Raises:
            SecretNameInvalid: The platform has no secrets by such a name.
            BackendError: The lookup failed.
        """


class AsyncKeyValueBackend(Protocol):
    """A ``KeyValueBackend`` with coroutines.

    The store is opened by the first call; each of them may raise ``BackendOpenError``.
    """

    asynchronous: Literal[True]

    async def open(self) -> None:
        """Open the store now instead of at its first use.

        Raises:
            BackendOpenError: The label is not granted, or the store cannot be opened.
        """

    async def get(self, key: str) -> bytes | None:
        """Return the value, or ``None`` when the key is absent."""

    async def set(self, key: str, value: bytes) -> None:
        """Write the value, replacing what was there."""

    async def delete(self, key: str) -> None:
        """Remove the key. An absent key is not an error."""

    async def exists(self, key: str) -> bool:
        """Tell whether the key is there, an empty value included."""

    def keys(self) -> AsyncIterator[list[str]]:
        """Give every key once, in no promised order, a batch at a time."""


class AsyncSecretBackend(Protocol):
    """A ``SecretBackend`` with coroutines."""

    asynchronous: Literal[True]

    async def get(self, name: str) -> str | bytes | None:
        """Return the value, or ``None`` when no such secret is defined."""


def is_async(backend: Any) -> TypeGuard[AsyncKeyValueBackend | AsyncSecretBackend]:
    """Tell whether the methods of a backend are coroutines."""
    return getattr(backend, "asynchronous", False) is True


class StorePlatform(Protocol):
    """A host that stores can be opened on."""

    def open_key_value(self, label: str) -> KeyValueBackend | AsyncKeyValueBackend:
        """Return the key-value store behind a label.

        Raises:
            BackendError: The label is not granted, or the store cannot be opened.
        """

    def secrets(self) -> SecretBackend | AsyncSecretBackend:
        """Return the secrets of this component."""

    # One that has databases, too, is a ``databases.DatabasePlatform``.
