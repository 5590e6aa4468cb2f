"""Telemetry of ``edgezero up``, switched on by the environment."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import edgezero, get, refusal, running
from tests.host.support import SCRIPT
from tests.host.telemetry.collector import collecting


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A component."""
    path = tmp_path / "a.wat"
    path.write_text(SCRIPT.read_text())
    return path


def test_what_up_sends(app: Path) -> None:
    """Traces, metrics and logs, with what waits at the end of the command."""
    # TEL-1, TEL-9
    with collecting() as collector:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": "shop"}
        with running("-f", app, "--format", "json", env=env) as (told, process):
            assert get(told["base_url"] + "/w") == (200, b"hello")
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        assert collector.span("GET /...").attributes["network.peer.address"] == "127.0.0.1"
        assert collector.logs and "spin.request_count" in collector.points
        assert {resource["service.name"] for resource in collector.resources} == {"shop"}


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_collector_that_is_gone(app: Path, form: str, protocol: str) -> None:
    """Is one line of the host's log for all signals and attempts, and fails no request (TEL-9)."""
    if protocol == "grpc":
        pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_BSP_SCHEDULE_DELAY": "10",
        "OTEL_BLRP_SCHEDULE_DELAY": "10",
        "OTEL_METRIC_EXPORT_INTERVAL": "10",
    }
    with running("-f", app, "--log-format", form, "--format", "json", env=env) as (told, process):
        assert process.stderr is not None
        for _ in range(3):
            assert get(told["base_url"] + "/w") == (200, b"hello")
        lines = [next(line for line in process.stderr if "telemetry to" in line)]
        process.send_signal(signal.SIGINT)
        lines += process.communicate(timeout=30)[1].splitlines()
    [line] = [line for line in lines if "telemetry" in line or "xport" in line]
    message = json.loads(line)["message"] if form == "json" else line.removeprefix("[edgezero] ")
    assert message.startswith(f"telemetry to 127.0.0.1:{port}: ")
    assert "onnection refused" in message and "5 minutes" in message


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_a_collector_refuses(app: Path, form: str) -> None:
    """Is a line of the host's log that names the collector, and says no password."""
    with collecting() as collector:
        collector.status = 400
        address = collector.url.replace("://", "://me:s3cret@")
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": address}
        with running("-f", app, "--log-format", form, "--format", "json", env=env) as (
            told,
            process,
        ):
            assert get(told["base_url"] + "/h") == (200, b"hello")
            process.send_signal(signal.SIGINT)
            errors = process.communicate(timeout=30)[1]
    [line] = [line for line in errors.splitlines() if "Failed to export" in line]
    message = json.loads(line)["message"] if form == "json" else line.removeprefix("[edgezero] ")
    where = collector.url.removeprefix("http://")
    assert message.startswith(f"telemetry to {where}: Failed to export")
    assert "400" in message and "s3cret" not in errors


def test_what_cannot_be_sent(app: Path) -> None:
    """Is one error, before anything starts."""
    # TEL-3, V-77
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
    }
    done = edgezero("up", "-f", app, "--disable-cache", env=env)
    assert "http/json OTLP protocol is not supported" in refusal(done)


def test_without_the_extra(app: Path) -> None:
    """The error names what to install, and how to do without."""
    program = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from edgezero_spin.cli import main\n"
        f"sys.argv = ['edgezero', 'up', '-f', {str(app)!r}]\n"
        "sys.exit(main())"
    )
    env = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False
    )
    assert "pip install 'edgezero-spin[otel]'" in refusal(done)
    assert "OTEL_SDK_DISABLED" in done.stderr


@pytest.mark.parametrize("env", [{}, {"OTEL_SDK_DISABLED": "1"}], ids=["unset", "disabled"])
def test_off_loads_nothing(app: Path, env: dict[str, str]) -> None:
    """Nothing of OpenTelemetry."""
    program = (
        "import sys\n"
        "from edgezero_spin.cli import main\n"
        f"sys.argv = ['edgezero', 'up', '-f', {str(app)!r}, '--listen', 'nowhere:x']\n"
        "status = main()\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
        "print('checked')\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
    if env:
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "checked" in done.stdout, done.stderr
