"""The cases of ``tests/contracts`` on the memory platform."""

import subprocess
import sys

import pytest

from edgezero_spin.stores import MemoryPlatform, Stores, open_on_platform
from tests.contracts.case import DECLARATION, LABELS, Case
from tests.contracts.table import CASES
from tests.stores.doubles import finish


def stores_of(case: Case) -> Stores:
    """Arrange what a case needs, in memory."""
    entries = {label: case.kv.get(label, {}) for label in LABELS}
    platform = MemoryPlatform(kv=entries, variables=case.variables)
    return open_on_platform(DECLARATION, platform, lambda: case.environment)


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    """The case holds on the facades over the memory backends."""

    finish(CASES[name].run(stores_of(CASES[name])))


def test_preconditions_can_be_arranged() -> None:
    """Every case fills granted labels only, and names at least one clause."""
    for case in CASES.values():
        assert set(case.kv) <= set(LABELS), case.name
        assert case.clauses, case.name
        assert case.run.__doc__, case.name


def test_the_table_needs_no_test_library() -> None:
    """A component can hold the cases: neither pytest nor hypothesis nor asyncio is imported."""
    script = (
        "import sys; import tests.contracts.table; "
        "print(sorted({'pytest', 'hypothesis', 'asyncio', 'logging'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
