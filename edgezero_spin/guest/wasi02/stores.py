"""Spin's key-value stores and variables, as the backends that the facades talk to.

Only the interfaces that the component's world imports are there. ``platform`` is
called while the component is built and says at once which one is missing.

Source: ``fermyon:spin/key-value@2.0.0``, ``fermyon:spin/variables@2.0.0``; contract
edgezero.md, HST-1 to HST-5.
"""

from importlib import import_module
from typing import Any

from edgezero_spin.guest.bindings import interface_module
from edgezero_spin.stores import BackendError, SecretNameInvalid, StoreDeclaration

__all__ = ["ComponentPlatform", "platform"]


def _first(*names: str) -> Any:
    """Return the first of these modules that exists, or ``None``."""
    for name in names:
        try:
            return import_module(name)
        except ImportError:
            continue
    return None


# What a call that failed raises; up to componentize-py 0.17 it lay with the bindings.
Err: Any = _first("componentize_py_types", "spin_sdk.wit.types", "wit_world.types").Err


class _KeyValueStore:
    """A ``KeyValueBackend`` on one open ``store`` resource."""

    __slots__ = ("_store",)

    def __init__(self, store: Any) -> None:
        self._store = store

    def get(self, key: str) -> bytes | None:
        try:
            value: bytes | None = self._store.get(key)
        except Err as error:
            raise BackendError(_why(error.value)) from None
        return value

    def set(self, key: str, value: bytes) -> None:
        try:
            self._store.set(key, value)
        except Err as error:
            raise BackendError(_why(error.value)) from None

    def delete(self, key: str) -> None:
        try:
            self._store.delete(key)
        except Err as error:
            raise BackendError(_why(error.value)) from None

    def exists(self, key: str) -> bool:
        try:
            found: bool = self._store.exists(key)
        except Err as error:
            raise BackendError(_why(error.value)) from None
        return found

    def keys(self) -> list[str]:
        try:
            keys: list[str] = self._store.get_keys()
        except Err as error:
            raise BackendError(_why(error.value)) from None
        return keys


def _why(error: Any) -> str:
    """Name a key-value error by its WIT case, or by the host's own text."""
    text = getattr(error, "value", None)
    if text is not None:
        return str(text)
    return _CASES.get(type(error).__name__, type(error).__name__)


_CASES = {
    "Error_StoreTableFull": "store-table-full (too many stores are open at once)",
    "Error_NoSuchStore": "no-such-store (the host knows no store by this label)",
    "Error_AccessDenied": (
        "access-denied (the label is not in this component's key_value_stores in spin.toml)"
    ),
}


class _Variables:
    """A ``SecretBackend`` on the component's variables."""

    __slots__ = ("_get", "_invalid", "_undefined")

    def __init__(self, variables: Any) -> None:
        self._get = variables.get
        self._undefined = variables.Error_Undefined
        self._invalid = variables.Error_InvalidName

    def get(self, name: str) -> str | None:
        try:
            value: str = self._get(name)
        except Err as error:
            if isinstance(error.value, self._undefined):
                return None
            if isinstance(error.value, self._invalid):
                raise SecretNameInvalid(error.value.value) from None
            raise BackendError(error.value.value) from None
        return value


class ComponentPlatform:
    """The stores that the component's world gives it."""

    __slots__ = ("_open", "_secrets")

    def __init__(self, open_store: Any, secrets: _Variables | None) -> None:
        self._open = open_store
        self._secrets = secrets

    def open_key_value(self, label: str) -> _KeyValueStore:
        """Open the store behind ``label``.

        Raises:
            BackendError: The manifest does not grant the label, or the host does not
                know it.
        """
        try:
            return _KeyValueStore(self._open(label))
        except Err as error:
            raise BackendError(_why(error.value)) from None

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
    open_store = None
    secrets = None
    if declaration.kv or declaration.config:
        key_value = interface_module(
            "Store.get", "key_value", "fermyon_spin_key_value_2_0_0", asynchronous=False
        )
        if key_value is None:
            raise _missing("fermyon:spin/key-value@2.0.0", "key-value or config")
        open_store = key_value.Store.open
    if declaration.secrets:
        variables = interface_module(
            "get", "variables", "fermyon_spin_variables_2_0_0", asynchronous=False
        )
        if variables is None:
            raise _missing("fermyon:spin/variables@2.0.0", "secret")
        secrets = _Variables(variables)
    return ComponentPlatform(open_store, secrets)


def _missing(interface: str, kind: str) -> ImportError:
    return ImportError(
        f"the app declares {kind} stores, but the world of this component does not import "
        f"{interface}: build it with `edgezero componentize`, which chooses the world, or name "
        "one that has it (-w edgezero:spin/http-trigger-key-value-variables@0.1.0)"
    )
