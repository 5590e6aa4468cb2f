"""Every store clause once more, inside a compiled component on the host's real stores.

The cases are those of ``tests/stores/test_contract_cases.py``, written once. Each gets an
application of its own: a SQLite file with what it preloads, its variables, its environment.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgezero_spin.host.factors.key_value.backends.sqlite import SqliteFile, SqliteKeyValue
from edgezero_spin.host.host import Host
from edgezero_spin.host.http.messages import HttpRequest
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from edgezero_spin.project.world import Wasi
from tests.component.conftest import Build
from tests.component.servers import manifest
from tests.contracts.case import LABELS, Case
from tests.contracts.table import CASES


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """One engine for all cases, so that the component is compiled once."""
    with make_engine(EngineSettings(max_instances=4)) as made:
        yield made


def arrange(case: Case, component: Path, folder: Path) -> tuple[Path, Path]:
    """Write manifest, runtime configuration and data of a case; return the two files."""
    database = folder / "stores.db"
    file = SqliteFile(database)
    for label, entries in case.kv.items():
        store = SqliteKeyValue(file, label)
        for key, value in entries.items():
            store.set(key, value)
    file.close()
    runtime = folder / "runtime-config.toml"
    runtime.write_text(
        "\n".join(
            f'[key_value_store.{label}]\ntype = "spin"\npath = {json.dumps(str(database))}'
            for label in LABELS
        ),
        encoding="utf-8",
    )
    variables = "\n".join(f"{name} = {json.dumps(value)}" for name, value in case.variables.items())
    declared = "\n".join(
        f"{name} = {{ default = {json.dumps(value)} }}" for name, value in case.variables.items()
    )
    environment = "\n".join(
        f"{name} = {json.dumps(value)}" for name, value in case.environment.items()
    )
    grants = (
        f"key_value_stores = {json.dumps(list(LABELS))}\n"
        f"[component.guest.variables]\n{variables}\n"
        f"[component.guest.environment]\n{environment}\n"
        f"[variables]\n{declared}\n"
    )
    return manifest(component, folder, grants), runtime


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("wasi", ["0.2", "0.3"])
def test_case(name: str, wasi: Wasi, build: Build, engine: Engine, tmp_path: Path) -> None:
    """The case holds inside the component, over WIT and SQLite."""
    spin_toml, runtime = arrange(CASES[name], build("contracts", wasi=wasi), tmp_path)

    async def run() -> tuple[int, str]:
        with Host.from_manifest(spin_toml, runtime_config=runtime, engine=engine) as host:
            response = await host.handle(HttpRequest("POST", f"/cases/{name}"))
            return response.status, await response.text()

    status, said = asyncio.run(run())
    log = tmp_path / ".spin" / "logs" / "guest_stderr.txt"
    assert (status, said) == (204, ""), log.read_text() if log.exists() else ""
