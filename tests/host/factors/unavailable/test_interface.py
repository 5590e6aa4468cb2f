"""Interfaces without a service behind them: checked, refused, and never a trap."""

from typing import Any

import pytest

from edgezero_spin.host.factors.outbound_http.interface import OutboundHosts
from edgezero_spin.host.factors.unavailable.interface import NOT_PROVIDED
from edgezero_spin.host.factors.unavailable.postgres_address import UnixSocketError, postgres_hosts
from tests.host.support import call, error_of, instance_state

OPEN = "[static]connection.open"
MYSQL = "fermyon:spin/mysql@2.0.0"
MQTT = "fermyon:spin/mqtt@2.0.0"
POSTGRES = ["fermyon:spin/postgres@2.0.0"] + [
    f"spin:postgres/postgres@{version}" for version in ("3.0.0", "4.0.0", "4.1.0", "4.2.0")
]
LOGIN = ("user", "password", 30)

CASES = [
    pytest.param(MYSQL, "mysql://root@db/x", (), "mysql://db:3306", id="mysql"),
    pytest.param(
        MYSQL, "mysql://spin:spin@localhost:3306/spin_dev", (), "mysql://localhost", id="CONF-51"
    ),
    pytest.param(
        MQTT, "mqtt://localhost:1883?client_id=spintest", LOGIN, "mqtt://localhost:1883", id="mqtt"
    ),
    pytest.param("spin:mysql/mysql@3.0.0", "mysql://db/x", (), "mysql://db", id="mysql 3"),
    pytest.param("spin:mqtt/mqtt@3.0.0", "mqtt://db", LOGIN, "mqtt://db", id="mqtt 3"),
    *[
        pytest.param(name, "postgres://u:p@db/x", (), "postgres://db:5432", id=name)
        for name in POSTGRES
    ],
]


@pytest.mark.parametrize(("interface", "address", "rest", "entry"), CASES)
def test_connections(interface: str, address: str, rest: tuple[Any, ...], entry: str) -> None:
    """Not permitted first, not supported then (NET-23 to NET-25, CONF-4, DB-10).

    Of DB-5 and DB-7 this host has `open` and its errors.
    """
    shown = "postgres://db:5432" if "postgres" in interface else address
    assert error_of(instance_state(), f"{interface} {OPEN}", address, *rest) == (
        "connection-failed",
        f"address {shown} is not permitted",
    )
    state = instance_state(outbound=OutboundHosts([entry]))
    assert error_of(state, f"{interface} {OPEN}", address, *rest) == ("other", NOT_PROVIDED)
    assert "not supported by this host" in NOT_PROVIDED


@pytest.mark.parametrize("interface", POSTGRES)
@pytest.mark.parametrize(
    "address", ["postgres://localhost:5432/spin_dev", "host=localhost port=5432 user=postgres"]
)
def test_the_server_of_the_conformance_test(interface: str, address: str) -> None:
    """The message names the server alone; an entry for any scheme allows it."""
    opened = f"{interface} {OPEN}"
    assert error_of(instance_state(), opened, address) == (  # CONF-51
        "connection-failed",
        "address postgres://localhost:5432 is not permitted",
    )
    state = instance_state(outbound=OutboundHosts(["*://localhost:5432"]))
    assert error_of(state, opened, address) == ("other", NOT_PROVIDED)  # NV-19


@pytest.mark.parametrize(
    ("interface", "address"),
    [("fermyon:spin/mysql", "mysql://db"), ("fermyon:spin/postgres", "host=db")],
)
@pytest.mark.parametrize("function", ["query", "execute"])
def test_the_unversioned_interfaces(interface: str, address: str, function: str) -> None:
    """They have no connections, and another name for the case."""
    arguments: tuple[Any, ...] = (address, "SELECT 1", [])
    case, _ = error_of(instance_state(), f"{interface} {function}", *arguments)
    assert case == "connection-failed"
    state = instance_state(outbound=OutboundHosts(["*://*:*"]))
    assert error_of(state, f"{interface} {function}", *arguments) == ("other-error", NOT_PROVIDED)


def test_a_builder_fails_when_it_builds() -> None:
    """Its constructor has no error to give (DB-6)."""
    interface = "spin:postgres/postgres@4.1.0"
    state = instance_state(outbound=OutboundHosts(["postgres://db:*"]))
    for address, expected in (
        ("host=db", ("other", NOT_PROVIDED)),
        ("host=evil", ("connection-failed", "address postgres://evil is not permitted")),
    ):
        builder = call(state, f"{interface} [constructor]connection-builder", address)
        call(state, f"{interface} [method]connection-builder.set-ca-root", builder, "pem")
        build = f"{interface} [method]connection-builder.build"
        assert error_of(state, build, builder) == expected


@pytest.mark.parametrize("interface", ["fermyon:spin/llm@2.0.0", "fermyon:spin/llm"])
@pytest.mark.parametrize(
    ("function", "arguments"), [("infer", ("prompt", None)), ("generate-embeddings", (["text"],))]
)
def test_models(interface: str, function: str, arguments: tuple[Any, ...]) -> None:
    """A model that the manifest does not list is refused in Spin's words (DB-9, DB-10).

    Of DB-8 this host has the functions and these errors.
    """
    state = instance_state(ai_models=("llama2",))
    asked = f"{interface} {function}"
    assert error_of(state, asked, "llama2", *arguments) == ("runtime-error", NOT_PROVIDED)
    case, message = error_of(state, asked, "other", *arguments)
    assert case == "invalid-input"
    assert message.startswith("The component does not have access to use 'other'. ")


@pytest.mark.parametrize(
    ("address", "hosts"),
    [
        ("postgres://u:p%40@db:7/x?sslmode=require", ["db:7"]),
        ("postgresql://a,b:2,[::1]:3,[::2]/x", ["a:5432", "b:2", "[::1]:3", "[::2]:5432"]),
        ("postgres:///x?host=a,b&port=1,2", ["a:1", "b:2"]),
        ("postgres://u@/x", []),
        (
            "host=localhost port=5432 user=postgres password=postgres dbname=spin",
            ["localhost:5432"],
        ),
        ("host=a,b port=7", ["a:7", "b:7"]),
        ("host=a,b port=7,8", ["a:7", "b:8"]),
        ("host=a,b,c port=7,8", ["a:7", "b:8", "c"]),
        ("password='it\\'s host=evil' host = db", ["db"]),
        ("hostaddr=127.0.0.1", ["127.0.0.1"]),
        ("user=x", []),
        ("", []),
    ],
)
def test_hosts_of_a_postgres_address(address: str, hosts: list[str]) -> None:
    """Every server that is named, with its port (NET-24)."""
    assert postgres_hosts(address) == hosts


@pytest.mark.parametrize("address", ["postgres://%2Fvar%2Frun/x", "host=/var/run", "host=a,/b"])
def test_sockets_of_the_machine(address: str) -> None:
    """They are refused whatever is allowed (NET-24)."""
    with pytest.raises(UnixSocketError):
        postgres_hosts(address)
    state = instance_state(outbound=OutboundHosts(["*://*:*"]))
    assert error_of(state, f"{POSTGRES[0]} {OPEN}", address) == (
        "connection-failed",
        "Unix sockets are not supported on WebAssembly",
    )


@pytest.mark.parametrize("address", ["host", "host=a b", "password='x", "= x"])
def test_addresses_that_cannot_be_read(address: str) -> None:
    """They name no host, so nothing is allowed."""
    state = instance_state(outbound=OutboundHosts(["*://*:*"]))
    case, message = error_of(state, f"{POSTGRES[0]} {OPEN}", address)
    assert (case, "invalid connection string" in message) == ("connection-failed", True)
