"""The complete test suite of every example, in both modes, compared answer by answer."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.project.world import DEFAULT_WASI, WASI_VERSIONS, Wasi
from tests.examples.loading import EXAMPLES

NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/spin.toml"))


@pytest.mark.parametrize("wasi", WASI_VERSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_every_answer_of_a_suite_is_the_same_in_both_modes(
    name: str, wasi: Wasi, tmp_path: Path
) -> None:
    """Status, headers, body and store calls of every request of every test, one by one.

    The suite is run as its reader runs it; the component is built by the plugin.
    """
    folder, record = tmp_path / name, tmp_path / "record.json"
    left_behind = shutil.ignore_patterns(".*", "*.wasm", "__pycache__")
    shutil.copytree(EXAMPLES / name, folder, ignore=left_behind)
    if wasi != DEFAULT_WASI:
        with (folder / "edgezero.toml").open("a", encoding="utf-8") as settings:
            settings.write(f'\n[adapters.spin]\nwasi = "{wasi}"\n')
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "edgezero_spin_pytest"),
            *("-p", "tests.kit_recorder", "-p", "no:cacheprovider", "-q", "-W", "error"),
            *("--spin-mode", "both", "--spin-stats", "tests"),
        ],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONDONTWRITEBYTECODE": "1",
            "KIT_RECORD": str(record),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    counted = re.search(r"^(\d+) passed", done.stdout, re.MULTILINE)
    assert counted is not None

    answers: dict[str, list[dict[str, Any]]] = json.loads(record.read_text(encoding="utf-8"))
    modes = {
        mode: {test.replace(mode, "MODE"): given for test, given in answers.items() if mode in test}
        for mode in ("native", "component")
    }
    assert modes["native"].keys() == modes["component"].keys()
    # Every test of the suite runs twice, and asks for something.
    assert len(answers) == int(counted[1]) == 2 * len(modes["native"])
    for test, expected in modes["native"].items():
        for one, other in zip(expected, modes["component"][test], strict=True):
            assert other == one, test
    # One line of the summary for each test that ran on the component.
    rows = re.findall(r"^ +[\d,]+ +\d+ +[\d.]+  \S+\[component.*\]", done.stdout, re.MULTILINE)
    assert len(rows) == len(modes["component"]), done.stdout
