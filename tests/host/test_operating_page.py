"""Programs and commands of docs/operating.md, run as they stand."""

import asyncio
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host import HttpRequest
from tests.documents import Command, matches, read_session
from tests.host.support import SCRIPT
from tests.host.telemetry.collector import collecting

PAGE = Path(__file__).parents[2] / "docs" / "operating.md"
EXPLORER = PAGE.with_name("explorer.md")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def commands(page: Path) -> list[Command]:
    """The commands that a page shows with what they print."""
    return [each for each in read_session(page) if isinstance(each, Command)]


def test_the_observer_keeps_slow_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that sleeps is kept with what it called; a quick one is not."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    [program] = [text for text in PROGRAMS if "SlowRequests" in text]
    names: dict[str, Any] = {"__name__": "program"}
    exec(compile(program, str(PAGE), "exec"), names)
    slow = names["SlowRequests"]()
    names["SlowRequests"].LIMIT_S = 0.05

    async def ask(host: Any) -> None:
        for path in ("/h", "/p"):
            response = await host.handle(HttpRequest("GET", path))
            await response.read()

    with names["open_host"](str(SCRIPT), slow) as host:
        asyncio.run(ask(host))
    assert [line for line in slow.found if line.startswith("/p")] == ["/p 200: subscribe-duration"]


def test_a_program_that_sends_telemetry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is on where a collector is named, and off elsewhere."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    [program] = [text for text in PROGRAMS if "start_telemetry" in text]
    names: dict[str, Any] = {"__name__": "program"}
    exec(compile(program, str(PAGE), "exec"), names)

    async def ask(host: Any) -> bytes:
        return bytes(await (await host.handle(HttpRequest("GET", "/h"))).read())

    host, telemetry = names["open_host"](str(SCRIPT))
    assert telemetry is None
    host.close()
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        host, telemetry = names["open_host"](str(SCRIPT))
        with host:
            assert asyncio.run(ask(host)) == b"hello"
        telemetry.close()
        assert collector.span("GET /...").kind == "server"


@pytest.mark.parametrize(
    "session", [command for page in (PAGE, EXPLORER) for command in commands(page)], ids=str
)
def test_commands(session: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each starts, says what the page says, and answers."""
    (tmp_path / "spin.toml").write_text(
        'spin_manifest_version = 2\napplication = { name = "app" }\n\n'
        '[[trigger.http]]\nroute = "/..."\ncomponent = { source = "guest.wat" }\n'
    )
    (tmp_path / "guest.wat").write_text(SCRIPT.read_text())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = session.line.replace("9464", str(port)).split()
    expected = session.expected.replace("9464", str(port)).removesuffix("...").rstrip()
    process = subprocess.Popen(
        [sys.executable, "-m", "edgezero_spin.cli", *words[1:], "--listen", "127.0.0.1:0"],
        cwd=tmp_path,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    printed = ""
    try:
        assert process.stdout is not None
        for line in process.stdout:
            printed += line
            if line.startswith("Serving http"):
                break
        else:
            raise AssertionError(printed)
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert matches(f"{expected}...", printed) if expected else printed
