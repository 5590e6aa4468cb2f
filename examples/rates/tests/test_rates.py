"""The Rates service: what it asks, what it remembers, and what it does when nobody answers."""

from datetime import UTC, datetime
from typing import Any

import pytest

from edgezero_spin.testing import Client

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
SERVICE = "https://rates.example.com/latest/EUR"
RATES = {"USD": 1.25, "JPY": 160.0}


def kept(seconds_ago: float) -> dict[str, object]:
    """What the cache holds some time after the service was asked."""
    return {"rates/EUR": {"fetched_at": NOON.timestamp() - seconds_ago, "rates": RATES}}


@pytest.mark.spin(now=NOON)
def test_the_service_is_asked_once(spin_app: Client) -> None:
    """The second request is answered from the store."""
    spin_app.http.on(SERVICE, json={"base": "EUR", "rates": RATES})
    first = spin_app.get("/convert/EUR/USD?amount=10")
    assert first.json() == {"amount": 12.5, "fresh": True}
    second = spin_app.get("/convert/EUR/JPY")
    assert second.json() == {"amount": 160.0, "fresh": True}
    assert [str(sent) for sent in spin_app.http.requests] == [f"GET {SERVICE}"]
    assert second.calls.texts == ["open default", "get default rates/EUR"]
    assert spin_app.kv["default"].json("rates/EUR") == kept(0)["rates/EUR"]


@pytest.mark.parametrize("seconds_ago", [0, 599])
@pytest.mark.spin(now=NOON)
def test_what_is_young_enough_is_used(spin_app: Client, seconds_ago: float) -> None:
    """Nothing is sent and nothing is written."""
    spin_app.kv["default"].put("rates/EUR", kept(seconds_ago)["rates/EUR"])
    answer = spin_app.get("/convert/EUR/USD")
    assert answer.json() == {"amount": 1.25, "fresh": True}
    assert not answer.calls.writes
    assert not spin_app.http.requests


@pytest.mark.spin(now=NOON, kv={"default": kept(600)})
def test_what_is_too_old_is_asked_for_again(spin_app: Client) -> None:
    """And replaced."""
    spin_app.http.on(SERVICE, json={"rates": {"USD": 1.5}})
    assert spin_app.get("/convert/EUR/USD").json() == {"amount": 1.5, "fresh": True}
    assert spin_app.kv["default"].json("rates/EUR")["fetched_at"] == NOON.timestamp()


@pytest.mark.spin(now=NOON, kv={"default": kept(60)}, env={"RATES_LIFETIME_S": "30"})
def test_how_long_it_is_young_is_configured(spin_app: Client) -> None:
    """Operators decide, in the environment of the component."""
    spin_app.http.on(SERVICE, json={"rates": RATES})
    spin_app.get("/convert/EUR/USD")
    assert len(spin_app.http.requests) == 1


@pytest.mark.parametrize(
    "trouble",
    [{"error": "connection-timeout"}, {"status": 500}, {"text": "<html>"}, {"json": {"rate": 1}}],
)
@pytest.mark.spin(now=NOON, kv={"default": kept(3600)})
def test_old_rates_are_better_than_none(spin_app: Client, trouble: dict[str, Any]) -> None:
    """While the service is down, or talks nonsense; what is kept stays."""
    spin_app.http.on(SERVICE, **trouble)
    answer = spin_app.get("/convert/EUR/USD")
    assert answer.json() == {"amount": 1.25, "fresh": False}
    assert not answer.calls.writes


def test_nothing_kept_and_nobody_there(spin_app: Client) -> None:
    """A client is told that it is not its fault."""
    spin_app.http.on("https://rates.example.com/*", error="connection-refused")
    answer = spin_app.get("/convert/EUR/USD")
    assert answer.status == 502
    assert answer.json()["error"]["message"] == "no rates for EUR at the moment"


@pytest.mark.spin(now=NOON, kv={"default": kept(0)})
def test_what_clients_get_wrong(spin_app: Client) -> None:
    """A currency that there is not, an amount that is none."""
    assert spin_app.get("/convert/EUR/XXX").status == 404
    assert spin_app.get("/convert/EUR/USD?amount=0").status in (400, 422)
    assert spin_app.get("/convert/EUR/USD?amount=ten").status == 400


@pytest.mark.spin(now=NOON, kv={"default": kept(3600)})
def test_a_full_disk(spin_app: Client) -> None:
    """What cannot be kept is an error that an operator sees."""
    spin_app.http.on(SERVICE, json={"rates": RATES})
    spin_app.stores.fail("set", message="disk full")
    answer = spin_app.get("/convert/EUR/USD")
    assert answer.status == 500
    assert "disk full" in answer.stderr
