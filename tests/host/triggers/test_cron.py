"""Moments of a real clock."""

import asyncio
from pathlib import Path

import pytest

from edgezero_spin.host import HostSettings
from edgezero_spin.host.runtime.engine import Engine
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
