"""The programs of ``docs/programs``, run as they stand."""

import asyncio
import json
import re
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from edgezero_spin.host import Host, HostSettings
from tests.component.servers import manifest
from tests.host.registry.images.images import push
from tests.host.registry.oci_server import Registry, client_environment, digest_of, running_registry
from tests.host.support import SCRIPT

TOP = Path(__file__).parents[2]
FOLDER = TOP / "docs" / "programs"
PAGE = TOP / "docs" / "embedding.md"
HELLO = TOP / "tests" / "foreign" / "guests" / "hello.wat"
HELLO_TEXT = "hello from WAT\n"


class Program:
    """A program at work; what it prints is waited for line by line."""

    def __init__(self, name: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(FOLDER / name), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.printed = ""

    def until(self, wanted: str) -> str:
        """Read on until a line has ``wanted``; return the line."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed += line
            if wanted in line:
                return line
        raise AssertionError(f"{wanted!r} never came:\n{self.printed}")

    def url(self, wanted: str = "") -> str:
        """The address in the next line that says one."""
        found = re.search(r"http://\S+", self.until(f"{wanted}erving http"))
        assert found is not None
        return found[0]

    def stop(self) -> None:
        """SIGTERM ends it cleanly."""
        self.process.send_signal(signal.SIGTERM)
        rest, _ = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, self.printed + rest


@pytest.fixture
def program() -> Iterator[Callable[..., Program]]:
    """Start programs; what still runs after the test is killed."""
    started: list[Program] = []

    def start(*arguments: object) -> Program:
        started.append(Program(*arguments))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()


def test_one_application(program: Callable[..., Program], tmp_path: Path) -> None:
    """A manifest and an address are all it takes."""
    running = program("one.py", manifest(HELLO, tmp_path), "127.0.0.1:0")
    assert httpx.get(running.url(), timeout=30).text == HELLO_TEXT
    running.stop()


def test_mounted_below_a_path(tmp_path: Path) -> None:
    """What is below it reaches the component, the rest stays with the site."""
    site = runpy.run_path(str(FOLDER / "mounted.py"))["Site"]
    settings = HostSettings(cache_dir=None, pooling=False)

    async def run(host: Host) -> tuple[str, str]:
        transport = httpx.ASGITransport(app=site(host))
        async with httpx.AsyncClient(transport=transport, base_url="http://site") as client:
            return (await client.get("/components/x")).text, (await client.get("/")).text

    with Host.from_manifest(manifest(HELLO, tmp_path), settings=settings) as host:
        assert asyncio.run(run(host)) == (HELLO_TEXT, "the site itself\n")


def write(path: Path, **entry: object) -> None:
    """Put a file there as a whole, so that nobody reads half of it."""
    partial = path.parent.parent / "partial"
    partial.write_text(json.dumps(entry))
    partial.replace(path)


def test_files_start_replace_and_stop_applications(
    program: Callable[..., Program], tmp_path: Path
) -> None:
    """Added, changed and removed files do; a bad one hurts nobody else."""
    # LEP-10 to LEP-17, LEP-21
    apps, app = tmp_path / "apps", tmp_path / "app"
    app.mkdir()
    reference = str(manifest(HELLO, app))
    running = program("control.py", apps)
    deadline = time.monotonic() + 30
    while not apps.is_dir():
        assert time.monotonic() < deadline
    one, two = apps / "one", apps / "two"
    write(one, reference=reference, address="127.0.0.1:0", state_dir=str(tmp_path / "s1"))
    # Whether it was there at the first look is a race.
    running.until(f'"{one}" ')
    first = running.url()
    assert httpx.get(first, timeout=30).text == HELLO_TEXT

    write(two, reference="nowhere.toml", address="127.0.0.1:0", state_dir="")
    assert "nowhere.toml" in running.until(f'ERROR: Failed to load app from "{two}"')
    taken = first.removeprefix("http://")
    write(two, reference=reference, address=taken, state_dir=str(tmp_path / "s2"))
    running.until(f'"{two}" changed')
    assert "in use" in running.until(f'ERROR: Failed to run app from "{two}"')
    assert httpx.get(first, timeout=30).text == HELLO_TEXT

    write(two, reference=reference, address="127.0.0.1:0", state_dir=str(tmp_path / "s2"))
    second = running.url()
    assert httpx.get(second, timeout=30).text == HELLO_TEXT
    one.unlink()
    running.until(f'"{one}" deleted')
    two.unlink()
    running.until(f'"{two}" deleted')
    running.stop()
    for url in (first, second):
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[tuple[Registry, dict[str, str]]]:
    """A registry with one application, and a machine on which nothing was pulled."""
    with running_registry() as server:
        push(server, SCRIPT.read_bytes(), {})
        yield server, client_environment(tmp_path)


def test_images_by_digest(
    program: Callable[..., Program],
    registry: tuple[Registry, dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A reference with a digest runs just that image; another digest replaces it."""
    # LEP-2, LEP-11, LEP-14
    server, environment = registry
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    digest = digest_of(server.manifests["acme/shop", "1.0"])
    apps = tmp_path / "apps"
    apps.mkdir()
    one = apps / "one"
    named: dict[str, object] = {
        "address": "127.0.0.1:0",
        "state_dir": str(tmp_path / "state"),
        "insecure": True,
    }
    write(one, reference=f"{server.host}/acme/shop@{digest}", **named)
    running = program("control.py", apps)
    running.until(f'"{one}" found')
    line = running.until(f'"{one}" serving')
    assert line.rstrip().endswith(digest)
    url = line.split()[2]
    assert httpx.get(f"{url}/h", timeout=30).text == "hello"
    info = httpx.get(f"{url}/.well-known/spin/info").json()
    assert info["oci_image_digest"] == digest

    push(server, SCRIPT.read_bytes() + b"\n", {}, tag="2.0")
    other = digest_of(server.manifests["acme/shop", "2.0"])
    write(one, reference=f"{server.host}/acme/shop@{other}", **named)
    running.until(f'"{one}" changed')
    assert running.until(f'"{one}" serving').rstrip().endswith(other)
    write(one, reference=f"{server.host}/acme/shop@sha256:{'0' * 64}", **named)
    running.until(f'ERROR: Failed to load app from "{one}"')
    write(one, reference=f"{server.host}/acme/shop:1.0", **named)
    assert running.until(f'"{one}" serving').rstrip().endswith(digest)
    running.stop()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "expected an object"),
        ("{", "line 1"),
        ('{"reference": "a", "address": "b"}', "state_dir is missing"),
        ('{"reference": "a", "address": 3, "state_dir": ""}', "address is missing, or no text"),
        ('{"reference": "a", "address": "", "state_dir": "", "x": 1}', "unknown: x"),
    ],
)
def test_a_file_that_says_something_else(
    program: Callable[..., Program], tmp_path: Path, text: str, problem: str
) -> None:
    """Is one line with its name, and a file that is mended starts."""
    (tmp_path / "one").write_text(text)
    running = program("control.py", tmp_path)
    assert problem in running.until('ERROR: Failed to load app from "')
    running.stop()


def test_one_file_names_all_applications(program: Callable[..., Program], tmp_path: Path) -> None:
    """All are served; where one cannot be loaded, none is, and the status says so."""
    # LEP-1, LEP-4
    app = tmp_path / "app"
    app.mkdir()
    entry = {
        "reference": str(manifest(HELLO, app)),
        "address": "127.0.0.1:0",
        "state_dir": str(tmp_path / "state"),
    }
    control = tmp_path / "lepton.json"
    control.write_text(json.dumps({"apps": [entry, entry]}))
    running = program("control.py", control)
    urls = {running.url(), running.url()}
    assert len(urls) == 2
    assert {httpx.get(url, timeout=30).text for url in urls} == {HELLO_TEXT}
    running.stop()
    control.write_text(json.dumps({"apps": [entry, {**entry, "reference": "nowhere.toml"}]}))
    failing = program("control.py", control)
    assert "nowhere.toml" in failing.until(f'ERROR: Failed to run "{control}"')
    assert failing.process.wait(30) == 1
    assert "serving" not in failing.printed


@pytest.mark.parametrize("name", ["one.py", "mounted.py"])
def test_the_page_shows_the_programs(name: str) -> None:
    """What a reader copies is what these tests ran."""
    assert (FOLDER / name).read_text() in PAGE.read_text()
