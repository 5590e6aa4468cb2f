"""SQLite databases: their places, and how each may be opened.

Source: contract spin-host.md, DB-2.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from edgezero_spin.host.factors.sqlite.connections import DatabaseConnection
    from edgezero_spin.host.factors.sqlite.memory import MemoryAccount

__all__ = ["Database"]


@attrs.frozen(kw_only=True)
class Database:
    """Where one database lives.

    Attributes:
        label: The label that components open it by.
        path: The file; ``None`` makes every connection a database of its own (DB-2).
        uri: Without a path: what SQLite opens instead, such as ``file:/name?vfs=memdb`` for
            a database in memory that all connections of this process share.
        allow_attach_file: A guest may attach other files of the host.
        durable: What was committed survives a power cut, unless a guest says otherwise by
            ``PRAGMA synchronous``.
    """

    label: str
    path: Path | None = None
    uri: str | None = None
    allow_attach_file: bool = False
    durable: bool = True

    @property
    def summary(self) -> str:
        """Where it is, for traces."""
        return "a temporary in-memory database" if self.path is None else f'"{self.path}"'

    def connect(
        self, is_live: Callable[[], bool] | None = None, account: "MemoryAccount | None" = None
    ) -> "DatabaseConnection":
        """Return a connection; nothing is opened before its first statement.

        Args:
            is_live: Asked during long statements; ``False`` ends them.
            account: What the instance may have SQLite hold, with all its connections;
                ``None`` for the usual limit and this connection alone.
        """
        # SQLite is loaded when the first component uses it.
        from edgezero_spin.host.factors.sqlite.connections import DatabaseConnection

        return DatabaseConnection(self, is_live, account)
