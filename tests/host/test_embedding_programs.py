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
    running.until(f'"{one}" added')
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


@pytest.mark.parametrize("name", ["one.py", "mounted.py"])
def test_the_page_shows_the_programs(name: str) -> None:
    """What a reader copies is what these tests ran."""
    assert (FOLDER / name).read_text() in PAGE.read_text()
