"""Interfaces without a service behind them: checked, refused, and never a trap."""

from typing import Any

import pytest

from edgezero_spin.host.factors.outbound_http.interface import OutboundHosts
from edgezero_spin.host.factors.unavailable.interface import NOT_PROVIDED
from tests.host.support import error_of, instance_state

OPEN = "[static]connection.open"
MYSQL = "fermyon:spin/mysql@2.0.0"
MQTT = "fermyon:spin/mqtt@2.0.0"
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
]


@pytest.mark.parametrize(("interface", "address", "rest", "entry"), CASES)
def test_connections(interface: str, address: str, rest: tuple[Any, ...], entry: str) -> None:
    """Not permitted first, not supported then (NET-23 to NET-25, CONF-4, DB-10).

    Of DB-5 and DB-7 this host has `open` and its errors.
    """
    assert error_of(instance_state(), f"{interface} {OPEN}", address, *rest) == (
        "connection-failed",
        f"address {address} is not permitted",
    )
    state = instance_state(outbound=OutboundHosts([entry]))
    assert error_of(state, f"{interface} {OPEN}", address, *rest) == ("other", NOT_PROVIDED)
    assert "not supported by this host" in NOT_PROVIDED


@pytest.mark.parametrize(
    ("interface", "address"),
    [("fermyon:spin/mysql", "mysql://db")],
)
@pytest.mark.parametrize("function", ["query", "execute"])
def test_the_unversioned_interfaces(interface: str, address: str, function: str) -> None:
    """They have no connections, and another name for the case."""
    arguments: tuple[Any, ...] = (address, "SELECT 1", [])
    case, _ = error_of(instance_state(), f"{interface} {function}", *arguments)
    assert case == "connection-failed"
    state = instance_state(outbound=OutboundHosts(["*://*:*"]))
    assert error_of(state, f"{interface} {function}", *arguments) == ("other-error", NOT_PROVIDED)


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
