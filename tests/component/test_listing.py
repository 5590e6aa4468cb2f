"""Listings of large stores, in either generation of WASI and in bounded memory."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host import Host, HostSettings, HttpRequest
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.key_value.backends.sqlite import SqliteFile, SqliteKeyValue
from edgezero_spin.host.runtime.instance import Instance
from edgezero_spin.testing.memory_map import guest_memory_bytes
from tests.component.conftest import Build
from tests.component.servers import manifest

pytestmark = pytest.mark.timeout(600)

KEYS = 1_000_000
MIB = 1024 * 1024


class MemoryWatch:
    """Notes what the instance of its request has grown to.

    Attributes:
        peak_bytes: Of linear memory.
    """

    def __init__(self) -> None:
        self.peak_bytes = 0
        self.over = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def started(self, state: InstanceState) -> None:
        """Nothing is to be noted."""

    def ended(self, instance: Instance | None, error: BaseException | None) -> None:
        """Called on the guest's thread."""
        self.peak_bytes = guest_memory_bytes() or 0
        self._loop.call_soon_threadsafe(self.over.set)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store file with a million keys, of which the last two have a prefix of their own."""
    path = tmp_path_factory.mktemp("data") / "stores.db"
    file = SqliteFile(path)
    SqliteKeyValue(file, "default").set("z/1", b"")
    SqliteKeyValue(file, "default").set("z/2", b"")
    SqliteKeyValue(file, "small").set("key", b"")
    file.close()
    with sqlite3.connect(path) as database:
        database.executemany(
            "INSERT INTO spin_key_value (store, key, value) VALUES ('default', ?, x'')",
            ((f"key/{number}",) for number in range(KEYS)),
        )
    return path


def ask(component: Path, folder: Path, database: Path, prefix: str) -> tuple[Any, int]:
    """List a prefix; return the answer and the memory of the instance."""
    runtime = folder / "runtime-config.toml"
    runtime.write_text(
        f'[key_value_store.default]\ntype = "spin"\npath = {json.dumps(str(database))}'
    )
    path = manifest(component, folder, 'key_value_stores = ["default"]')

    async def run() -> tuple[Any, int]:
        # A pool keeps the memory of instances that ended, and nothing could be measured.
        settings = HostSettings(pooling=False)
        with Host.from_manifest(path, runtime_config=runtime, settings=settings) as host:
            watch = MemoryWatch()
            answer = await host.handle(HttpRequest("GET", f"/keys/{prefix}"), watch)
            content = json.loads(await answer.read())
            await watch.over.wait()
            return content, watch.peak_bytes

    return asyncio.run(run())


def test_a_million_keys_are_listed_in_bounded_memory(
    build: Build, tmp_path: Path, data: Path
) -> None:
    """Too many are refused at the first that is too many; a few among all of them are found."""
    component = build("listing", wasi="0.3")
    empty = tmp_path / "empty.db"
    _, alone = ask(component, tmp_path, empty, "key/")
    assert alone > 4 * MIB
    refused, peak = ask(component, tmp_path, data, "key/")
    assert refused["found"] == 0
    assert "1000" in refused["error"]
    assert peak - alone < 2 * MIB
    found, peak = ask(component, tmp_path, data, "z/")
    assert found == {"found": 2}
    assert peak - alone < 2 * MIB
