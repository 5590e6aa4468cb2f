"""One key-value store of an application, opened without running the application.

In: the folder of a manifest, a label, and where state is. Out: a backend, for as long as a
``with`` block lasts. Reading makes no file where there is none.

Source: contract spin-host.md, KV-40 to KV-44, STATE-1.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgezero_spin.errors import HostError
from edgezero_spin.host.factors.key_value.factor import KeyValueStores
from edgezero_spin.host.load.runtime_config import resolve_runtime
from edgezero_spin.manifest.runtime_config import (
    RUNTIME_CONFIG,
    find_runtime_config,
    load_runtime_config,
)
from edgezero_spin.stores import MemoryKeyValue
from edgezero_spin.stores.backend import BackendError, KeyValueBackend

__all__ = ["KeyValueBackend", "StoreAccessError", "open_store"]


class StoreAccessError(HostError):
    """A store cannot be looked into, or refuses what was asked.

    Attributes:
        label: The store.
        reason: Why, with what to do where that helps.
    """

    def __init__(self, label: str, reason: str) -> None:
        super().__init__(label, reason)
        self.label = label
        self.reason = reason

    def __str__(self) -> str:
        return f"the store `{self.label}`: {self.reason}"


@contextmanager
def open_store(
    app_dir: Path,
    label: str,
    *,
    state_dir: str | None = None,
    runtime_config: Path | None = None,
    writing: bool = False,
) -> Iterator[KeyValueBackend]:
    """Open a store.

    Args:
        app_dir: The folder of the application's manifest.
        label: The label that components open it by.
        state_dir: Where the application keeps its data; ``None`` for the usual place.
        runtime_config: The file; ``None`` for the one beside the manifest, if there is one.
        writing: Whether the store is made where it does not exist yet.

    Raises:
        StoreAccessError: There is no such store, it is kept in memory, or it failed.
        HostError: Its file or its settings cannot be used.
    """
    path = runtime_config or find_runtime_config(app_dir)
    config = None if path is None else load_runtime_config(path)
    stores = resolve_runtime(config, app_dir=app_dir, state_dir=state_dir).key_value
    if label not in stores:
        known = ", ".join(stores)
        raise StoreAccessError(
            label,
            f"there is none; define [key_value_store.{label}] in {app_dir / RUNTIME_CONFIG} "
            f"(known: {known})",
        )
    place = stores[label].place
    if place is None:
        raise StoreAccessError(label, "it is kept in memory, and gone when its application ends")
    if isinstance(place, Path) and not writing and not place.exists():
        yield MemoryKeyValue()
        return
    opened = KeyValueStores({"": [label]}, {label: place})
    try:
        yield opened.backends[label]
    except BackendError as error:
        raise StoreAccessError(label, error.message) from error
    finally:
        opened.close()
