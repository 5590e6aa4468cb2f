"""From a declaration, a platform and an environment to the stores of one request.

Source: contract edgezero.md, KV-28, REG-4 to REG-9. Stores are opened at first use, where
upstream opens all of them for every request; ``eager=True`` gives its order and its failures.
"""

from collections.abc import Callable, Mapping

from edgezero_spin.environment import EnvironmentLayer
from edgezero_spin.stores.backend import BackendError, KeyValueBackend, StorePlatform
from edgezero_spin.stores.config import ConfigStore
from edgezero_spin.stores.declaration import StoreDeclaration
from edgezero_spin.stores.errors import SecretInternalError, StoreOpenError
from edgezero_spin.stores.key_value import KeyValueStore
from edgezero_spin.stores.registry import Registry
from edgezero_spin.stores.secrets import SecretHandle, SecretStore

__all__ = ["Stores", "open_stores"]


class Stores:
    """The registries of one request; ``None`` for a kind that the app does not declare."""

    __slots__ = ("config", "kv", "secrets")

    def __init__(
        self,
        kv: Registry[KeyValueStore] | None = None,
        config: Registry[ConfigStore] | None = None,
        secrets: Registry[SecretStore] | None = None,
    ) -> None:
        """Hold registries that are made already."""
        self.kv = kv
        self.config = config
        self.secrets = secrets


def open_stores(
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
    opener = _Opener(platform, environ)
    stores = Stores()
    if (ids := declaration.kv) is not None:
        stores.kv = Registry.lazy(ids.ids, ids.default, opener.key_value, kind="kv")
        if eager:
            stores.kv.open_all()
    if (ids := declaration.config) is not None:
        stores.config = Registry.lazy(ids.ids, ids.default, opener.config, kind="config")
        if eager:
            stores.config.open_all()
    if (ids := declaration.secrets) is not None:
        stores.secrets = Registry.lazy(ids.ids, ids.default, opener.secret, kind="secrets")
    return stores


class _Opener:
    """Opens stores by id, with one snapshot of the environment for all of them."""

    __slots__ = ("_environ", "_layer", "_platform", "_secrets")

    def __init__(self, platform: StorePlatform, environ: Callable[[], Mapping[str, str]]) -> None:
        self._platform = platform
        self._environ = environ
        self._layer: EnvironmentLayer | None = None
        self._secrets: SecretHandle | None = None

    def key_value(self, id: str) -> KeyValueStore:
        layer = self._environment()
        label = layer.store_name("kv", id)
        return KeyValueStore(self._open("kv", id, label), label, layer.max_list_keys(id))

    def config(self, id: str) -> ConfigStore:
        label = self._environment().store_name("config", id)
        return ConfigStore(self._open("config", id, label), label)

    def secret(self, id: str) -> SecretStore:
        if self._secrets is None:
            try:
                self._secrets = SecretHandle(self._platform.secrets())
            except BackendError as error:
                raise SecretInternalError(error.message) from error
        return SecretStore(self._secrets, self._environment().store_name("secrets", id))

    def _environment(self) -> EnvironmentLayer:
        if self._layer is None:
            self._layer = EnvironmentLayer.from_mapping(self._environ())
        return self._layer

    def _open(self, kind: str, id: str, label: str) -> KeyValueBackend:
        try:
            return self._platform.open_key_value(label)
        except BackendError as error:
            raise StoreOpenError(kind, id, label, error.message) from error
