"""Protocols of databases: connections, rows, and the platform that opens them.

The facades stay above, the WIT bindings of a component and the factors of the embedded host below.
Parameters go down as cases of WIT with their payloads; rows come up as Python values, made by the
tables of ``decoding``.

Source: the interfaces ``sqlite``, ``redis``, ``postgres`` and ``mysql`` of Spin; contract
services.md, sections 1, 2 and 5.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

import attrs

from edgezero_spin.stores.backend import BackendError
from edgezero_spin.stores.declaration import DatabaseKind

__all__ = [
    "DatabaseFailure",
    "DatabasePlatform",
    "Parameter",
    "RedisBackend",
    "ServerMessage",
    "SqlBackend",
    "SqlRows",
]

Parameter = tuple[str, Any]
"""Case and payload of a parameter in WIT; records are dictionaries, cases of enums texts."""


@attrs.frozen(kw_only=True)
class ServerMessage:
    """What a PostgreSQL server says of an error.

    Attributes:
        code: The SQLSTATE.
        detail: More of its words.
        extras: What it names: ``constraint``, ``table``, ``column``, ``hint``.
    """

    code: str = ""
    detail: str = ""
    extras: Mapping[str, str] = MappingProxyType({})


class DatabaseFailure(BackendError):  # noqa: N818 - a facade makes an error of it
    """A call failed; the facades make it an error of their own.

    Attributes:
        case: The case of the error in WIT.
        server: What the server said, where it did.
    """

    def __init__(
        self, case: str, message: str | None = None, server: ServerMessage | None = None
    ) -> None:
        """Take an error of the interface; what a case without a text means is told here."""
        super().__init__(_TEXTS.get(case, case) if message is None else message)
        self.case = case
        self.server = server


_TEXTS = {
    "no-such-database": "no-such-database (the host knows no database by this label)",
    "access-denied": (
        "access-denied (the label is not in this component's sqlite_databases in spin.toml)"
    ),
    "invalid-address": (
        "invalid-address (it is not an address of a Redis server, or is not in this component's "
        "allowed_outbound_hosts in spin.toml)"
    ),
}


class SqlRows(Protocol):
    """The rows of one statement. Any method may raise ``DatabaseFailure``.

    Attributes:
        columns: Their names.
    """

    @property
    def columns(self) -> Sequence[str]: ...

    async def read(self) -> Sequence[Sequence[Any]]:
        """Return the next rows; nothing at the end."""

    def close(self) -> None:
        """Read no more. Twice is harmless."""


class SqlBackend(Protocol):
    """A connection that runs statements. Any method may raise ``DatabaseFailure``."""

    async def query(self, statement: str, parameters: Sequence[Parameter]) -> SqlRows:
        """Run a statement; return its rows."""

    async def execute(self, statement: str, parameters: Sequence[Parameter]) -> int | None:
        """Run a statement; return how many rows it touched, where the interface says so."""

    def close(self) -> None:
        """Give it back. Twice is harmless."""


class RedisBackend(Protocol):
    """A connection that runs commands."""

    async def call(self, function: str, *arguments: Any) -> Any:
        """Call a function of the interface by its name in WIT; ``execute`` takes and returns cases.

        Raises:
            DatabaseFailure: It failed.
        """

    def close(self) -> None:
        """Give it back. Twice is harmless."""


class DatabasePlatform(Protocol):
    """A host that databases can be opened on."""

    async def open_database(self, kind: DatabaseKind, target: str) -> Any:
        """Connect.

        Args:
            kind: What to connect to.
            target: The label of a SQLite database, the address of a server.

        Returns:
            A ``SqlBackend``, for ``redis`` a ``RedisBackend``.

        Raises:
            DatabaseFailure: It is not granted, or cannot be reached.
        """
