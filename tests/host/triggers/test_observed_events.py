"""Observers of events: what telemetry, Prometheus and the explorer are told of triggers."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgezero_spin.explorer.recorder import Recorder
from edgezero_spin.host import ObservedEvent, Observer, RequestObserver
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.host.telemetry.exporting import start_telemetry
from edgezero_spin.host.telemetry.prometheus import PrometheusObserver
from edgezero_spin.host.telemetry.settings import telemetry_settings
from tests.host.telemetry.collector import Collector, collecting
from tests.host.triggers.applications import hosted, write_app
from tests.host.triggers.guest import REDIS
from tests.host.triggers.test_events import KINDS, TRIGGERS, event


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector that the environment names."""
    with collecting() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        yield running


def deliver(folder: Path, engine: Engine, kind: str, export: str, *observers: Observer) -> None:
    """Have a component take one event that it takes, and one at which it traps."""
    path = write_app(folder, TRIGGERS[kind], export)
    with hosted(path, engine, observers=observers) as (host, _):
        for letter in "ot":
            asyncio.run(host.trigger(event(kind, letter)))


class Events(Observer):
    """Keeps what it is told of events."""

    def __init__(self) -> None:
        self.began: list[ObservedEvent] = []
        self.problems: list[str | None] = []

    def event_began(self, event: ObservedEvent) -> RequestObserver:
        self.began.append(event)
        return Ended(self.problems)


class Ended(RequestObserver):
    """Keeps how an event ended."""

    def __init__(self, problems: list[str | None]) -> None:
        self.problems = problems

    def event_ended(self, seconds: float, problem: str | None) -> None:
        assert seconds >= 0
        self.problems.append(problem)


@pytest.mark.parametrize(("kind", "export"), KINDS)
def test_events_begin_and_end(
    tmp_path: Path, shared_engine: Engine, kind: str, export: str
) -> None:
    """With their kind and their subject, and why one was not taken."""
    events = Events()
    deliver(tmp_path, shared_engine, kind, export, events)
    subject = {"redis": "orders", "cron": "0 0 3 * * *", "mqtt": "rooms/7/door"}[kind]
    assert set(events.began) == {ObservedEvent(kind, subject, "events", "worker")}
    taken, failed = events.problems
    assert taken is None and failed


@pytest.mark.parametrize(("kind", "export"), [each for each in KINDS if "redis" in str(each.id)])
def test_a_message_of_redis_is_a_span(
    tmp_path: Path, shared_engine: Engine, collector: Collector, kind: str, export: str
) -> None:
    """By its channel, with the component below it; it is counted by its kind."""
    # TEL-31, TEL-40
    settings = telemetry_settings({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    assert settings is not None
    telemetry = start_telemetry(settings)
    deliver(tmp_path, shared_engine, kind, export, telemetry.observer)
    telemetry.close()
    spans = [span for span in collector.spans if span.name == "orders receive"]
    assert [span.kind for span in spans] == ["consumer"] * 2
    assert spans[0].attributes == {
        "messaging.operation": "receive",
        "messaging.system": "redis",
    }
    assert sorted(span.failed for span in spans) == [False, True]
    below = {s.parent for s in collector.spans if s.name == "execute_wasm_component worker"}
    assert below == {span.span_id for span in spans}
    [(attributes, point)] = collector.points["spin.request_count"]
    assert attributes == {"trigger_type": "redis", "app_id": "events", "component_id": "worker"}
    assert point.as_int == 2


def test_prometheus_and_the_explorer(tmp_path: Path, shared_engine: Engine) -> None:
    """Count events by their kind, and show them among the requests."""
    metrics, recorder = PrometheusObserver(), Recorder()
    deliver(tmp_path, shared_engine, "redis", REDIS, metrics, recorder)
    labels = 'app_id="events",component_id="worker",trigger_type="redis"'
    assert f"spin_request_count_total{{{labels}}} 2.0" in metrics.text().decode()
    taken, failed = recorder.latest()
    assert (taken["method"], taken["path"], taken["status"]) == ("REDIS", "orders", 200)
    assert failed["status"] == 500 and failed["problem"]
