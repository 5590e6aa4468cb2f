"""SQLite databases of whoever asks: every connection and statement recorded, and failed on
request.

Source: contract spin-host.md, DB-1 to DB-3, TEST-19, TEST-30.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from edgezero_spin.host.factors.sqlite.connections import DatabaseConnection, DatabaseError
from edgezero_spin.host.factors.sqlite.database import Database
from edgezero_spin.host.factors.sqlite.memory import MemoryAccount
from edgezero_spin.host.runtime.interface import WitError
from edgezero_spin.stores.backend import BackendError
from edgezero_spin.testing.hosting.context import surface
from edgezero_spin.testing.store_control import ACCESS_DENIED, StoreControl
from edgezero_spin.testing.store_log import StoreCall

__all__ = ["KitDatabases"]

DATABASE_FULL = "database-full"
"""A message of ``fail`` that stands for the case of this name."""


class KitDatabases(Mapping[str, Database]):
    """The databases that one component may open."""

    def __init__(self, component_id: str) -> None:
        self._component_id = component_id

    def get(self, label: str, default: Any = None) -> Any:
        """Record that a database is opened; ``None`` for one that is not granted."""
        client = surface()
        granted = client.granted_databases
        labels = client.sqlite if granted is None else granted[self._component_id]

        def opened() -> Database:
            if label not in labels or label not in client.sqlite or client.stores.denies(label):
                raise BackendError(ACCESS_DENIED)
            return _RecordedDatabase(label=label, uri=client.sqlite[label].uri)

        try:
            return client.stores.run(StoreCall("connect", label), opened)
        except BackendError as error:
            if error.message == ACCESS_DENIED:
                return default
            raise WitError(("io", error.message)) from error

    def __getitem__(self, label: str) -> Database:
        found: Database | None = self.get(label)
        if found is None:
            raise KeyError(label)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(surface().sqlite)

    def __len__(self) -> int:
        return len(surface().sqlite)


class _RecordedDatabase(Database):
    """A database whose connections record what runs on them."""

    def connect(
        self, is_live: Callable[[], bool] | None = None, account: MemoryAccount | None = None
    ) -> DatabaseConnection:
        return _RecordedConnection(self, is_live, account, surface().stores)


class _RecordedConnection(DatabaseConnection):
    """A connection of a guest of one test."""

    def __init__(
        self,
        database: Database,
        is_live: Callable[[], bool] | None,
        account: MemoryAccount | None,
        control: StoreControl,
    ) -> None:
        super().__init__(database, is_live, account)
        self._control = control
        self._label = database.label

    def execute(
        self, text: str, values: Sequence[Any] = (), *, max_bytes: int
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Record a statement and run it. Raises as any connection."""
        failed: list[DatabaseError] = []

        def run() -> tuple[list[str], list[tuple[Any, ...]]]:
            try:
                return super(_RecordedConnection, self).execute(text, values, max_bytes=max_bytes)
            except DatabaseError as error:
                failed.append(error)
                raise BackendError(error.message) from error

        call = StoreCall("execute", self._label, text, parameters=tuple(values))
        try:
            return self._control.run(call, run)
        except BackendError as error:
            if failed:
                raise failed[0] from None
            raise DatabaseError(error.message, full=error.message == DATABASE_FULL) from None
