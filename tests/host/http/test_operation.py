"""The operation page: health, readiness and metrics beside an application."""

import asyncio
import http.client
import re
from collections.abc import Iterator

import pytest

from edgezero_spin.host.http.gateway import RequestHead
from edgezero_spin.host.http.listening import bind
from edgezero_spin.host.http.observed import observed_request
from edgezero_spin.host.http.operation import OperationPage
from edgezero_spin.host.http.side_server import side_server
from edgezero_spin.host.observers import ConnectionUse, combine
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.host.telemetry.prometheus import PrometheusObserver
from tests.host.support import until
from tests.host.test_observers import ask, observed


def get(port: int, path: str, method: str = "GET") -> tuple[int, str, str]:
    """Status, text and media type of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode(), answer.headers["content-type"]
    connection.close()
    return found


@pytest.fixture
def page() -> Iterator[tuple[OperationPage, int]]:
    """A page and its port."""
    made = OperationPage(lambda: b"a 1\n")
    with side_server(made, bind("127.0.0.1:0")) as where:
        yield made, where.port


def test_health_and_readiness(page: tuple[OperationPage, int]) -> None:
    """Healthy from the start, ready while the application takes requests."""
    made, port = page
    assert get(port, "/healthz")[:2] == (200, "ok\n")
    assert get(port, "/readyz")[0] == 503
    made.ready = True
    assert get(port, "/readyz")[:2] == (200, "ok\n")
    made.ready = False
    assert get(port, "/readyz")[0] == 503


def test_metrics_and_what_there_is_not(page: tuple[OperationPage, int]) -> None:
    """The media type is that of the exposition format; other paths and methods are refused."""
    _, port = page
    assert get(port, "/metrics") == (200, "a 1\n", "text/plain; version=0.0.4; charset=utf-8")
    assert get(port, "/metrics", "HEAD")[:2] == (200, "")
    assert get(port, "/")[0] == 404
    assert get(port, "/healthz", "POST")[0] == 405


def test_without_the_extra() -> None:
    """The answer says what to install."""
    made = OperationPage("metrics need the extra `prometheus`")
    with side_server(made, bind("127.0.0.1:0")) as where:
        status, text, _ = get(where.port, "/metrics")
    assert status == 501 and "prometheus" in text


def value(text: str, name: str) -> float:
    """The value of a line."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found is not None, text
    return float(found[1])


def test_metrics_follow_no_calls() -> None:
    """A request is counted from the outside, so its component runs as if nobody observed it."""
    observer = combine([PrometheusObserver()])
    assert observer is not None
    head = RequestHead("GET", "/a", None, ())
    following = observer.request_began(observed_request(head, "shop", "shop", "/..."))
    assert following is not None
    assert (following.sees_component, following.sees_end) == (False, True)


def test_connections_that_prometheus_reads() -> None:
    """By kind, with the limit that refused one."""
    # TEL-43
    metrics = PrometheusObserver()
    metrics.connection_used(ConnectionUse("pg", "acquired", 0.2, None, 0.5, 0.1))
    metrics.connection_used(ConnectionUse("pg", "rejected", None, "factor", 1.0, 0.1))
    text = metrics.text().decode()
    prefix = "outbound_connection_permit"
    assert value(text, f'{prefix}s_acquired_total{{kind="pg",waited="true"}}') == 1
    assert value(text, f'{prefix}s_rejected_total{{kind="pg",limit="factor"}}') == 1
    assert value(text, f'{prefix}_wait_duration_seconds_sum{{kind="pg"}}') == 0.2
    assert value(text, 'outbound_connection_factor_utilization_sum{kind="pg"}') == 0.5
    assert value(text, "outbound_connection_global_utilization_sum") == 0.1


def test_what_prometheus_reads(shared_engine: Engine) -> None:
    """Requests, their time, what instances took, and figures of the host."""
    # TEL-40, TEL-41
    metrics = PrometheusObserver()
    with observed(shared_engine, metrics) as host:
        metrics.show(lambda: host)
        assert ask(host, "/h")[0] == 200
        assert ask(host, "/h")[0] == 200
        assert ask(host, "/t")[0] == 500
        ask(host, "/.well-known/spin/nothing")
        seconds = "http_server_request_duration_seconds_count"
        ok = f'{seconds}{{component_id="script",http_response_status_code="200"}}'
        # A request ends when its response is out, which its client may see before.
        asyncio.run(until(lambda: f"{ok} 2.0" in metrics.text().decode()))
        asyncio.run(until(lambda: "edgezero_instances_running 0.0" in metrics.text().decode()))
        text = metrics.text().decode()
        labels = 'app_id="script",component_id="script",trigger_type="http"'
        assert value(text, f"spin_request_count_total{{{labels}}}") == 3
    text = metrics.text().decode()
    for name in (
        "spin_component_cpu_time_seconds",
        "spin_component_memory_used_bytes",
        "spin_component_memory_used_on_init_bytes",
    ):
        assert value(text, f'{name}_count{{component_id="script"}}') == 3
        assert value(text, f'{name}_sum{{component_id="script"}}') > 0
