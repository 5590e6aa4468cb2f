"""From a declaration, a platform and an environment to the stores of one request.

Source: contract edgezero.md, KV-28, REG-4 to REG-9. Stores are opened at first use, where
upstream opens all of them for every request; ``eager=True`` gives its order and its failures.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from edgezero_spin.environment import EnvironmentLayer
from edgezero_spin.stores.backend import BackendError, StorePlatform
from edgezero_spin.stores.config import ConfigStore
from edgezero_spin.stores.declaration import (
    DATABASE_CLASSES,
    DatabaseKind,
    StoreDeclaration,
    StoreIds,
)
from edgezero_spin.stores.errors import SecretInternalError, StoreOpenError
from edgezero_spin.stores.key_value import KeyValueStore
from edgezero_spin.stores.registry import Registry
from edgezero_spin.stores.secrets import SecretHandle, SecretStore

if TYPE_CHECKING:
    from edgezero_spin.stores.databases import MySql, Postgres, Redis, Sqlite

__all__ = ["Stores", "open_on_platform"]


class Stores:
    """The stores and databases of one request; ``None`` for a kind that is not declared."""

    __slots__ = ("_config", "_databases", "_kv", "_secrets")

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
        self._databases: dict[DatabaseKind, Registry[Any] | None] = {}

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

    @property
    def sqlite(self) -> "Sqlite | None":
        """The SQLite databases."""
        found: Sqlite | None = self._database("sqlite")
        return found

    @property
    def redis(self) -> "Redis | None":
        """The Redis servers."""
        found: Redis | None = self._database("redis")
        return found

    @property
    def postgres(self) -> "Postgres | None":
        """The PostgreSQL databases."""
        found: Postgres | None = self._database("postgres")
        return found

    @property
    def mysql(self) -> "MySql | None":
        """The MySQL databases."""
        found: MySql | None = self._database("mysql")
        return found

    def _database(self, kind: DatabaseKind) -> Any:
        if kind not in self._databases:
            self._databases[kind] = self.new_databases(kind)
        registry = self._databases[kind]
        return None if registry is None else registry.default

    def new_databases(self, kind: DatabaseKind) -> Registry[Any] | None:
        """Return databases of one kind with connections of their own, for one request."""
        return None


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
        super().__init__()
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
        try:
            handle = self._handle or self._secret_handle()
        except BackendError as error:
            raise SecretInternalError(error.message) from error
        return SecretStore(handle, layer.store_name("secrets", id))

    def new_databases(self, kind: DatabaseKind) -> Registry[Any] | None:
        declared: StoreIds | None = getattr(self._declaration, kind)
        if declared is None:
            return None
        # Its class is there: an app loads those of the kinds that it declares.
        return DATABASE_CLASSES[kind].registry(
            declared, self._platform, self._store_name, self._secret_handle
        )

    def _store_name(self, kind: str, id: str) -> str:
        return (self._layer or self._snapshot()).store_name(kind, id)

    def _secret_handle(self) -> SecretHandle:
        """Raises ``BackendError`` where the platform has no secrets."""
        handle = self._handle
        if handle is None:
            handle = self._handle = SecretHandle(self._platform.secrets())
        return handle

    def _snapshot(self) -> EnvironmentLayer:
        layer = self._layer = EnvironmentLayer.from_mapping(self._environ())
        return layer
