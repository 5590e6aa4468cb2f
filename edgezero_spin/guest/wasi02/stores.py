"""Spin's key-value stores and variables, as the backends that the facades talk to.

Only the interfaces that the component's world imports are there. ``platform`` is
called while the component is built and says at once which one is missing.

Source: ``fermyon:spin/key-value@2.0.0``, ``fermyon:spin/variables@2.0.0``; contract
edgezero.md, HST-1 to HST-5.
"""

from typing import Any

from edgezero_spin.guest.bindings import (
    Err,
    StoreInterfaces,
    bind_stores,
    secret_failure,
    store_failure,
)
from edgezero_spin.stores import BackendError, StoreDeclaration

__all__ = ["ComponentPlatform", "platform"]


_INTERFACES = StoreInterfaces(
    key_value="fermyon:spin/key-value@2.0.0",
    variables="fermyon:spin/variables@2.0.0",
    key_value_module="fermyon_spin_key_value_2_0_0",
    variables_module="fermyon_spin_variables_2_0_0",
    asynchronous=False,
    world="edgezero:spin/http-trigger-stores@0.1.0",
)


class _KeyValueStore:
    """A ``KeyValueBackend`` on one open ``store`` resource."""

    __slots__ = ("_store",)

    def __init__(self, store: Any) -> None:
        self._store = store

    def get(self, key: str) -> bytes | None:
        try:
            value: bytes | None = self._store.get(key)
        except Err as error:
            raise BackendError(store_failure(error.value)) from None
        return value

    def set(self, key: str, value: bytes) -> None:
        try:
            self._store.set(key, value)
        except Err as error:
            raise BackendError(store_failure(error.value)) from None

    def delete(self, key: str) -> None:
        try:
            self._store.delete(key)
        except Err as error:
            raise BackendError(store_failure(error.value)) from None

    def exists(self, key: str) -> bool:
        try:
            found: bool = self._store.exists(key)
        except Err as error:
            raise BackendError(store_failure(error.value)) from None
        return found

    def keys(self) -> list[str]:
        try:
            keys: list[str] = self._store.get_keys()
        except Err as error:
            raise BackendError(store_failure(error.value)) from None
        return keys


class _Variables:
    """A ``SecretBackend`` on the component's variables."""

    __slots__ = ("_get",)

    def __init__(self, variables: Any) -> None:
        self._get = variables.get

    def get(self, name: str) -> str | None:
        try:
            value: str = self._get(name)
        except Err as error:
            failure = secret_failure(error.value)
            if failure is None:
                return None
            raise failure from None
        return value


class ComponentPlatform:
    """The stores that the component's world gives it."""

    __slots__ = ("_open", "_secrets", "open_database")

    def __init__(self, open_store: Any, secrets: _Variables | None, open_database: Any) -> None:
        self._open = open_store
        self._secrets = secrets
        self.open_database = open_database

    def open_key_value(self, label: str) -> _KeyValueStore:
        """Open the store behind ``label``.

        Raises:
            BackendError: The manifest does not grant the label, or the host does not
                know it.
        """
        try:
            return _KeyValueStore(self._open(label))
        except Err as error:
            raise BackendError(store_failure(error.value)) from None

    def secrets(self) -> _Variables:
        """Return the component's variables."""
        if self._secrets is None:
            raise BackendError("this component's world imports no variables")
        return self._secrets


def platform(declaration: StoreDeclaration) -> ComponentPlatform:
    """Bind the interfaces that ``declaration`` needs.

    Raises:
        ImportError: The world lacks one of them; names it and the way out.
    """
    open_store, variables = bind_stores(declaration, _INTERFACES)
    secrets = None if variables is None else _Variables(variables)
    open_database = None
    if declaration.databases:
        # Only an app with databases carries what speaks with them.
        from edgezero_spin.guest.wasi02.databases import bound

        open_database = bound(declaration)
    return ComponentPlatform(open_store, secrets, open_database)
