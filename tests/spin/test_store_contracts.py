"""The clauses of the stores inside a component under a real Spin, on WASI 0.2 and 0.3.

The cases are those of ``tests/contracts``, written once. A Spin is started for each set of
variables and environment that cases want; its key-value file is written before each case.
"""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgezero_spin.project.componentize import componentize_app
from edgezero_spin.project.world import WASI_VERSIONS, Wasi
from tests.component.test_store_contracts import arrange
from tests.contracts.case import Case
from tests.contracts.table import CASES
from tests.spin.programs import Program, Running, running
from tests.spin.wire import ask

GUEST = Path(__file__).parents[1] / "component" / "guests" / "contracts"
Settings = tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]


def settings_of(case: Case) -> Settings:
    """What a case wants to be set before the application starts."""
    return tuple(sorted(case.variables.items())), tuple(sorted(case.environment.items()))


GROUPS = sorted({settings_of(case) for case in CASES.values()})


@pytest.fixture(scope="module", params=WASI_VERSIONS)
def component(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guest with all cases, for one WASI."""
    wasi: Wasi = request.param
    output = tmp_path_factory.mktemp("contracts") / f"contracts-{wasi}.wasm"
    componentize_app("app", output=output, folder=GUEST, wasi=wasi)
    return output


@pytest.fixture(scope="module", params=GROUPS, ids=[str(number) for number in range(len(GROUPS))])
def group(
    request: pytest.FixtureRequest,
    component: Path,
    spin: Program,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Running, Callable[[Case], None], list[str]]]:
    """A Spin for one group, what fills its stores, and the names of the cases."""
    names = [name for name, case in CASES.items() if settings_of(case) == request.param]
    folder = tmp_path_factory.mktemp("group")
    manifest, runtime = arrange(CASES[names[0]], component, folder)

    def fill(case: Case) -> None:
        with sqlite3.connect(folder / "stores.db") as database:
            database.execute("DELETE FROM spin_key_value")
            database.executemany(
                "INSERT INTO spin_key_value (store, key, value) VALUES (?, ?, ?)",
                [
                    (label, key, value)
                    for label, entries in case.kv.items()
                    for key, value in entries.items()
                ],
            )
        database.close()

    arguments: list[str | Path] = ["-f", manifest, "--runtime-config-file", runtime]
    with running(spin, arguments, folder=folder) as served:
        yield served, fill, names


def test_cases_hold_under_spin(
    group: tuple[Running, Callable[[Case], None], list[str]],
) -> None:
    """Every case of a group: the contract, over Spin's own stores and variables."""
    served, fill, names = group
    failed = {}
    for name in names:
        fill(CASES[name])
        answer = ask(served.port, f"/cases/{name}", method="POST")
        if answer.status != 204:
            failed[name] = f"{answer.status} {answer.body.decode(errors='replace')}"
    assert failed == {}
