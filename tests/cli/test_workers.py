"""``edgezero up --workers``: several processes that serve one application."""

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pytest

from tests.cli.running import edgezero, get, running
from tests.host.support import SCRIPT
from tests.host.triggers.applications import write_app
from tests.host.triggers.guest import CRON_2, REDIS

MANIFEST = """\
spin_manifest_version = 2
[application]
name = "demo"
[[trigger.http]]
route = "/..."
component = "hello"
[component.hello]
source = "guest.wat"
key_value_stores = ["default"]
"""

TWO = ["--workers", "2", "--format", "json"]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder with an application of one component."""
    (tmp_path / "guest.wat").write_text(SCRIPT.read_text())
    (tmp_path / "spin.toml").write_text(MANIFEST)
    return tmp_path


def next_line_about_a_worker(process: "subprocess.Popen[str]") -> str:
    """Wait for it."""
    assert process.stderr is not None
    for line in process.stderr:
        if "] worker 2 " in line:
            return line
    pytest.fail("standard error has ended")


def joined(process: "subprocess.Popen[str]") -> int:
    """Wait until a worker answers requests, and return its process."""
    line = next_line_about_a_worker(process)
    found = re.fullmatch(r"\[edgezero\] worker 2 answers requests \(process (\d+)\)\n", line)
    assert found, line
    return int(found[1])


def connected(url: str) -> socket.socket:
    """A connection to where a server listens."""
    address = urllib.parse.urlsplit(url)
    return socket.create_connection((address.hostname, address.port), timeout=20)


def test_connections_are_dealt_out_to_each_process_in_turn(app: Path) -> None:
    """While a worker is held up, every other connection is answered, and then all of them."""
    with running("-f", app, *TWO, "--key-value", "a=b") as (told, process):
        worker = joined(process)
        os.kill(worker, signal.SIGSTOP)
        with contextlib.ExitStack() as opened:
            clients = [opened.enter_context(connected(told["base_url"])) for _ in range(4)]
            for client in clients:
                client.sendall(b"GET /h HTTP/1.1\r\nhost: a\r\n\r\n")
            # The first one behind a worker's start is the worker's.
            for client in clients[1::2]:
                assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
            assert select.select(clients[::2], [], [], 0)[0] == []
            os.kill(worker, signal.SIGCONT)
            for client in clients[::2]:
                assert client.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_a_worker_that_ends_is_started_again(app: Path) -> None:
    """Requests are answered meanwhile; one that cannot start is left out."""
    with running("-f", app, *TWO) as (told, process):
        url = told["base_url"] + "/h"
        os.kill(joined(process), signal.SIGKILL)
        line = next_line_about_a_worker(process)
        assert line == "[edgezero] worker 2 ended by itself (status -9) and is started again\n"
        assert get(url)[0] == 200
        again = joined(process)
        assert [get(url) for _ in range(2)] == [(200, b"hello")] * 2
        (app / "guest.wat").unlink()
        os.kill(again, signal.SIGKILL)
        assert "is started again" in next_line_about_a_worker(process)
        line = next_line_about_a_worker(process)
        assert line == "[edgezero] worker 2 could not start (status 1) and is left out\n"
        assert [get(url) for _ in range(2)] == [(200, b"hello")] * 2


def test_a_request_that_a_worker_answers_is_waited_for_at_the_end(app: Path) -> None:
    """It may send the rest of its body, and gets the rest of the response (LIFE-10)."""
    with running("-f", app, *TWO, "--quiet") as (told, process):
        joined(process)
        with connected(told["base_url"]) as client:
            client.sendall(b"POST /E HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nabc")
            received = b""
            while b"abc" not in received:
                received += client.recv(4096)
            process.send_signal(signal.SIGTERM)
            client.sendall(b"def")
            while chunk := client.recv(4096):
                received += chunk
        assert b"def" in received
        assert received.endswith(b"0\r\n\r\n")


def test_a_worker_ends_with_a_first_process_that_was_killed(app: Path) -> None:
    """Nobody is left who could tell it."""
    command = ["up", "-f", str(app), "--listen", "127.0.0.1:0", "--disable-pooling", *TWO]
    with subprocess.Popen(
        [sys.executable, "-m", "edgezero_spin.cli", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        joined(process)
        process.kill()
        assert process.stderr is not None
        # The worker has the other end of the pipe, too.
        process.stderr.read()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--state-dir", ""], "--state-dir '' keeps data in the memory of each process"),
        (["--allow-transient-write"], "changes the files of one process"),
        (["--operation-listen", "127.0.0.1:0"], "--operation-listen shows one process"),
        (["--explorer"], "--explorer shows one process"),
        (["--from-registry", "localhost:1/x:1"], "without --state-dir, the data of an image"),
    ],
)
def test_what_processes_cannot_share_is_refused(app: Path, flags: list[str], message: str) -> None:
    """Before anything is loaded."""
    done = edgezero("up", "-C", app, "--workers", "2", *flags)
    assert done.returncode == 2
    assert message in done.stderr


def test_an_application_without_requests_has_no_workers(tmp_path: Path) -> None:
    """Nothing would come to them."""
    triggers = '[[trigger.cron]]\ncron_expression = "0 0 0 1 1 * *"\ncomponent = "worker"\n'
    app = write_app(tmp_path, triggers, REDIS, CRON_2)
    done = edgezero("up", "-f", app, "--workers", "2")
    assert done.returncode == 2
    assert "the application has no HTTP triggers" in done.stderr
