"""SQL databases: statements, typed rows and transactions.

``Sqlite``, ``Postgres`` and ``MySql`` say what differs: how parameters travel, and how a
transaction begins. A handler's parameter is the default database of the app,
``db["reports"]`` another one.

A request has one connection to each database, opened by the first statement and given back when
the request is done with it. Statements of one connection run one after the other.

Source: our own; contract services.md, sections 1, 2 and 5.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Self, TypeVar, overload

from edgezero_spin.stores.databases.backend import DatabaseFailure, SqlBackend, SqlRows
from edgezero_spin.stores.databases.connecting import DatabaseHandle
from edgezero_spin.stores.databases.errors import DatabaseError, ManyRowsError, NoRowError
from edgezero_spin.stores.databases.parameters import Candidates, parameters_of
from edgezero_spin.stores.databases.rows import row_reader

__all__ = ["SqlDatabase"]

T = TypeVar("T")


class SqlDatabase(DatabaseHandle[SqlBackend]):
    """A database that runs SQL statements.

    ``to`` is what a row becomes: an attrs class or dataclass by the names of columns, a tuple by
    their order, ``dict``, or the type of the only column. ``parameters`` stand for the
    placeholders of the statement.

    Every method may raise ``DatabaseOpenError`` and ``QueryError``, and ``TypeError`` or
    ``ValueError`` for a parameter that the database does not take; those with ``to`` may raise
    ``RowError``.
    """

    __slots__ = ()

    @overload
    async def rows(self, to: type[T], statement: str, /, *parameters: Any) -> list[T]: ...
    @overload
    async def rows(self, to: Any, statement: str, /, *parameters: Any) -> list[Any]: ...
    async def rows(self, to: Any, statement: str, /, *parameters: Any) -> list[Any]:
        """Run a statement and return its rows: ``rows(Note, "SELECT * FROM notes")``."""
        async with aclosing(self.stream(to, statement, *parameters)) as found:
            return [row async for row in found]

    @overload
    async def one(self, to: type[T], statement: str, /, *parameters: Any) -> T: ...
    @overload
    async def one(self, to: Any, statement: str, /, *parameters: Any) -> Any: ...
    async def one(self, to: Any, statement: str, /, *parameters: Any) -> Any:
        """Run a statement and return its only row: ``one(int, "SELECT count(*) FROM notes")``.

        Raises:
            NoRowError: There is none.
            ManyRowsError: There are several.
        """
        found = await self._at_most_one(to, statement, parameters)
        if not found:
            raise NoRowError(str(self), statement)
        return found[0]

    @overload
    async def optional(self, to: type[T], statement: str, /, *parameters: Any) -> T | None: ...
    @overload
    async def optional(self, to: Any, statement: str, /, *parameters: Any) -> Any: ...
    async def optional(self, to: Any, statement: str, /, *parameters: Any) -> Any:
        """Run a statement and return its only row, ``None`` when there is none.

        Raises:
            ManyRowsError: There are several.
        """
        found = await self._at_most_one(to, statement, parameters)
        return found[0] if found else None

    @overload
    def stream(self, to: type[T], statement: str, /, *parameters: Any) -> AsyncGenerator[T]: ...
    @overload
    def stream(self, to: Any, statement: str, /, *parameters: Any) -> AsyncGenerator[Any]: ...
    async def stream(self, to: Any, statement: str, /, *parameters: Any) -> AsyncGenerator[Any]:
        """Run a statement and give its rows as they are asked for.

        In a component of WASI 0.3 they come from the database as they are read; elsewhere the host
        has all of them first. Until the last one was read the connection is busy with them.
        """
        rows: SqlRows = await self._call("query", statement, parameters)
        try:
            batch = await self._read(rows, statement)
            # A result without rows may have no columns (PostgreSQL).
            read = row_reader(to, rows.columns, str(self)) if batch else None
            while read is not None and batch:
                for row in batch:
                    yield read(row)
                batch = await self._read(rows, statement)
        finally:
            rows.close()

    async def execute(self, statement: str, /, *parameters: Any) -> int | None:
        """Run a statement whose rows are of no interest.

        Returns:
            How many rows it touched, where the database says so: PostgreSQL.
        """
        count: int | None = await self._call("execute", statement, parameters)
        return count

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Self]:
        """Run the statements inside as a whole: committed at the end, undone by an exception.

        A transaction inside another one is a savepoint.

        ```python
        async with db.transaction():
            await db.execute("UPDATE accounts SET balance = balance - ? WHERE id = ?", 10, 1)
            await db.execute("UPDATE accounts SET balance = balance + ? WHERE id = ?", 10, 2)
        ```
        """
        begin, commit, rollback = self._transaction_statements()
        await self._run_each(begin)
        self._depth += 1
        try:
            yield self
            await self._run_each(commit)
        except GeneratorExit:
            # Nobody waits any more; the database undoes what its connection leaves behind.
            self.close()
            raise
        except BaseException:
            try:
                await self._run_each(rollback)
            except DatabaseError:
                self.close()
            except BaseException:
                self.close()
                raise
            raise
        finally:
            self._depth -= 1

    def _transaction_statements(self) -> tuple[list[str], list[str], list[str]]:
        """Return what begins, commits and undoes the next transaction."""
        if not self._depth:
            return ["BEGIN"], ["COMMIT"], ["ROLLBACK"]
        name = f"edgezero_{self._depth}"
        release = f"RELEASE SAVEPOINT {name}"
        return [f"SAVEPOINT {name}"], [release], [f"ROLLBACK TO SAVEPOINT {name}", release]

    async def _run_each(self, statements: Sequence[str]) -> None:
        for statement in statements:
            await self._call("execute", statement, ())

    async def _call(self, method: str, statement: str, parameters: Sequence[Any]) -> Any:
        """Have the connection ``query`` or ``execute`` a statement."""
        candidates = parameters_of(self.kind, parameters)
        connection = await self._connected(statement)
        try:
            return await self._send(getattr(connection, method), statement, candidates)
        except DatabaseFailure as failure:
            raise self._error_of(failure, statement) from None

    async def _send(self, call: Any, statement: str, candidates: list[Candidates]) -> Any:
        return await call(statement, [cases[0] for cases in candidates])

    async def _read(self, rows: SqlRows, statement: str) -> Sequence[Sequence[Any]]:
        try:
            return await rows.read()
        except DatabaseFailure as failure:
            raise self._error_of(failure, statement) from None

    async def _at_most_one(self, to: Any, statement: str, parameters: Sequence[Any]) -> list[Any]:
        found: list[Any] = []
        async with aclosing(self.stream(to, statement, *parameters)) as rows:
            async for row in rows:
                if found:
                    raise ManyRowsError(str(self), statement)
                found.append(row)
        return found
