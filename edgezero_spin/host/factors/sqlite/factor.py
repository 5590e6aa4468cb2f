"""SQLite databases of an application, by label.

In: the labels that components list, and where the runtime configuration puts each. Out: a
``Database`` for each label, which opens connections; or one error that names every label
which nobody defined. What is given on the command line is run before anything is served.

Source: contract spin-host.md, DB-1 to DB-3.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from edgezero_spin.errors import HostError
from edgezero_spin.host.factors.labels import UnresolvedLabelError, check_labels, used_labels

if TYPE_CHECKING:
    from edgezero_spin.host.factors.sqlite.connections import DatabaseConnection
    from edgezero_spin.host.factors.sqlite.memory import MemoryAccount

__all__ = ["DEFAULT_LABEL", "Database", "Databases", "StatementError", "UnknownDatabaseError"]

DEFAULT_LABEL = "default"
"""The label that exists without configuration (DB-2)."""


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


class UnknownDatabaseError(UnresolvedLabelError):
    """Components list SQLite labels that no database answers to (DB-3)."""

    def __str__(self) -> str:
        details = "\n".join(
            f"- Component {component} uses database '{label}'" for component, label in self.missing
        )
        label = self.missing[0][1]
        return (
            "One or more components use SQLite databases which are not defined (defined: "
            f"{', '.join(self.known)}). Check the spelling, or define them in "
            f"runtime-config.toml, as in [sqlite_database.{label}].\nDetails:\n{details}"
        )


class StatementError(HostError):
    """A statement that was given at the start could not be run.

    Attributes:
        option: What was given.
        reason: What is wrong with it.
    """

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(option, reason)
        self.option = option
        self.reason = reason

    def __str__(self) -> str:
        return f"--sqlite {self.option!r}: {self.reason}"


class Databases:
    """The SQLite databases of one application.

    Attributes:
        by_label: Those that components list, and ``default``.
        default_file: The file of the label ``default``, when a component uses it and it is
            local (OUT-2).
    """

    def __init__(
        self, labels: Mapping[str, Iterable[str]], configured: Mapping[str, Database]
    ) -> None:
        """Check the labels; nothing is opened.

        Args:
            labels: Component id to the labels that it lists.
            configured: Databases by label. ``default`` is always there (DB-2).

        Raises:
            UnknownDatabaseError: A label is neither configured nor ``default``.
        """
        known = {DEFAULT_LABEL: Database(label=DEFAULT_LABEL), **configured}
        check_labels(labels, known, UnknownDatabaseError)
        self.by_label: Mapping[str, Database] = known
        self.default_file = (
            known[DEFAULT_LABEL].path if DEFAULT_LABEL in used_labels(labels) else None
        )

    def run(self, options: Iterable[str]) -> None:
        """Run what ``--sqlite`` is given, before anything is served (DB-2).

        Args:
            options: Each a statement for the label ``default``, or ``@file`` or
                ``@file:label`` for a file of statements.

        Raises:
            StatementError: An option cannot be read, or its statements fail.
        """
        for option in options:
            if option.startswith("@"):
                self._run_file(option)
            else:
                self._run_statement(option)

    def _run_statement(self, option: str) -> None:
        from edgezero_spin.host.factors.sqlite.rules import MAX_VALUE_BYTES

        self._run(
            option,
            self.by_label[DEFAULT_LABEL],
            lambda connection: connection.execute(option, max_bytes=MAX_VALUE_BYTES),
        )

    def _run_file(self, option: str) -> None:
        file, colon, label = (part.strip() for part in option[1:].partition(":"))
        if not file:
            raise StatementError(option, "it names no file; write @file or @file:label")
        if colon and not label:
            raise StatementError(option, "the label after the colon is empty")
        database = self.by_label.get(label or DEFAULT_LABEL)
        if database is None:
            raise StatementError(
                option,
                f"there is no database with the label {label!r} (defined: "
                f"{', '.join(sorted(self.by_label))})",
            )
        try:
            text = Path(file).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise StatementError(option, f"{file} is not UTF-8 text") from None
        except OSError as error:
            raise StatementError(option, f"{file}: {error.strerror or error}") from error
        self._run(option, database, lambda connection: connection.execute_script(text))

    def _run(
        self, option: str, database: Database, work: "Callable[[DatabaseConnection], object]"
    ) -> None:
        from edgezero_spin.host.factors.sqlite.statements import SqliteError

        connection = database.connect()
        try:
            work(connection)
        except SqliteError as error:
            raise StatementError(
                option, f"failed on the database {database.label!r}: {error.message}"
            ) from error
        finally:
            connection.close()
