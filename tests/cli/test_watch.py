"""``edgezero watch``, as it is typed: a process, a socket and files that change."""

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import edgezero, refusal
from tests.host.support import SCRIPT
from tests.wasm.component.wit_components import encoded

MANIFEST = """\
spin_manifest_version = 2
[application]
name = "demo"
[[trigger.http]]
route = "/..."
component = "hello"
[component.hello]
source = "guest.wat"
[component.hello.build]
command = "sh build.sh"
watch = ["guest.src", "broken"]
"""
BUILD = "test ! -e broken && cp guest.src new.wat && mv new.wat guest.wat"

# On a machine that does other things a start has taken forty seconds.
TIMEOUT_S = 120
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder with an application whose build copies its source."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "guest.src").write_text(SCRIPT.read_text())
    (folder / "build.sh").write_text(BUILD)
    (folder / "spin.toml").write_text(MANIFEST)
    return folder


class Output:
    """What a process prints, line by line as it comes."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._taken = 0
        self._stream = process.stdout
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._stream is not None
        with self._stream as stream:
            for line in stream:
                with self._changed:
                    self._lines.append(line.rstrip("\n"))
                    self._changed.notify_all()

    def until(self, wanted: str) -> str:
        """The next line that has a match of this."""

        def there() -> bool:
            return any(re.search(wanted, line) for line in self._lines[self._taken :])

        with self._changed:
            assert self._changed.wait_for(there, TIMEOUT_S), self._lines
            while True:
                line = self._lines[self._taken]
                self._taken += 1
                if re.search(wanted, line):
                    return line

    def all(self) -> str:
        """Everything, once the process ended."""
        self._thread.join()
        return "\n".join(self._lines)


@contextlib.contextmanager
def watching(app: Path, *arguments: str, end: signal.Signals = signal.SIGINT) -> Iterator[Output]:
    """Run ``edgezero watch`` until the test is done; it has to end well."""
    environment = {name: value for name, value in os.environ.items() if "SPIN" not in name}
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "edgezero_spin.cli", "watch", "--from", str(app)),
            *("--listen", "127.0.0.1:0", "--debounce", "20"),
            *("--disable-cache", "--disable-pooling", *arguments),
        ],
        # Should it crash, it says where.
        env={**environment, "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"},
        stdout=subprocess.PIPE,
        # One order for all that is said.
        stderr=subprocess.STDOUT,
        text=True,
    )
    output = Output(process)
    try:
        yield output
    finally:
        process.send_signal(end)
        try:
            status = process.wait(timeout=30)
        finally:
            process.kill()
            said = output.all()
            # For whoever reads of a failure.
            print(said)
    assert status == 0, said
    assert "Traceback" not in said


def port_of(output: Output) -> int:
    """Where it listens."""
    return int(output.until(r"^Serving http://").rpartition(":")[2])


def get(port: int, path: str = "/h") -> bytes:
    """The body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    connection.request("GET", path)
    body = connection.getresponse().read()
    connection.close()
    return body


def put(path: Path, text: str) -> None:
    """Write a file in one step, so that nobody finds half of it."""
    whole = path.with_name(f".{path.name}.swp")
    whole.write_text(text)
    whole.replace(path)


def hullo() -> str:
    """The script guest, with another greeting of the same length."""
    return SCRIPT.read_text().replace('"hello', '"hullo')


# CLI-16, CLI-17
def test_a_change_is_built_and_served_by_the_same_socket(app: Path) -> None:
    """And the manifest's routes are printed anew when they changed."""
    with watching(app) as output:
        port = port_of(output)
        assert get(port) == b"hello"
        put(app / "guest.src", hullo())
        output.until("Building component hello")
        output.until("Reloaded")
        assert get(port) == b"hullo"
        put(app / "spin.toml", MANIFEST.replace('"/..."', '"/h"'))
        output.until(rf"^Serving http://127.0.0.1:{port}$")
        output.until(rf"hello: http://127.0.0.1:{port}/h$")
        output.until("Reloaded")
        assert (get(port), get(port, "/other")) == (b"hullo", b"")


def test_a_build_that_fails_leaves_what_is_served(app: Path) -> None:
    """It says so, and the next good one is served."""
    with watching(app) as output:
        port = port_of(output)
        put(app / "broken", "")
        put(app / "guest.src", hullo())
        output.until("Error: build command for component hello failed with status 1")
        output.until("what ran before goes on")
        assert get(port) == b"hello"
        (app / "broken").unlink()
        output.until("Reloaded")
        assert get(port) == b"hullo"


def test_a_request_that_is_being_answered_survives_a_reload(app: Path) -> None:
    """The application that it came to answers it, while new ones go to the next."""
    with watching(app) as output:
        port = port_of(output)
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
            head = b"POST /E HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 10\r\n\r\n"
            connection.sendall(head + b"first")
            received = connection.makefile("rb")
            assert received.readline() == b"HTTP/1.1 200 OK\r\n"
            put(app / "guest.src", hullo())
            output.until("Reloaded")
            assert get(port) == b"hullo"
            connection.sendall(b"-last")
            # To the end of the connection, which may come before that of the answer.
            assert received.read().endswith(b"\r\n-last\r\n0\r\n\r\n")


def test_an_application_that_cannot_run_is_reported(app: Path) -> None:
    """What runs goes on, and the next change is tried."""
    with watching(app) as output:
        port = port_of(output)
        put(app / "guest.src", "(component)")
        output.until("Expected component to export one of")
        output.until("what ran before goes on")
        assert get(port) == b"hello"
        put(app / "guest.src", hullo())
        output.until("Reloaded")
        assert get(port) == b"hullo"


def test_the_first_build_may_fail(app: Path) -> None:
    """There is an application as soon as one succeeds (CLI-17)."""
    put(app / "broken", "")
    with watching(app) as output:
        output.until("waiting for a change")
        (app / "broken").unlink()
        assert get(port_of(output)) == b"hello"


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_cleanly_in_the_middle_of_a_build(app: Path, end: signal.Signals) -> None:
    """Ctrl-C is not a failure (CLI-30)."""
    os.mkfifo(app / "started")
    (app / "build.sh").write_text("echo started > started; sleep 600")
    with watching(app, end=end):
        assert (app / "started").read_text() == "started\n"


def test_it_ends_cleanly_while_it_serves(app: Path) -> None:
    """By SIGTERM as well as by Ctrl-C (LIFE-10)."""
    with watching(app, end=signal.SIGTERM) as output:
        port_of(output)


def test_builds_can_be_left_to_someone_else(app: Path) -> None:
    """With `--skip-build` only what is run is watched (CLI-16)."""
    (app / "guest.wat").write_text(SCRIPT.read_text())
    with watching(app, "--skip-build") as output:
        port = port_of(output)
        put(app / "guest.src", "never built")
        put(app / "guest.wat", hullo())
        output.until("Reloaded")
        assert get(port) == b"hullo"


def test_the_screen_is_cleared_on_request(app: Path) -> None:
    """The flag is accepted where there is no screen (CLI-16)."""
    with watching(app, "--clear", "--quiet", "--format", "json") as output:
        output.until("base_url")


def test_flags_of_up_may_stand_behind_dashes(app: Path) -> None:
    """As `spin watch` has it (CLI-16)."""
    with watching(app, "--", "--format", "json", "--quiet") as output:
        output.until("base_url")


def test_a_port_that_is_taken_ends_the_command(app: Path) -> None:
    """There is nothing to wait for."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = edgezero("watch", "-f", app, "--listen", address, "--disable-cache")
    assert "is already in use" in refusal(done)


def test_a_manifest_that_cannot_be_read_ends_the_command(app: Path) -> None:
    """At the start there is nothing to fall back to."""
    (app / "spin.toml").write_text("[")
    assert "spin.toml" in refusal(edgezero("watch", "-f", app))


def test_what_does_not_fit_its_targets_is_not_served(app: Path) -> None:
    """It is told after the build, and the next change tries again."""  # CLI-14, MAN-13
    (app / "world.wasm").write_bytes(encoded("package a:b; world bare {}"))
    (app / "env.toml").write_text(
        '[triggers.http]\nworlds = [{ path = "world.wasm", world = "a:b/bare" }]\n'
    )
    put(app / "spin.toml", MANIFEST.replace('"demo"', '"demo"\ntargets = [{ path = "env.toml" }]'))
    with watching(app) as output:
        output.until("Component hello .* can't run in environment env")
        output.until("waiting for a change")
        put(app / "spin.toml", MANIFEST)
        assert get(port_of(output)) == b"hello"
