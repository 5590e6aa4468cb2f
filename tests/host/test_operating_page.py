"""Programs and commands of docs/operating.md, run as they stand."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host import HttpRequest
from tests.host.support import SCRIPT
from tests.host.telemetry.collector import collecting

PAGE = Path(__file__).parents[2] / "docs" / "operating.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


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
