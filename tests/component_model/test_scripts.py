"""The component model's test scripts hold on this host's runtime.

Run with ``make test ARGS=tests/component_model COMPONENT_MODEL=/path/to/checkout``. With
``-rP`` the last test shows how many assertions of each kind hold.
"""

import os
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
ASSERTIONS = ("assert_return", "assert_trap", "assert_uninstantiable", "validation")

STACKS = {
    "async/async-calls-sync.wast": 2,
    "async/big-interleaving-test.wast": 4,
    "async/cancel-subtask.wast": 1,
    "async/sync-barges-in.wast": 1,
    "async/sync-streams.wast": 1,
}
"""Commands that need a second stack: a function that was called asynchronously blocks, and its
caller would have to go on. Commands after the first that fail because the instance trapped are
among them."""

THREADS = {
    "async/during-sync-call-may-block-if-other-ready-threads.wast": 3,
    "async/during-sync-call-no-exclusive-resume.wast": 6,
    "async/during-sync-call-no-sibling-resume.wast": 4,
    "async/trap-if-block-and-sync.wast": 4,
    "async/trap-if-sync-and-waitable-set.wast": 4,
}
"""Commands that use threads within a component, a proposal that Spin does not run either."""

UNSUPPORTED = {"binary/binary.wast": 1, "validation/outer-alias.wast": 1}
"""Commands that use proposals: garbage-collected core types and aliases of them."""

UNVALIDATED = {
    "validation/annotated-names.wast": 1,
    "validation/core-modules.wast": 1,
    "validation/external-visibility.wast": 4,
    "validation/resources.wast": 1,
}
"""Invalid components that are accepted: rules about names, and what the engine refuses later."""

pytestmark = pytest.mark.skipif(
    not CHECKOUT or not SCRIPTS, reason="COMPONENT_MODEL names no checkout of the component model"
)

_found: dict[str, list[Outcome]] = {}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine without a pool: some scripts have many memories."""
    with make_engine(EngineSettings(pooling=False)) as engine:
        yield engine


@pytest.mark.parametrize("script", SCRIPTS)
def test_script(engine: Engine, tmp_path: Path, script: str) -> None:
    """Every command of a script comes out as the script says."""
    try:
        commands = split_script(TOOL, FOLDER / script, tmp_path)
    except subprocess.CalledProcessError as error:
        if "no longer supported" in error.stderr.decode():
            pytest.skip("uses an option that wasm-tools no longer reads")
        raise
    found = _found[script] = list(run_script(engine, commands, tmp_path))
    wrong = [outcome for outcome in found if outcome.problem]
    allowed = sum(known.get(script, 0) for known in (STACKS, THREADS, UNSUPPORTED, UNVALIDATED))
    assert len(wrong) <= allowed, "\n".join(map(str, wrong))


def test_totals() -> None:
    """How many assertions of each kind hold is shown, and no kind is missing."""
    total: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for outcomes in _found.values():
        for outcome in outcomes:
            kind = outcome.command
            if kind in ("assert_invalid", "assert_malformed"):
                kind = "validation"
            total[kind] += 1
            held[kind] += not outcome.problem
    for kind in ASSERTIONS:
        print(f"{kind}: {held[kind]} of {total[kind]}")
    assert not _found or set(ASSERTIONS) <= set(total) or len(_found) < len(SCRIPTS)
