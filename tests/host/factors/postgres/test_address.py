"""PostgreSQL connection strings."""

import pytest

from edgezero_spin.host.factors.postgres.address import (
    UnixSocketError,
    parse_postgres_address,
)


@pytest.mark.parametrize(
    ("text", "granted"),
    [
        ("postgres://u:p%40@db:7/x?sslmode=require", ["db:7"]),
        ("postgresql://a,b:2,[::1]:3,[::2]/x", ["a:5432", "b:2", "[::1]:3", "[::2]:5432"]),
        ("postgres:///x?host=a,b&port=1,2", ["a:1", "b:2"]),
        ("postgres://db?password=a", ["db:5432"]),
        ("host=localhost port=5432 user=postgres password=pw dbname=spin", ["localhost:5432"]),
        ("host=localhost", ["localhost"]),
        ("host=::1", ["[::1]"]),
        ("host=a,b port=7", ["a:7", "b:7"]),
        ("host=a,b port=7,8", ["a:7", "b:8"]),
        ("password='it\\'s host=evil' host = db", ["db"]),
        ("password=it\\ s host=db", ["db"]),
        ("hostaddr=127.0.0.1", ["127.0.0.1"]),
        ("host=db hostaddr=10.9.9.9 port=7", ["db:7", "10.9.9.9:7"]),
        # Whatever comes before the first @ is the user, a host it looks like included.
        ("postgres://good/x?@evil/y", ["evil:5432"]),
    ],
)
def test_the_servers_that_it_names(text: str, granted: list[str]) -> None:
    """Every host and address is named, with its port, in order."""  # PG-10 to PG-18
    servers = parse_postgres_address(text).servers
    assert [name for server in servers for name in server.granted] == granted


def test_settings() -> None:
    """A URL and pairs say the same; what they leave out has the driver's defaults."""  # PG-12
    url = parse_postgres_address(
        "postgres://us%2Fer:p%40ss@db/base?application_name=a%20b&connect_timeout=3"
    )
    pairs = parse_postgres_address(
        "user=us/er password=p@ss host=db port=5432 dbname=base application_name='a b' "
        "connect_timeout=3"
    )
    assert url == pairs
    assert url.connect_timeout_s == 3
    assert url.sslmode == "prefer"
    assert url.settings["password"] == "p@ss"
    assert "p@ss" not in repr(url)
    assert parse_postgres_address("host=db user=me").settings["dbname"] == "me"
    assert parse_postgres_address("host=db").connect_timeout_s is None
    assert parse_postgres_address("host=a,b load_balance_hosts=random").shuffled


@pytest.mark.parametrize(
    "text", ["postgres://%2Fvar%2Frun/x", "host=/var/run", "host=a,/b", "host=@abstract"]
)
def test_sockets_of_the_machine(text: str) -> None:
    """They are refused whatever is allowed."""  # PG-14, NET-24
    with pytest.raises(UnixSocketError, match="Unix sockets are not supported on WebAssembly"):
        parse_postgres_address(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hello", "expected key=value at character 1"),
        ("localhost:10000", "expected key=value at character 1"),
        ("host=a b", "expected key=value at character 8"),
        ("password='x", "expected key=value at character 1"),
        ("= x", "expected key=value at character 1"),
        ("host=localhost sslmode=verify-full", "invalid value for option `sslmode`"),
        ("host=localhost sslrootcert=/etc/x", "unknown option `sslrootcert`"),
        ("host=localhost service=x", "unknown option `service`"),
        ("host=localhost passfile=/etc/shadow", "unknown option `passfile`"),
        ("postgres://db/?port=99999", "invalid value for option `port`"),
        ("host=db port=-1", "invalid value for option `port`"),
        ("host=db connect_timeout=soon", "invalid value for option `connect_timeout`"),
        ("host=a,b,c port=7,8", "invalid number of ports"),
        ("host=a,b hostaddr=1.2.3.4", "there are not as many hosts as addresses"),
        ("postgres://db/%FF", "not UTF-8"),
        ("postgres://[::1/x", "does not end in ]"),
        ("postgres://db/?sslmode", "a parameter of the URL has no value"),
    ],
)
def test_texts_that_cannot_be_read(text: str, reason: str) -> None:
    """They are not connection strings; the message says where."""  # PG-11, PG-50, V-1
    with pytest.raises(ValueError, match="invalid connection string") as raised:
        parse_postgres_address(text)
    assert reason in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "host=db password=top secret",
        "host=db password='top secret",
        "postgres://u:secret@db/x?secret=secret",
        "postgres://u:secret@db:secret/x",
        "password=x secret=1 host=db",
    ],
)
def test_no_password_in_a_message(text: str) -> None:
    """Part of a password may stand anywhere in a text that cannot be read."""
    with pytest.raises(ValueError, match="invalid connection string") as raised:
        parse_postgres_address(text)
    assert "ecret" not in str(raised.value)


@pytest.mark.parametrize("text", ["user=x", "", "postgres://u@/x"])
def test_no_server(text: str) -> None:
    """A string without a host says nothing about where to connect to."""  # PG-15, V-4
    with pytest.raises(ValueError, match="both host and hostaddr are missing"):
        parse_postgres_address(text)
