"""Damaged components: whatever they do is answered with an error of this library.

``python -m tests.host.runtime.mutants 100000`` does the same with many more, in processes of
their own, so that a crash or a call that never returns is told as well.
"""

from collections import Counter
from pathlib import Path

from tests.host.runtime.mutants import Stage, mutant_engine, own_seeds, run_mutant


def test_damaged_components_are_refused_trap_or_work(tmp_path: Path) -> None:
    """Two hundred of them, and many are called."""
    seeds = own_seeds()
    with mutant_engine() as engine:
        stages = Counter(
            run_mutant(engine, seeds, number, tmp_path / "mutant.wasm") for number in range(200)
        )
    assert stages[Stage.RETURNED] > 20
    assert stages[Stage.CALLED] > 5
    assert stages[Stage.REFUSED] > 50
