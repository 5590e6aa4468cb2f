"""The component model's test scripts hold on this host's runtime.

Run with ``make test ARGS=tests/component_model COMPONENT_MODEL=/path/to/checkout``. What does not
hold is listed in ``docs/hosting.md``, and these tests fail where that list is not exact.
"""

import itertools
import os
import re
import subprocess
import sysconfig
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from tests.component_model.scripts import Outcome, run_script, split_script

CHECKOUT = os.environ.get("COMPONENT_MODEL")
TOOL = Path(sysconfig.get_path("scripts")) / "wasm-tools"
FOLDER = Path(CHECKOUT or "/nowhere") / "test"
SCRIPTS = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.wast"))

PAGE = Path(__file__).parents[2] / "docs" / "hosting.md"
ROW = re.compile(r"^\| `(?P<script>\S+\.wast)` \| (?P<lines>all|[\d, ]+) \| .+ \|$", re.MULTILINE)
COUNT = re.compile(r"^\| `(assert_\w+)`.* \| (\d+) \| (\d+) \|$", re.MULTILINE)

pytestmark = pytest.mark.skipif(
    not CHECKOUT or not SCRIPTS, reason="COMPONENT_MODEL names no checkout of the component model"
)

_found: dict[str, list[Outcome]] = {}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine without a pool: some scripts have many memories."""
    with make_engine(EngineSettings(pooling=False)) as engine:
        yield engine


def failing() -> dict[str, list[int] | None]:
    """Return what the page says does not hold: lines by script, ``None`` for all of a script."""
    return {
        row["script"]: None if row["lines"] == "all" else [*map(int, row["lines"].split(", "))]
        for row in ROW.finditer(PAGE.read_text(encoding="utf-8"))
    }


@pytest.mark.parametrize("script", SCRIPTS)
def test_script(engine: Engine, tmp_path: Path, script: str) -> None:
    """Every command comes out as the script says, but for those on the page."""
    expected = failing().get(script, [])
    try:
        commands = split_script(TOOL, FOLDER / script, tmp_path)
    except subprocess.CalledProcessError as error:
        assert expected is None, error.stderr.decode()
        return
    found = _found[script] = list(run_script(engine, commands, tmp_path))
    wrong = [outcome for outcome in found if outcome.problem]
    assert [outcome.line for outcome in wrong] == expected, "\n".join(map(str, wrong))


def test_the_page_names_scripts_that_there_are() -> None:
    """No row is left of a script that is gone."""
    assert failing().keys() <= set(SCRIPTS)


def test_totals() -> None:
    """The page says how many assertions of each kind there are, and how many hold."""
    if len(_found) < len(SCRIPTS) - list(failing().values()).count(None):
        pytest.skip("not every script ran")
    total: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for outcome in itertools.chain(*_found.values()):
        kind = outcome.command.replace("malformed", "invalid")
        total[kind] += 1
        held[kind] += not outcome.problem
    said = COUNT.findall(PAGE.read_text(encoding="utf-8"))
    assert len(said) == 4
    for kind, holds, of in said:
        assert (held[kind], total[kind]) == (int(holds), int(of)), kind
