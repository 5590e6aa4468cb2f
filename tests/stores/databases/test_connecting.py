"""Connections of a request, on databases in memory."""

from collections.abc import Sequence
from typing import Any

import pytest

from edgezero_spin import App, DatabaseOpenError, Postgres, QueryError, Sqlite, StoreIds
from edgezero_spin.stores import StoreDeclaration, open_on_platform
from edgezero_spin.stores.databases import DatabaseFailure
from edgezero_spin.stores.memory import MemorySecrets
from tests.core.asking import finish as run

ADDRESS = "postgres://spin:p%40ss@db/app"


class Connection:
    """A connection that notes what it is asked."""

    def __init__(self, refusing: Sequence[str] = (), fits: str = "") -> None:
        self.statements: list[str] = []
        self.parameters: list[Any] = []
        self.closed = False
        self._refusing = refusing
        self._fits = fits

    async def execute(self, statement: str, parameters: Sequence[Any]) -> int:
        self.statements.append(statement)
        self.parameters.append(list(parameters))
        if statement in self._refusing:
            raise DatabaseFailure("query-failed", f"refused by {ADDRESS} (p@ss)")
        for index, (case, _) in enumerate(parameters):
            if self._fits and case != self._fits:
                raise DatabaseFailure("query-failed", f"error serializing parameter {index}: no")
        return 1

    def close(self) -> None:
        self.closed = True


class Platform:
    """A platform whose connections are given."""

    def __init__(self, *connections: Connection) -> None:
        self.connections = list(connections)
        self.opened: list[tuple[str, str]] = []

    def open_key_value(self, label: str) -> Any:
        raise AssertionError

    def secrets(self) -> MemorySecrets:
        return MemorySecrets({"database_url": ADDRESS})

    async def open_database(self, kind: str, target: str) -> Connection:
        self.opened.append((kind, target))
        if not self.connections:
            raise DatabaseFailure("connection-failed", f"no way to {target}")
        return self.connections.pop(0)


def postgres(platform: Platform, *ids: str) -> Postgres:
    """The default database of an app, kept alive by its stores."""
    ids = ids or ("database_url",)
    declaration = StoreDeclaration(postgres=StoreIds.of(ids, ids[0]))
    stores = open_on_platform(declaration, platform, dict)
    _alive.append(stores)
    found = stores.postgres
    assert found is not None
    return found


_alive: list[Any] = []


def test_one_connection_serves_all_statements() -> None:
    """Opened by the first one; the address is that of the variable."""
    connection = Connection()
    platform = Platform(connection)
    database = postgres(platform)

    async def work() -> None:
        await database.execute("one")
        await database.default.execute("two")

    run(work())
    assert platform.opened == [("postgres", ADDRESS)]
    assert connection.statements == ["one", "two"]


def test_a_transaction_that_is_left_is_undone() -> None:
    """One inside it is a savepoint, and undone alone."""
    connection = Connection()
    database = postgres(Platform(connection))

    async def work() -> None:
        async with database.transaction():
            with pytest.raises(KeyError):
                async with database.transaction():
                    raise KeyError
            await database.execute("kept")

    run(work())
    assert connection.statements == [
        "BEGIN",
        "SAVEPOINT edgezero_1",
        "ROLLBACK TO SAVEPOINT edgezero_1",
        "RELEASE SAVEPOINT edgezero_1",
        "kept",
        "COMMIT",
    ]


def test_a_commit_that_fails_is_rolled_back_and_told() -> None:
    """The error of the commit, not that of what follows."""
    connection = Connection(refusing=["COMMIT"])
    database = postgres(Platform(connection))

    async def work() -> None:
        async with database.transaction():
            pass

    with pytest.raises(QueryError) as caught:
        run(work())
    assert caught.value.statement == "COMMIT"
    assert connection.statements == ["BEGIN", "COMMIT", "ROLLBACK"]


def test_a_connection_that_cannot_roll_back_is_closed() -> None:
    """The next statement has another one; inside of the transaction there is none."""
    lost, fresh = Connection(refusing=["ROLLBACK", "work"]), Connection()
    database = postgres(Platform(lost, fresh))

    async def work() -> None:
        with pytest.raises(QueryError, match="lost in a transaction"):
            async with database.transaction():
                with pytest.raises(QueryError):
                    async with database.transaction():
                        database.close()
                        raise QueryError("", "")
                await database.execute("more")
        await database.execute("after")

    run(work())
    assert lost.closed
    assert fresh.statements == ["after"]


@pytest.mark.parametrize("fits", ["int16", "int64", "decimal"])
def test_an_int_is_sent_as_the_server_wants_it(fits: str) -> None:
    """Found out once for a statement, and known from then on."""  # PG-58
    connection = Connection(fits=fits)
    database = postgres(Platform(connection))
    statement = f"SELECT $1 -- {fits}"

    async def work() -> None:
        await database.execute(statement, 5)
        tries = len(connection.statements)
        await database.execute(statement, 6)
        assert len(connection.statements) == tries + 1
        assert connection.parameters[-1][0][0] == fits

    run(work())


def test_a_value_that_fits_nowhere_is_an_error() -> None:
    """Every case was tried."""
    database = postgres(Platform(Connection(fits="uuid")))
    with pytest.raises(QueryError, match="error serializing parameter 0"):
        run(database.execute("SELECT $1 -- nowhere", 5))


def test_no_text_has_the_address_or_its_password() -> None:
    """Neither an error of opening nor one of a statement."""
    for platform in (Platform(), Platform(Connection(refusing=["work"]))):
        with pytest.raises((DatabaseOpenError, QueryError)) as caught:
            run(postgres(platform).execute("work"))
        assert "p%40ss" not in str(caught.value)
        assert "p@ss" not in str(caught.value)


def test_a_missing_variable_is_named() -> None:
    """With what to do."""
    with pytest.raises(DatabaseOpenError, match="no variable 'other_url' is set"):
        run(postgres(Platform(), "other_url").execute("work"))


def test_a_handler_wants_a_database_that_the_app_declares() -> None:
    """Said when the app is compiled, with what to write."""
    app = App()

    @app.get("/")
    async def show(db: Sqlite) -> str:
        return ""

    with pytest.raises(TypeError) as caught:
        app.compile()
    assert "the app declares no SQLite database" in str(caught.value)
    assert "App(sqlite=[...]) or [databases.sqlite] in edgezero.toml" in str(caught.value)


def test_an_app_needs_what_it_names() -> None:
    """Servers need variables, too: their addresses."""
    assert App(sqlite=["default"]).needs == {"http", "sqlite"}
    assert App(redis=["cache_url"]).needs == {"http", "redis", "variables"}
