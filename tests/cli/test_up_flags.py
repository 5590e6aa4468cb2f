"""Flags of ``edgezero up`` that it shares with ``spin up``, each in a real process."""

import json
import signal
import socket
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.running import edgezero, get, refusal, running
from tests.host.support import SCRIPT

MANIFEST = """\
spin_manifest_version = 2
[application]
name = "demo"
[variables]
first = { required = true }
second = { required = true }
[[trigger.http]]
route = "/..."
component = "hello"
[[trigger.http]]
route = "/w-other"
component = "other"
[component.hello]
source = "guest.wat"
key_value_stores = ["default"]
sqlite_databases = ["default"]
files = [{ source = "static", destination = "/" }]
variables = { first = "{{ first }}", second = "{{ second }}" }
[component.hello.profile.slow]
environment = { SPEED = "slow" }
[component.other]
source = "guest.wat"
"""
VALUES = ("--variable", "first=1", "--variable", "second=2")
TOLD = ("--format", "json")


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an application of two components, in which everything runs."""
    folder = tmp_path / "app"
    (folder / "static").mkdir(parents=True)
    (folder / "static" / "page").write_text("page")
    (folder / "guest.wat").write_text(SCRIPT.read_text())
    (folder / "spin.toml").write_text(MANIFEST)
    monkeypatch.chdir(folder)
    return folder


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """What a database holds."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_stores_and_databases_are_filled_first(app: Path) -> None:
    """By entries and statements, also from a file (KV-45, DB-2, CLI-11)."""
    (app / "more.sql").write_text("INSERT INTO t VALUES (2)")
    entries = ["--key-value", "a=1", "--key-value", "b=x=y"]
    sql = ["--sqlite", "CREATE TABLE t (n)", "--sqlite", "@more.sql"]
    with running(*VALUES, *entries, *sql, *TOLD, "--quiet"):
        pass
    found = rows(app / ".spin/sqlite_key_value.db", "SELECT key, value FROM spin_key_value")
    assert sorted(found) == [("a", b"1"), ("b", b"x=y")]
    assert rows(app / ".spin/sqlite_db.db", "SELECT n FROM t") == [(2,)]


@pytest.mark.parametrize(
    "flags",
    [
        ["--variable", "first=@one.txt", "--variable", "second=2"],
        ["--variable", "@both.json"],
        ["--variable", "@both.toml"],
        ["--variable", "first=0", "--variable", "@both.toml"],
    ],
)
def test_variables_have_values(app: Path, flags: list[str]) -> None:
    """One by one, from a file, or many from a file (VAR-20)."""
    (app / "one.txt").write_text("1")
    (app / "both.json").write_text('{"first": "1", "second": "2"}')
    (app / "both.toml").write_text('first = "1"\nsecond = "2"\n')
    with running(*flags, *TOLD, "--quiet") as (told, _):
        assert get(told["base_url"] + "/h") == (200, b"hello")
    assert "second" in refusal(edgezero("up", "--variable", "first=1", "--disable-cache"))


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        ([], 2),
        (["--follow", "other"], 1),
        (["--follow", "other", "--follow", "hello"], 2),
        (["--quiet"], 0),
        (["-q"], 0),
        (["--sh"], 0),
    ],
)
def test_output_is_shown_of_whom_it_is_wanted(app: Path, flags: list[str], shown: int) -> None:
    """And kept of all, in a folder that was named (STATE-3, ENV-7)."""
    logs = app / "logs"
    with running(*VALUES, *flags, *TOLD, "-L", logs) as (told, process):
        for target in ("/w-hello", "/w-other"):
            assert get(told["base_url"] + target) == (200, b"hello")
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate(timeout=20)
    written = [(logs / f"{name}_stdout.txt").read_text() for name in ("hello", "other")]
    assert written[0] == written[1] != ""
    assert printed.count(written[0]) == shown


def test_logs_are_emptied_where_that_is_wanted(app: Path) -> None:
    """Else they go on (CLI-11)."""
    sizes = []
    for flags in ([], [], ["--truncate-logs"]):
        with running(*VALUES, *flags, *TOLD, "--quiet") as (told, _):
            get(told["base_url"] + "/w")
        sizes.append((app / ".spin/logs/hello_stdout.txt").stat().st_size)
    assert sizes[0] > 0
    assert sizes == [sizes[0], 2 * sizes[0], sizes[0]]


@pytest.mark.parametrize("flag", ["--temp", "--tmp"])
@pytest.mark.parametrize("direct", [False, True])
def test_components_see_copies_or_the_folders(app: Path, flag: str, direct: bool) -> None:
    """Which the lock of the run says, and that of a profile says its own (MAN-70, LOCK-40)."""
    more = ["--direct-mounts"] if direct else ["--allow-transient-write"]
    with running(*VALUES, flag, app / "temp", *more, "--profile", "slow", *TOLD, "--quiet"):
        lock = json.loads((app / "temp/spin.lock").read_text())
    folder = app / "static" if direct else app / "temp/assets/hello"
    [component] = [part for part in lock["components"] if part["id"] == "hello"]
    assert component["files"] == [{"source": folder.as_uri(), "path": "/"}]
    assert component["env"] == {"SPEED": "slow"}
    assert (folder / "page").read_text() == "page"


def test_compiled_components_are_kept_where_it_is_said(app: Path) -> None:
    """And nowhere when that is switched off (ENG-9)."""
    (app / "cache.toml").write_text(f'[cache]\ndirectory = "{app}/compiled"\n')
    env = {"XDG_CACHE_HOME": str(app / "user-cache"), "WASMTIME_CACHE_FILE": "cache.toml"}
    with running(*VALUES, *TOLD, "--quiet", env=env, cached=True):
        pass
    assert list((app / "compiled").glob("*.cwasm"))
    env = {"XDG_CACHE_HOME": str(app / "user-cache"), "DISABLE_WASMTIME_CACHE": "true"}
    with running(*VALUES, *TOLD, "--quiet", env=env, cached=True):
        pass
    assert not (app / "user-cache").exists()


def test_an_address_by_name(app: Path) -> None:
    """Of several that it has, 127.0.0.1 is taken (FLAG-1)."""
    with running(*VALUES, "--listen", "localhost:0", *TOLD, "--quiet") as (told, _):
        assert told["base_url"].startswith("http://127.0.0.1:")
        assert get(told["base_url"] + "/h") == (200, b"hello")


def test_a_port_that_is_taken(app: Path) -> None:
    """Is said, with the flag that looks for another, which then does (FLAG-4, OUT-8)."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        message = refusal(edgezero("up", *VALUES, "--disable-cache", "--listen", address))
        assert f"{address} is already in use. To have" in message
        assert "--find-free-port" in message
        flags = ["--listen", address, "--find-free-port"]
        with running(*VALUES, *flags, *TOLD, "--quiet") as (told, _):
            assert told["base_url"] != f"http://{address}"
            assert get(told["base_url"] + "/h") == (200, b"hello")


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_well(app: Path, way: signal.Signals) -> None:
    """With status 0 (CLI-30, LIFE-10)."""
    with running(*VALUES, *TOLD, "--quiet") as (_, process):
        process.send_signal(way)
        process.communicate(timeout=20)
        assert process.returncode == 0


def test_it_outlives_a_terminal_where_that_is_wanted(app: Path) -> None:
    """As ``nohup`` says."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with running(*VALUES, *TOLD, "--quiet") as (told, process):
            process.send_signal(signal.SIGHUP)
            assert get(told["base_url"] + "/h") == (200, b"hello")
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_instance_that_hangs_does_not_keep_it(app: Path) -> None:
    """A request that computes for ever is dropped (LIFE-10)."""
    with running(*VALUES, *TOLD, "--quiet") as (told, process):
        address = told["base_url"].removeprefix("http://").rpartition(":")
        with socket.create_connection((address[0], int(address[2])), timeout=20) as client:
            client.sendall(b"GET /B HTTP/1.1\r\nhost: x\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200")
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)
    assert process.returncode == 0


def test_an_error_is_on_standard_error_alone(app: Path) -> None:
    """In one line; `-v` shows where it is from (CLI-30, CLI-31)."""
    done = edgezero("up", "--disable-cache")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("[edgezero] Error: ")
    assert "Traceback" in edgezero("up", "--disable-cache", "-v").stderr


def test_triggers_of_other_kinds(app: Path) -> None:
    """They are left out and named (LOCK-44); so no flag of theirs can be taken (CLI-13)."""
    (app / "spin.toml").write_text(
        MANIFEST + '[[trigger.sqs]]\nqueue_url = "https://x"\ncomponent = "hello"\n'
    )
    with running(*VALUES, *TOLD) as (told, process):
        assert get(told["base_url"] + "/h")[0] == 200
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    assert "No built-in trigger named 'sqs'" in said
    assert edgezero("up", "--test-something").returncode == 2


def test_instances_have_limits(app: Path) -> None:
    """Memory and number; requests past the number wait (LIFE-9, ENG-2)."""
    with running(*VALUES, "--max-instance-memory", "1", *TOLD, "--quiet") as (told, _):
        assert get(told["base_url"] + "/h") == (500, b"")
    env = {"SPIN_WASMTIME_INSTANCE_COUNT": "2", "SPIN_WASMTIME_POOLING": "1"}
    with (
        running(*VALUES, *TOLD, "--quiet", env=env, pooled=True) as (told, _),
        ThreadPoolExecutor(8) as clients,
    ):
        answers = set(clients.map(get, [told["base_url"] + "/p"] * 24))
    assert answers == {(200, b"hellohello")}


LONG = "x" * 3000


@pytest.mark.parametrize(
    "flags",
    [
        ["-f", LONG],
        ["--from-file", LONG],
        ["--state-dir", LONG],
        ["--log-dir", LONG],
        ["--runtime-config-file", LONG],
        ["--temp", LONG],
        ["--tls-cert", LONG, "--tls-key", LONG],
        ["--tls-cert", ".", "--tls-key", "."],
    ],
    ids=lambda flags: f"{flags[0]} {flags[1][:3]}",
)
def test_a_path_that_the_system_refuses_is_one_error(app: Path, flags: list[str]) -> None:
    """Too long for any file system, or a folder in the place of a file."""
    where = [] if flags[0].startswith("-f") or "from" in flags[0] else ["-f", "."]
    done = edgezero("up", *where, *VALUES, "--disable-cache", "--listen", "127.0.0.1:0", *flags)
    assert ("directory" if "." in flags else "too long") in refusal(done)


def test_a_body_that_does_not_come_is_given_up(app: Path) -> None:
    """After the time that ``--body-timeout`` names."""
    begun = b"POST /s HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"
    with running(*VALUES, *TOLD, "--body-timeout", "100ms", "--quiet") as (told, _):
        port = int(told["base_url"].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(begun)
            assert client.recv(100).startswith(b"HTTP/1.1 408 ")
    assert edgezero("up", "--body-timeout", "0").returncode == 2
