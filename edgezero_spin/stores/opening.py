"""From a declaration, a platform and an environment to the stores of one request.

Source: contract edgezero.md, KV-28, REG-4 to REG-9. Stores are opened at first use, where
upstream opens all of them for every request; ``eager=True`` gives its order and its failures.
"""

from collections.abc import Callable, Mapping

from edgezero_spin.environment import EnvironmentLayer
from edgezero_spin.stores.backend import BackendError, StorePlatform
from edgezero_spin.stores.config import ConfigStore
from edgezero_spin.stores.declaration import StoreDeclaration
from edgezero_spin.stores.errors import SecretInternalError, StoreOpenError
from edgezero_spin.stores.key_value import KeyValueStore
from edgezero_spin.stores.registry import Registry
from edgezero_spin.stores.secrets import SecretHandle, SecretStore

__all__ = ["Stores", "open_on_platform"]


class Stores:
    """The registries of one request; ``None`` for a kind that the app does not declare."""

    __slots__ = ("_config", "_kv", "_secrets")

    def __init__(
        self,
        kv: Registry[KeyValueStore] | None = None,
        config: Registry[ConfigStore] | None = None,
        secrets: Registry[SecretStore] | None = None,
    ) -> None:
        """Hold registries that are made already."""
        self._kv = kv
        self._config = config
        self._secrets = secrets

    @property
    def kv(self) -> Registry[KeyValueStore] | None:
        """The key-value stores."""
        return self._kv

    @property
    def config(self) -> Registry[ConfigStore] | None:
        """The config stores."""
        return self._config

    @property
    def secrets(self) -> Registry[SecretStore] | None:
        """The secret stores."""
        return self._secrets


def open_on_platform(
    declaration: StoreDeclaration,
    platform: StorePlatform,
    environ: Callable[[], Mapping[str, str]],
    eager: bool = False,
) -> Stores:
    """Return the stores that a declaration promises, on a platform.

    Args:
        declaration: Kinds and ids.
        platform: Who opens them.
        environ: Returns the environment. Called once, when the first store is opened.
        eager: Open all now, key-value stores before config stores, in the order of
            declaration.

    Raises:
        StoreOpenError: ``eager`` is set and a store cannot be opened.
    """
    stores = _DeclaredStores(declaration, platform, environ)
    if eager:
        for registry in (stores.kv, stores.config):
            if registry is not None:
                registry.open_all()
    return stores


class _DeclaredStores(Stores):
    """Makes registries, and opens stores by id, when they are first asked for.

    All of them share one snapshot of the environment.
    """

    __slots__ = ("_declaration", "_environ", "_handle", "_layer", "_platform")

    def __init__(
        self,
        declaration: StoreDeclaration,
        platform: StorePlatform,
        environ: Callable[[], Mapping[str, str]],
    ) -> None:
        self._kv = self._config = self._secrets = None
        self._declaration = declaration
        self._platform = platform
        self._environ = environ
        self._layer: EnvironmentLayer | None = None
        self._handle: SecretHandle | None = None

    @property
    def kv(self) -> Registry[KeyValueStore] | None:
        registry = self._kv
        if registry is None and (declared := self._declaration.kv) is not None:
            registry = self._kv = Registry("kv", declared, self._open_key_value)
        return registry

    @property
    def config(self) -> Registry[ConfigStore] | None:
        registry = self._config
        if registry is None and (declared := self._declaration.config) is not None:
            registry = self._config = Registry("config", declared, self._open_config)
        return registry

    @property
    def secrets(self) -> Registry[SecretStore] | None:
        registry = self._secrets
        if registry is None and (declared := self._declaration.secrets) is not None:
            registry = self._secrets = Registry("secrets", declared, self._open_secrets)
        return registry

    def _open_key_value(self, id: str) -> KeyValueStore:
        layer = self._layer or self._snapshot()
        label = layer.store_name("kv", id)
        try:
            backend = self._platform.open_key_value(label)
        except BackendError as error:
            raise StoreOpenError("kv", id, label, error.message) from error
        return KeyValueStore(backend, label, layer.max_list_keys(id), id)

    def _open_config(self, id: str) -> ConfigStore:
        layer = self._layer or self._snapshot()
        label = layer.store_name("config", id)
        try:
            backend = self._platform.open_key_value(label)
        except BackendError as error:
            raise StoreOpenError("config", id, label, error.message) from error
        return ConfigStore(backend, label, id, layer.store_key("config", id))

    def _open_secrets(self, id: str) -> SecretStore:
        layer = self._layer or self._snapshot()
        if self._handle is None:
            try:
                self._handle = SecretHandle(self._platform.secrets())
            except BackendError as error:
                raise SecretInternalError(error.message) from error
        return SecretStore(self._handle, layer.store_name("secrets", id))

    def _snapshot(self) -> EnvironmentLayer:
        layer = self._layer = EnvironmentLayer.from_mapping(self._environ())
        return layer
