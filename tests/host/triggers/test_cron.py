"""Moments of a real clock, and of one that is set."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host import HostSettings
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.host.triggers.cron import trigger
from edgezero_spin.host.triggers.trigger import TriggerDeclarations, TriggerEntry
from tests.host.support import HostLog
from tests.host.triggers.applications import hosted, write_app
from tests.host.triggers.guest import CRON, CRON_2

EVERY_SECOND = """[[trigger.cron]]
cron_expression = "* * * * * *"
component = "worker"
"""
NEVER_NOW = """[[trigger.cron]]
cron_expression = "0 0 0 1 1 * 2097"
component = "worker"
"""


@pytest.mark.parametrize("interface", [CRON, CRON_2])
def test_a_component_is_called_when_it_is_due(
    interface: str, shared_engine: Engine, tmp_path: Path
) -> None:
    """Every second, and the entry that is not due never; the next comes while one sleeps."""
    # CRN-1, CRN-4 to CRN-6, V-67
    path = write_app(tmp_path, EVERY_SECOND + NEVER_NOW, interface)
    settings = HostSettings(cache_dir=None)
    with HostLog() as log, hosted(path, shared_engine, settings=settings) as (host, printed):

        async def run() -> None:
            running = asyncio.create_task(host.run_triggers())
            assert await asyncio.to_thread(printed.wait_for, b"tick\ntick\n")
            running.cancel()
            await asyncio.wait({running})

        asyncio.run(run())
    assert log.content == b""


class Clock:
    """A clock that sleepers move; it is set by some seconds when it has shown a time."""

    def __init__(self, now: float, set_at: float, by: float) -> None:
        self.now = now
        self.set_at = set_at
        self.by = by

    def time(self) -> float:
        """Return the time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let time go by at once."""
        self.now += seconds
        if self.now >= self.set_at:
            self.now += self.by
            self.set_at = float("inf")


class Sink:
    """Notes when a listener brings events."""

    def __init__(self) -> None:
        self.moments: list[int] = []

    def began(self) -> None:
        """Nothing."""

    async def deliver(self, event: Any) -> Sequence[Any]:
        """Take one."""
        self.moments.append(event.event.timestamp)
        return ()


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        pytest.param(0, ["12:01:00", "12:02:00", "12:03:00"], id="left alone"),
        pytest.param(-3600, ["12:01:00", "11:02:00", "11:03:00"], id="set back"),
        pytest.param(-2, ["12:01:00", "12:02:00", "12:03:00"], id="set right"),
        pytest.param(3600, ["12:01:00", "13:01:10", "13:02:00"], id="set forward"),
    ],
)
def test_a_clock_that_is_set(by: int, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The next moment of the new time is due; one that just was is not due again."""
    start = datetime(2030, 1, 1, 12, 0, 30, tzinfo=UTC).timestamp()
    # The sleep that ends at 12:01:10 or later finds it set.
    clock = Clock(start, start + 40, by)
    monkeypatch.setattr(trigger, "time", clock.time)
    entry = {"cron_expression": "0 * * * * *"}
    declared = TriggerDeclarations(
        kind="cron",
        settings=None,
        entries=(TriggerEntry(id="t", component="c", settings=entry),),
    )
    [listener] = trigger.CronTriggerKind().configure(declared).listeners
    sink: Any = Sink()

    async def run() -> None:
        real_sleep = asyncio.sleep

        async def sleep(seconds: float) -> None:
            await clock.sleep(min(seconds, 10))
            await real_sleep(0)

        monkeypatch.setattr(asyncio, "sleep", sleep)
        running = asyncio.create_task(listener.run(sink))
        async with asyncio.timeout(20):
            while len(sink.moments) < 3:
                await real_sleep(0)
        running.cancel()
        await asyncio.wait({running})

    asyncio.run(run())
    found = [datetime.fromtimestamp(moment, UTC).strftime("%H:%M:%S") for moment in sink.moments]
    assert found[:3] == expected
