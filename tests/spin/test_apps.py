"""Applications of this library, built with its own command, behave alike on both hosts."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.cli.running import edgezero
from tests.examples.loading import EXAMPLES, load
from tests.spin.applications import probe_manifest
from tests.spin.conftest import Both, Serve
from tests.spin.wire import ask

BEHAVIOURS = Path(__file__).parents[1] / "component" / "guests" / "behaviours"
TOKEN = "let-me-in"


def run(*arguments: str, cwd: Path) -> None:
    """Run a command of ``edgezero`` that has to succeed."""
    done = edgezero(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def notes(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """The Notes example, its data in one file for both."""
    folder = tmp_path_factory.mktemp("notes")
    for path in (EXAMPLES / "notes").iterdir():
        if path.suffix in (".py", ".toml"):
            shutil.copy(path, folder)
    run("build", cwd=folder)
    run("config", "push", "--local", cwd=folder)
    arguments = ["--runtime-config-file", "runtime-config.toml", "--variable"]
    with serve(folder, [*arguments, f"admin_token={TOKEN}"]) as both:
        yield both


def test_the_tour_of_notes(notes: Both) -> None:
    """Every answer is the expected one, from both."""
    play = load("notes", "tour").play
    assert [play(f"http://127.0.0.1:{one.port}", TOKEN) for one in notes] == [0, 0]


def test_notes_of_one_are_those_of_the_other(notes: Both) -> None:
    """Written here, read and counted there: stores and configuration are one file."""  # KV-40
    body = json.dumps({"title": "Bake", "tags": ["a"]}).encode()
    for writer, reader in ((notes.embedded, notes.real), (notes.real, notes.embedded)):
        target = f"/notes/from-{writer.program.name}"
        assert ask(writer.port, target, method="PUT", body=body).status == 201
        assert ask(reader.port, target, method="PUT", body=body).status == 200
        answers = [ask(one.port, target) for one in (reader, writer, reader)]
        assert [json.loads(answer.body)["views"] for answer in answers] == [1, 2, 3]
    for target in ("/", "/notes", "/notes?limit=1", "/notes?prefix=from-s", "/export"):
        assert notes.same(target).status == 200
    page = json.loads(notes.same("/notes?limit=1").body)
    notes.same(f"/notes?limit=1&cursor={quote(page['cursor'])}")


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/nothing", None),
        ("GET", "/notes/none", None),
        ("POST", "/notes/none", b"{}"),
        ("PUT", "/notes/x", b"{"),
        ("PUT", "/notes/x", b'{"title": 7}'),
        ("PUT", "/notes/x", b'{"title": ""}'),
        ("PUT", "/notes/x", b'{"title": "t", "tags": ["' + b"x" * 30 + b'"]}'),
        ("GET", "/notes?limit=many", None),
        ("GET", "/notes/%ff", None),
        ("DELETE", "/notes/x", None),
        ("OPTIONS", "/", None),
        ("HEAD", "/notes", None),
    ],
)
def test_refusals_of_notes(notes: Both, method: str, target: str, body: bytes | None) -> None:
    """What a handler refuses reads the same."""
    notes.same(target, method=method, body=body)


@pytest.fixture(scope="module")
def behaviours(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """The application with a route for everything that a handler can do."""
    folder = tmp_path_factory.mktemp("behaviours")
    shutil.copy(BEHAVIOURS / "app.py", folder)
    run("componentize", "app:app", "-o", "app.wasm", cwd=folder)
    # Spin then adds its stack to what it says of an error.
    with serve(
        probe_manifest(folder, folder / "app.wasm"), environment={"RUST_BACKTRACE": "1"}
    ) as both:
        yield both


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/", None),
        ("GET", "/names/a%20b", None),
        ("GET", "/files/a/b/c", None),
        ("GET", "/numbers/41", None),
        ("GET", "/numbers/x", None),
        ("GET", "/request?a=b", None),
        ("POST", "/points", b'{"x": 1}'),
        ("POST", "/points", b'{"x": 1, "y": -1}'),
        ("POST", "/length", b"x" * 100_000),
        ("POST", "/length", b"x" * 2_000_000),
        ("POST", "/echo", b"x" * 1_000_000),
        ("POST", "/ignore", b"x" * 100),
        ("GET", "/large/1000000", None),
        ("GET", "/stream/10/100000", None),
        ("GET", "/twice", None),
        ("GET", "/nothing", None),
        ("GET", "/raise", None),
        ("GET", "/raise-first", None),
        ("GET", "/forbidden-header", None),
        ("GET", "/random/seeded", None),
        ("GET", "/calls", None),
        ("HEAD", "/large/1000", None),
    ],
)
def test_behaviours(behaviours: Both, method: str, target: str, body: bytes | None) -> None:
    """Status, headers and body of every route are the same."""
    behaviours.same(target, [("x", "1"), ("X", "2")], method=method, body=body)


def test_a_handler_that_fails_late(behaviours: Both) -> None:
    """A client can tell that something is missing; from Spin it may have got nothing."""  # RESP-9
    embedded, real = behaviours.ask("/raise-later")
    assert (embedded.status, embedded.body, embedded.broken) == (200, b"the beginning\n", True)
    assert real.broken


def test_what_a_guest_says_of_a_body_that_is_none(behaviours: Both) -> None:
    """A malformed chunk is a 400 here; under Spin the guest's 500 has one line of the cause."""
    head = b"POST /points HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    embedded, real = behaviours.send(head + b"1\r\n{\r\nzz\r\n", "POST")
    assert (embedded.status, embedded.body) == (400, b"")
    assert real.status == 500
    message = json.loads(real.body)["error"]["message"]
    assert "\n" not in message
    assert len(message) < 200
