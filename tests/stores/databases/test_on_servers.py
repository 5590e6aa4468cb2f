"""Databases of every kind: one app, natively and as a component of both WASI, on real servers."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from edgezero_spin.project.componentize import componentize_app
from edgezero_spin.project.world import Wasi
from edgezero_spin.testing import ComponentClient, TestClient
from edgezero_spin.testing.client import Client
from tests.component.guests.databases.app import NOTE, app
from tests.host.debian_servers import running_mariadb, running_postgres
from tests.host.redis_server import free_port, running_redis

GUEST = Path(__file__).parents[2] / "component" / "guests" / "databases"

MANIFEST = """\
spin_manifest_version = 2

[application]
name = "databases"

[variables]
cache_url = {{ required = true, secret = true }}
postgres_url = {{ required = true, secret = true }}
mysql_url = {{ required = true, secret = true }}

[[trigger.http]]
route = "/..."
component = "app"

[component.app]
source = "app.wasm"
sqlite_databases = ["default", "reports"]
allowed_outbound_hosts = [{hosts}]

[component.app.variables]
cache_url = "{{{{ cache_url }}}}"
postgres_url = "{{{{ postgres_url }}}}"
mysql_url = "{{{{ mysql_url }}}}"
"""

PASSWORD = "hidden"
NOTE_VALUE = {
    "id": 1,
    "text": "bread",
    "done": True,
    "price": "2.50",
    "tags": [{"name": "food"}],
    "day": "2026-11-30",
}


@attrs.frozen
class Servers:
    """Ports of the servers."""

    redis: int
    postgres: int
    mysql: int

    @property
    def addresses(self) -> dict[str, str]:
        """The variables of the app."""
        return {
            "cache_url": f"redis://:{PASSWORD}@127.0.0.1:{self.redis}",
            "postgres_url": (
                f"postgres://postgres:postgres@127.0.0.1:{self.postgres}/postgres?sslmode=disable"
            ),
            "mysql_url": f"mysql://spin:spin@127.0.0.1:{self.mysql}/spin_dev",
        }


EMPTY = ["", " ", ";", "-- nothing", "/* nothing */", "-- nothing\n;"]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Redis, PostgreSQL and MariaDB of Debian."""
    folder = tmp_path_factory.mktemp("redis")
    with (
        running_redis(folder, "--requirepass", PASSWORD) as redis,
        running_postgres() as postgres,
        running_mariadb() as mysql,
    ):
        yield Servers(redis, postgres, mysql)


MODES = [
    "native",
    pytest.param("0.2", marks=pytest.mark.component),
    pytest.param("0.3", marks=pytest.mark.component),
]


@pytest.fixture(scope="module", params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """Natively, or the WASI of a component."""
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def folder(mode: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the component, where there is one."""
    folder = tmp_path_factory.mktemp(f"databases-{mode}")
    if mode == "native":
        return folder
    wasi: Wasi = "0.2" if mode == "0.2" else "0.3"
    (folder / "sources").mkdir()
    shutil.copy(GUEST / "app.py", folder / "sources")
    output = folder / "app.wasm"
    componentize_app("app", output=output, folder=folder / "sources", wasi=wasi)
    return folder


def client_of(mode: str, folder: Path, variables: dict[str, str], hosts: list[str]) -> Client:
    """Return a client of the app, which may connect to these hosts."""
    entries = ", ".join(f'"{host}"' for host in hosts)
    path = folder / "spin.toml"
    path.write_text(MANIFEST.format(hosts=entries))
    if mode == "native":
        return TestClient(app, manifest=path, variables=variables, deadline_s=60)
    return ComponentClient(path, variables=variables, deadline_s=60)


@pytest.fixture(scope="module")
def client(mode: str, folder: Path, servers: Servers) -> Iterator[Client]:
    """A client of the app, on all servers."""
    hosts = [f"{scheme}://127.0.0.1:*" for scheme in ("redis", "postgres", "mysql")]
    with client_of(mode, folder, servers.addresses, hosts) as made:
        yield made


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "mysql"])
def test_a_note_comes_back_as_it_was_stored(client: Client, kind: str) -> None:
    """Each column as its type, JSON as objects, and nothing of a transaction that was left."""
    response = client.post(f"/{kind}")
    assert response.status == 200, response.text
    assert response.json() == [NOTE_VALUE]
    assert NOTE.price is not None


def test_statements_on_sqlite_are_recorded(client: Client) -> None:
    """The test sees each statement, in every mode, and reads what is stored."""
    client.calls.clear()
    assert client.post("/sqlite").status == 200
    texts = client.calls.texts
    assert texts[:2] == ["connect default", "execute default DROP TABLE IF EXISTS notes"]
    assert texts[-1] == "execute default SELECT * FROM notes"
    assert "execute default ROLLBACK" in texts
    assert client.sqlite["default"].rows("SELECT text FROM notes") == [{"text": "bread"}]


def test_sqlite_fails_on_request(client: Client) -> None:
    """A failure that a test asks for is the one that the app sees."""
    client.stores.fail("execute", times=1, message="disk I/O error")
    found = client.post("/error", json={"kind": "sqlite", "statement": "SELECT 1"}).json()
    assert found["type"] == "QueryError"
    assert "disk I/O error" in found["text"]


def test_values_of_postgresql(client: Client) -> None:
    """Each type of the server takes its Python value and gives it back."""  # PG-30 to PG-43
    found = client.post("/postgres/types").json()
    assert [name for name, same in found.items() if not same] == []


def test_rows_come_one_after_the_other(client: Client) -> None:
    """All of a stream, and a few of another one, whose connection serves the next request."""
    for _ in range(2):
        response = client.get("/postgres/stream")
        assert response.text == "500500", response.text


def test_redis(client: Client) -> None:
    """Values as bytes, text and JSON; counters, sets and commands."""
    response = client.post("/redis")
    assert response.status == 200, response.text
    assert response.json() == {
        "note": True,
        "raw": True,
        "text": "bread",
        "missing": None,
        "incr": [1, 2],
        "sadd": 2,
        "srem": 1,
        "smembers": ["b"],
        "list": ["b'a'", "b'2'"],
        "status": ["PONG"],
        "deleted": 1,
    }


@pytest.mark.parametrize(
    ("kind", "statement", "code", "text"),
    [
        ("sqlite", "SELECT nope", "", "no such column: nope"),
        ("postgres", "SELECT nope", "42703", 'column "nope" does not exist'),
        ("postgres", "INSERT INTO notes VALUES (1, 'bread')", "23505", "duplicate key"),
        ("mysql", "SELECT nope", "", "Unknown column"),
        ("redis", "INCR text", "", "type-error"),
    ],
)
def test_a_statement_that_fails_says_why(
    client: Client, kind: str, statement: str, code: str, text: str
) -> None:
    """With the database, the server's words and the statement; a code where there is one."""
    if kind == "redis":
        client.post("/error", json={"kind": kind, "statement": "SET text word"})
    elif kind == "postgres":
        client.post("/postgres")
    found = client.post("/error", json={"kind": kind, "statement": statement}).json()
    assert (found["type"], found["code"]) == ("QueryError", code)
    assert text in found["text"]
    assert found["text"].startswith(f"{kind}[")
    assert found["text"].endswith(f", in: {statement.split()[0] if kind == 'redis' else statement}")


@pytest.mark.parametrize(
    ("kind", "text", "statements"),
    [
        ("sqlite", "the statement is empty (bad parameter or other API misuse)", EMPTY),
        ("postgres", None, EMPTY),
        # A comment is a statement for MariaDB.
        ("mysql", "Query was empty", ["", " ", ";"]),
    ],
)
def test_a_statement_that_is_empty(
    client: Client, kind: str, text: str | None, statements: list[str]
) -> None:
    """PostgreSQL has no rows for it, the others refuse it."""
    for statement in statements:
        for reads in (False, True):
            asked = {"kind": kind, "statement": statement, "reads": reads}
            found = client.post("/error", json=asked).json()
            if text is None:
                assert found == {}
            else:
                assert found["type"] == "QueryError"
                assert text in found["text"]


def test_what_the_manifest_does_not_allow_is_not_connected_to(
    mode: str, folder: Path, servers: Servers
) -> None:
    """Neither is a password told."""  # NET-22 to NET-25
    with client_of(mode, folder, servers.addresses, []) as client:
        for kind in ("redis", "postgres", "mysql"):
            response = client.post("/error", json={"kind": kind, "statement": "SELECT 1"})
            found = response.json()
            assert found["type"] == "DatabaseOpenError", found
            _assert_no_secret(found["text"], servers)


def test_a_wrong_password_and_a_server_that_is_gone(
    mode: str, folder: Path, servers: Servers
) -> None:
    """One error each, without the address."""
    gone = free_port()
    wrong = {
        "cache_url": f"redis://:wr0ng@127.0.0.1:{servers.redis}",
        "postgres_url": f"postgres://postgres:wr0ng@127.0.0.1:{gone}/postgres?sslmode=disable",
        "mysql_url": f"mysql://spin:wr0ng@127.0.0.1:{servers.mysql}/spin_dev",
    }
    with client_of(mode, folder, wrong, ["*://127.0.0.1:*"]) as client:
        for kind in ("redis", "postgres", "mysql"):
            response = client.post("/error", json={"kind": kind, "statement": "PING x"})
            found = response.json()
            assert found["type"] in ("DatabaseOpenError", "QueryError"), found
            assert "wr0ng" not in found["text"]
            assert "wr0ng" not in response.stderr


def test_a_client_of_the_app_reads_no_details(mode: str, folder: Path, servers: Servers) -> None:
    """An error that a handler lets pass is 503, and what it says is in the log."""
    with client_of(mode, folder, servers.addresses, []) as client:
        response = client.post("/postgres")
        assert (response.status, response.json()["error"]["message"]) == (
            503,
            "database unavailable",
        )
        assert "postgres['postgres_url']" in response.stderr
        _assert_no_secret(response.stderr, servers)


def _assert_no_secret(text: str, servers: Servers) -> None:
    for address in servers.addresses.values():
        assert address not in text
        assert f"{address.partition('@')[0]}@" not in text
    assert PASSWORD not in text
