"""Spin's asynchronous key-value stores and variables, as backends of the facades.

Only the interfaces that the component's world imports are there. ``platform`` is called while
the component is built and says at once which one is missing. A store is opened at its first
use and stays open for as long as the instance lives.

Source: ``spin:key-value@3.0.0``, ``spin:variables@3.0.0``; contract wasi03.md, section 6.
"""

from collections.abc import AsyncIterator
from typing import Any, Literal

from edgezero_spin.guest.bindings import (
    Err,
    StoreInterfaces,
    bind_stores,
    secret_failure,
    store_failure,
)
from edgezero_spin.stores import StoreDeclaration
from edgezero_spin.stores.backend import BackendError, BackendOpenError

__all__ = ["ComponentPlatform", "platform"]

_KEYS_PER_READ = 1024

_INTERFACES = StoreInterfaces(
    key_value="spin:key-value/key-value@3.0.0",
    variables="spin:variables/variables@3.0.0",
    key_value_module="spin_key_value_key_value_3_0_0",
    variables_module="spin_variables_variables_3_0_0",
    asynchronous=True,
    world="edgezero:spin/http-service-stores@0.1.0",
)


class _KeyValueStore:
    """An ``AsyncKeyValueBackend`` behind one label."""

    __slots__ = ("_label", "_platform")

    asynchronous: Literal[True] = True

    def __init__(self, platform: "ComponentPlatform", label: str) -> None:
        self._platform = platform
        self._label = label

    async def open(self) -> None:
        if self._label not in self._platform.opened:
            await self._open()

    async def get(self, key: str) -> bytes | None:
        store = self._platform.opened.get(self._label) or await self._open()
        try:
            value: bytes | None = await store.get(key)
        except Err as error:
            raise BackendError(store_failure(error.value)) from None
        return value

    async def set(self, key: str, value: bytes) -> None:
        store = self._platform.opened.get(self._label) or await self._open()
        try:
            await store.set(key, value)
        except Err as error:
            raise BackendError(store_failure(error.value)) from None

    async def delete(self, key: str) -> None:
        store = self._platform.opened.get(self._label) or await self._open()
        try:
            await store.delete(key)
        except Err as error:
            raise BackendError(store_failure(error.value)) from None

    async def exists(self, key: str) -> bool:
        store = self._platform.opened.get(self._label) or await self._open()
        try:
            found: bool = await store.exists(key)
        except Err as error:
            raise BackendError(store_failure(error.value)) from None
        return found

    async def keys(self) -> AsyncIterator[list[str]]:
        store = self._platform.opened.get(self._label) or await self._open()
        stream, end = await store.get_keys()
        try:
            while not stream.writer_dropped:
                yield await stream.read(_KEYS_PER_READ)
            result = await end.read()
        finally:
            # A listing that is given up has both ends still open.
            stream.__exit__(None, None, None)
            end.__exit__(None, None, None)
        if isinstance(result, Err):
            raise BackendError(store_failure(result.value))

    async def _open(self) -> Any:
        try:
            store = await self._platform.open_store(self._label)
        except Err as error:
            raise BackendOpenError(store_failure(error.value)) from None
        # Two requests may have opened it at the same time; one handle is kept.
        return self._platform.opened.setdefault(self._label, store)


class _Variables:
    """An ``AsyncSecretBackend`` on the component's variables."""

    __slots__ = ("_get",)

    asynchronous: Literal[True] = True

    def __init__(self, variables: Any) -> None:
        self._get = variables.get

    async def get(self, name: str) -> str | None:
        try:
            value: str = await self._get(name)
        except Err as error:
            failure = secret_failure(error.value)
            if failure is None:
                return None
            raise failure from None
        return value


class ComponentPlatform:
    """The stores that the component's world gives it.

    Attributes:
        open_store: Opens a store by label, a coroutine.
        opened: The stores that this instance holds open, by label.
    """

    __slots__ = ("_secrets", "open_database", "open_store", "opened")

    def __init__(self, open_store: Any, secrets: _Variables | None, open_database: Any) -> None:
        self.open_store = open_store
        self.opened: dict[str, Any] = {}
        self._secrets = secrets
        self.open_database = open_database

    def open_key_value(self, label: str) -> _KeyValueStore:
        """Return the store behind ``label``; its first use opens it."""
        return _KeyValueStore(self, label)

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
        from edgezero_spin.guest.wasi03.databases import bound

        open_database = bound(declaration)
    return ComponentPlatform(open_store, secrets, open_database)
