"""Key-value backends by label.

In: the labels that components list, and where the runtime configuration puts each. Out:
one backend for each label, or one error that names every label which nobody defined
(KV-2). Two labels on one file or one server share its connections.

Source: contract spin-host.md, KV-2, KV-40 to KV-45, KV-50 to KV-53.
"""

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edgezero_spin.errors import HostError
from edgezero_spin.host.factors.key_value.cloud import CloudStore, CosmosContainer, DynamoTable
from edgezero_spin.host.factors.labels import UnresolvedLabelError, check_labels, used_labels
from edgezero_spin.host.factors.redis.address import RedisAddress
from edgezero_spin.host.factors.redis.pool import RedisPool
from edgezero_spin.stores.backend import BackendError, KeyValueBackend

if TYPE_CHECKING:
    from edgezero_spin.host.factors.key_value.backends.cosmos import CosmosKeyValue
    from edgezero_spin.host.factors.key_value.backends.dynamo import DynamoKeyValue
    from edgezero_spin.host.factors.key_value.backends.sqlite import SqliteFile

__all__ = ["DEFAULT_LABEL", "KeyValueStores", "SeedError", "StoreLocation", "UnknownStoreError"]

StoreLocation = Path | RedisAddress | CloudStore | None
"""Where a store is; ``None`` for in memory."""

DEFAULT_LABEL = "default"
"""The label that exists without configuration (KV-41)."""


class UnknownStoreError(UnresolvedLabelError):
    """Components list key-value labels that no store answers to."""

    def __str__(self) -> str:
        offer = ", ".join(self.known)
        return "\n".join(
            f'unknown key_value_stores label "{label}" for component "{component}" (defined: '
            f"{offer}; define it as [key_value_store.{label}] in runtime-config.toml)"
            for component, label in self.missing
        )


class SeedError(HostError):
    """An entry given at the start could not be written.

    Attributes:
        key: The entry.
        reason: What the store said.
    """

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(key, reason)
        self.key = key
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot write the key {self.key!r} to the store {DEFAULT_LABEL!r}: {self.reason}"


class KeyValueStores:
    """The key-value stores of one application. ``close`` frees their files.

    Attributes:
        default_file: The file of the label ``default``, when a component uses it and it is
            local (OUT-2).
    """

    def __init__(
        self,
        labels: Mapping[str, Iterable[str]],
        places: Mapping[str, StoreLocation],
        seed: Mapping[str, bytes] | None = None,
        *,
        durable: bool = True,
    ) -> None:
        """Open what is used.

        Args:
            labels: Component id to the labels that it lists.
            places: Label to file, server or cloud, or to ``None`` for one in memory.
                ``default`` is always there (KV-41).
            seed: Entries written to the store ``default`` (KV-45).
            durable: Writes to files survive a power cut.

        Raises:
            UnknownStoreError: A label is neither configured nor ``default``.
            StoreFileError: A file cannot be used.
        """
        places = {DEFAULT_LABEL: None, **places}
        check_labels(labels, places, UnknownStoreError)
        self._durable = durable
        self._files: dict[Path, SqliteFile] = {}
        self._pools: dict[RedisAddress, RedisPool] = {}
        self._clouds: dict[CloudStore, DynamoKeyValue | CosmosKeyValue] = {}
        self._backends: dict[str, KeyValueBackend] = {}
        used = sorted(used_labels(labels))
        default = places[DEFAULT_LABEL] if DEFAULT_LABEL in used else None
        self.default_file = default if isinstance(default, Path) else None
        try:
            for label in used:
                self._backends[label] = self._open(label, places[label])
            for key, value in (seed or {}).items():
                self._write(key, value, places[DEFAULT_LABEL])
        except BaseException:
            self.close()
            raise

    # What is behind a kind of store is loaded when the first one is opened.

    def _open(self, label: str, place: StoreLocation) -> KeyValueBackend:
        if isinstance(place, RedisAddress):
            from edgezero_spin.host.factors.key_value.backends.redis import RedisKeyValue

            if place not in self._pools:
                self._pools[place] = RedisPool(place)
            return RedisKeyValue(self._pools[place])
        if isinstance(place, DynamoTable | CosmosContainer):
            if place not in self._clouds:
                self._clouds[place] = _cloud_backend(place)
            return self._clouds[place]
        if place is None:
            from edgezero_spin.host.factors.key_value.backends.memory import BoundedMemoryKeyValue
            from edgezero_spin.host.factors.key_value.batches import Sequential

            return Sequential(BoundedMemoryKeyValue(), threading.Lock())
        from edgezero_spin.host.factors.key_value.backends.sqlite import SqliteFile, SqliteKeyValue

        path = place.absolute()
        if path not in self._files:
            self._files[path] = SqliteFile(path, durable=self._durable)
        return SqliteKeyValue(self._files[path], label)

    def _write(self, key: str, value: bytes, place: StoreLocation) -> None:
        if DEFAULT_LABEL not in self._backends:
            self._backends[DEFAULT_LABEL] = self._open(DEFAULT_LABEL, place)
        try:
            self._backends[DEFAULT_LABEL].set(key, value)
        except BackendError as error:
            raise SeedError(key, error.message) from error

    @property
    def backends(self) -> Mapping[str, KeyValueBackend]:
        """Label to backend, for every label that a component lists."""
        return self._backends

    def close(self) -> None:
        """Close every file and connection. Twice is harmless."""
        for file in self._files.values():
            file.close()
        for pool in self._pools.values():
            pool.close()
        for cloud in self._clouds.values():
            cloud.close()


def _cloud_backend(place: CloudStore) -> "DynamoKeyValue | CosmosKeyValue":
    # Their clients are extras.
    if isinstance(place, DynamoTable):
        from edgezero_spin.host.factors.key_value.backends.dynamo import DynamoKeyValue

        return DynamoKeyValue(place)
    from edgezero_spin.host.factors.key_value.backends.cosmos import CosmosKeyValue

    return CosmosKeyValue(place)
