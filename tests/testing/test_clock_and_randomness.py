"""Clock, time zone and randomness: natively as they are in a component, fixed or not."""

import importlib
import os
import random
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin import App
from edgezero_spin.testing import ComponentClient, KitError, TestClient

NOON = datetime(2030, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The developer's machine is in Tokyo."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


EXPECTED = {
    "time": NOON.timestamp(),
    "time_ns": 1893499200_123456_000,
    "imported": NOON.timestamp(),
    "now": "2030-01-01 12:00:00.123456",
    "now in UTC": "2030-01-01 12:00:00.123456+00:00",
    "utcnow": "2030-01-01 12:00:00.123456",
    "today": ["2030-01-01 12:00:00.123456", "2030-01-01"],
    "localtime": [2030, 1, 1, 12, 0, 0, 1, 1, 0],
    "gmtime": [2030, 1, 1, 12, 0, 0, 1, 1, 0],
    "text": ["Tue Jan  1 12:00:00 2030", "2030-01-01 12:00:00", "Tue Jan  1 12:00:00 2030"],
    "then": ["1970-01-01 00:00:00", [1970, 1, 1, 0, 0, 0, 3, 1, 0]],
    "aware": "2030-01-01 12:00:00.123456+00:00",
}


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(NOON, id="UTC"),
        pytest.param(NOON.replace(tzinfo=None), id="no zone is UTC"),
        pytest.param(NOON.astimezone(timezone(timedelta(hours=-8))), id="another zone"),
    ],
)
def test_every_clock_says_what_the_test_says(app: App, elsewhere: None, now: datetime) -> None:
    """Whatever is asked, under whatever name, says the same moment, and in UTC."""  # TEST-31
    with TestClient(app, now=now) as client:
        seen = client.get("/clock").json()
    assert {name: seen[name] for name in EXPECTED} == EXPECTED


def test_the_process_is_as_before(app: App, elsewhere: None) -> None:
    """Clock, zone and environment come back after every request."""
    with TestClient(app, now=NOON, env={"TZ": "Europe/Berlin"}) as client:
        for _ in range(2):
            assert client.get("/clock").json()["TZ"] == "Europe/Berlin"
            assert abs(time.time() - NOON.timestamp()) > 60
            assert (os.environ["TZ"], time.tzname[0]) == ("Asia/Tokyo", "JST")
            assert datetime.now() - datetime.now(UTC).replace(tzinfo=None) > timedelta(hours=8)


def test_there_is_no_zone_but_utc(app: App, elsewhere: None) -> None:
    """Also with the time that it is: a component knows no zone of the machine's."""
    with TestClient(app) as client:
        seen = client.get("/clock").json()
    assert seen["zone"] == [0, 0, ["UTC", "UTC"]]
    assert seen["then"] == EXPECTED["then"]
    assert abs(datetime.fromisoformat(seen["now"] + "+00:00") - datetime.now(UTC)).seconds < 60
    assert seen["TZ"] == "Asia/Tokyo"


def test_timers_go_on(app: App) -> None:
    """What waits and what measures is not stopped with the clock."""
    with TestClient(app, now=NOON) as client:
        assert client.get("/timers").json() == [True, True, True]


def test_a_clock_needs_its_library(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is half fixed would be worse than this message."""
    monkeypatch.setitem(sys.modules, "time_machine", None)
    with pytest.raises(KitError, match=r"time-machine, .*pip install 'edgezero-spin\[testing\]'"):
        TestClient(app, now=NOON)
    TestClient(app, seed=7).close()


def test_a_seed_decides_everything_random(app: App) -> None:
    """Two runs see the same, two requests do not; afterwards all is as before."""
    before, real, plain = random.getstate(), os.urandom, random.Random.seed
    seen = []
    for _ in range(2):
        with TestClient(app, seed=7) as client:
            seen.append([client.get("/random").json() for _ in range(2)])
    assert seen[0] == seen[1]
    first, second = seen[0]
    assert [name for name in first if first[name] == second[name]] == ["seeded"]
    assert random.getstate() == before
    assert os.urandom is real
    assert random.Random.seed is plain
    assert random.Random(7).random() == first["seeded"]
    with TestClient(app, seed=8) as client:
        assert client.get("/random").json()["uuid4"] != first["uuid4"]


def test_without_a_seed_nothing_is_fixed(app: App) -> None:
    """Chance stays what it is."""
    with TestClient(app) as client:
        first, second = client.get("/random").json(), client.get("/random").json()
    assert [name for name in first if first[name] == second[name]] == ["seeded"]


@pytest.mark.component
def test_a_component_sees_the_same_clock(app: App, wasm: Path, elsewhere: None) -> None:
    """Every way of asking is answered alike in both modes, variables and zone included."""
    seen: list[dict[str, Any]] = []
    parts: dict[str, Any] = {"now": NOON, "env": {"TZ": "Europe/Berlin"}}
    for client in (TestClient(app, **parts), ComponentClient(wasm, **parts)):
        with client:
            seen.append(client.get("/clock").json())
            assert client.get("/timers").json() == [True, True, True]
    assert seen[0] == seen[1]
    assert {name: seen[0][name] for name in EXPECTED} == EXPECTED


@pytest.mark.component
def test_a_component_has_the_same_chance(wasm: Path) -> None:
    """With a seed two runs see the same, without they do not; nor do two requests."""
    seen = []
    for seed in (7, 7, None):
        with ComponentClient(wasm, seed=seed) as client:
            seen.append([client.get("/random").json() for _ in range(2)])
            assert abs(client.get("/clock").json()["time"] - time.time()) < 60
    assert seen[0] == seen[1]
    for first, second in seen:
        assert [name for name in first if first[name] == second[name]] == ["seeded"]
    assert seen[0][0]["uuid4"] != seen[2][0]["uuid4"]


@pytest.mark.component
def test_a_test_that_travels_takes_both_modes_along(app: App, wasm: Path) -> None:
    """time-machine around the test instead of ``now``: the component asks the same clock."""
    time_machine = importlib.import_module("time_machine")
    with time_machine.travel(NOON, tick=False):
        for client in (TestClient(app), ComponentClient(wasm)):
            with client:
                assert client.get("/clock").json()["now"] == EXPECTED["now"]
