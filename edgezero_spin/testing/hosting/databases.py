"""SQLite databases of whoever asks: every connection and statement recorded, and failed on
request.

Source: contract spin-host.md, DB-1 to DB-3, TEST-19, TEST-30.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from edgezero_spin.host.factors.sqlite.connections import DatabaseConnection, SqliteError
from edgezero_spin.host.factors.sqlite.factor import Database
from edgezero_spin.host.factors.sqlite.memory import MemoryAccount
from edgezero_spin.host.runtime.interface import WitError
from edgezero_spin.stores.backend import BackendError
from edgezero_spin.testing.databases import DatabaseViews
from edgezero_spin.testing.hosting.context import current_client
from edgezero_spin.testing.on_demand import OnDemand
from edgezero_spin.testing.store_control import ACCESS_DENIED, StoreControl
from edgezero_spin.testing.store_log import StoreCall

__all__ = ["kit_databases", "open_recorded"]

T = TypeVar("T")

DATABASE_FULL = "database-full"
"""A message of ``fail`` that stands for the case of this name."""


def kit_databases(component_id: str) -> Mapping[str, Database]:
    """Return the databases that a component may open, of the client that asks."""

    def find(label: str) -> Database | None:
        client = current_client()
        granted = client.granted_databases
        labels = client.sqlite if granted is None else granted[component_id]
        return open_recorded(label, labels, client.sqlite, client.stores)

    return OnDemand(find, lambda: current_client().sqlite)


def open_recorded(
    label: str, granted: Collection[str], views: DatabaseViews, control: StoreControl
) -> Database | None:
    """Record that a database is opened, and return it; ``None`` for one that is not granted.

    Args:
        granted: The labels that the component may open.
        views: The databases of the test.
        control: Records, and fails on request.

    Raises:
        WitError: It is to fail.
    """

    def opened() -> Database:
        if label not in granted or label not in views or control.denies(label):
            raise BackendError(ACCESS_DENIED)
        return _RecordedDatabase(label=label, uri=views[label].uri, control=control)

    try:
        return control.run(StoreCall("connect", label), opened)
    except BackendError as error:
        if error.message == ACCESS_DENIED:
            return None
        raise WitError(("io", error.message)) from error


@attrs.frozen(kw_only=True)
class _RecordedDatabase(Database):
    """A database whose connections record what runs on them."""

    control: StoreControl

    def connect(
        self, is_live: Callable[[], bool] | None = None, account: MemoryAccount | None = None
    ) -> DatabaseConnection:
        return _RecordedConnection(self, is_live, account, self.control)


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

    def statement(self, text: str, values: Sequence[Any], work: Callable[[], T]) -> T:
        """Record a statement and run it."""
        failed: list[SqliteError] = []

        def run() -> T:
            try:
                return work()
            except SqliteError as error:
                failed.append(error)
                raise BackendError(error.message) from error

        call = StoreCall("execute", self._label, text, parameters=tuple(values))
        try:
            return self._control.run(call, run)
        except BackendError as error:
            if failed:
                raise failed[0] from None
            raise SqliteError(error.message, full=error.message == DATABASE_FULL) from None
