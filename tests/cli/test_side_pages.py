"""``edgezero up`` with an operation page and an explorer."""

import json
import re
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import edgezero, get, refusal, running
from tests.host.support import SCRIPT


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A component."""
    path = tmp_path / "a.wat"
    path.write_text(SCRIPT.read_text())
    return path


def until(process: "subprocess.Popen[str]", pattern: str) -> str:
    """Return what a line of standard error says."""
    assert process.stderr is not None
    for line in process.stderr:
        found = re.search(pattern, line)
        if found is not None:
            return found[1]
    raise AssertionError(pattern)


def test_the_operation_page(app: Path) -> None:
    """Is ready when the application is, and counts its requests."""
    with running("-f", app, "--format", "json", "--quiet", "--operation-listen", "127.0.0.1:0") as (
        told,
        process,
    ):
        page = until(process, r"operation page at (http://\S+)")
        assert get(f"{page}/readyz") == get(f"{page}/healthz") == (200, b"ok\n")
        assert get(told["base_url"] + "/h")[0] == 200
        status, text = get(f"{page}/metrics")
        assert status == 200 and b"spin_request_count_total{" in text
        assert b"edgezero_instances_running" in text
        # No path of the application is taken.
        assert get(told["base_url"] + "/healthz")[1] == b"hello"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_the_explorer(app: Path) -> None:
    """Listens on loopback behind a token, and counts instructions."""
    with running("-f", app, "--format", "json", "--quiet", "--explorer") as (told, process):
        page = until(process, r"explorer at (http://127\.0\.0\.1:\d+/\S{32}/)$")
        assert get(told["base_url"] + "/w?x")[0] == 200
        request: dict[str, Any] = {"instructions": None}
        while request["instructions"] is None:
            # It is counted when the instance is done, which may be after the answer is here.
            [request] = json.loads(get(f"{page}api/requests")[1])["requests"]
        assert request["path"] == "/w" and request["status"] == 200
        assert request["instructions"] > 0
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(page.rsplit("/", 2)[0] + "/", timeout=30)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_an_address_that_is_taken(app: Path) -> None:
    """Is one error, before anything starts."""
    with running("-f", app, "--format", "json", "--quiet", "--operation-listen", "127.0.0.1:0") as (
        _,
        process,
    ):
        page = until(process, r"operation page at http://(\S+)")
        for flags in (["--operation-listen", page], ["--explorer-port", page.rpartition(":")[2]]):
            done = edgezero("up", "-f", app, "--disable-cache", *flags)
            message = refusal(done)
            assert "in use" in message and f"Give {flags[0]} another port" in message
            assert "--find-free-port" not in message


def test_off_by_default(app: Path) -> None:
    """One socket listens, that of the application."""
    with running("-f", app, "--format", "json", "--quiet") as (_, process):
        sockets = Path(f"/proc/{process.pid}/fd")
        if not sockets.is_dir():
            pytest.skip("no /proc here")
        inodes = {str(link.readlink()) for link in sockets.iterdir() if link.exists()}
        tables = [Path(f"/proc/{process.pid}/net/{name}").read_text() for name in ("tcp", "tcp6")]
        listening = [
            line.split()[9]
            for table in tables
            for line in table.splitlines()[1:]
            if line.split()[3] == "0A"
        ]
        assert sum(f"socket:[{inode}]" in inodes for inode in listening) == 1


def test_all_lines_of_a_request_name_its_trace(app: Path) -> None:
    """Those of the component, of the host and of the access log, each an object of JSON."""
    flags = ["--access-log-format", "json", "--log-format", "json", "--format", "json"]
    flags += ["--operation-listen", "127.0.0.1:0", "--explorer", "--experimental-wasi-otel"]
    nobody = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    with running("-f", app, *flags, env=nobody) as (told, process):
        urllib.request.urlopen(told["base_url"] + "/w", timeout=30).read()
        with pytest.raises(urllib.error.HTTPError, match="500"):
            urllib.request.urlopen(told["base_url"] + "/t", timeout=30)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        lines = [json.loads(line) for line in process.stderr]
    notes = [line["message"] for line in lines if line.get("level") == "info"]
    assert {"operation page", "explorer"} <= {text.split(" at ")[0] for text in notes}
    printed = [line for line in lines if "stream" in line]
    assert {line["stream"] for line in printed} == {"stdout", "stderr"}
    access = {line["path"]: line["trace_id"] for line in lines if "status" in line}
    assert {line["trace_id"] for line in printed} == {access["/w"]}
    [error] = [line for line in lines if line.get("level") == "error" and "trace_id" in line]
    assert error["trace_id"] == access["/t"] != access["/w"]


def test_logs_as_json(app: Path) -> None:
    """Each line of the access log, of the host's own log and of its libraries is one object."""
    flags = ["--access-log-format", "json", "--log-format", "json"]
    nobody = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces"}
    with running("-f", app, "--format", "json", "--quiet", *flags, env=nobody) as (told, process):
        with pytest.raises(urllib.error.HTTPError, match="500"):
            urllib.request.urlopen(told["base_url"] + "/t", timeout=30)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr is not None
        lines = [json.loads(line) for line in process.stderr]
    [error] = [line for line in lines if line.get("level") == "error"]
    assert error["time"].endswith("Z") and "unreachable" in error["message"]
    assert any("127.0.0.1" in line.get("message", "") for line in lines if line != error)
    [access] = [line for line in lines if "status" in line]
    assert (access["path"], access["status"]) == ("/t", 500)
