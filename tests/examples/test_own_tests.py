"""Every example has tests of its own, written with the kit, and they pass."""

import os
import re
import subprocess
import sys

import pytest

from tests.examples.loading import EXAMPLES

NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/spin.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_an_example_passes_its_own_tests(name: str) -> None:
    """Natively, as ``edgezero test --mode native`` runs them."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "edgezero_spin_pytest", "-q"),
            *("-p", "no:cacheprovider", "-W", "error", "tests"),
        ],
        cwd=EXAMPLES / name,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"^[1-9]\d* passed", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_needs_no_helper_but_the_kit(name: str) -> None:
    """Its tests make no requests by other means."""
    for path in (EXAMPLES / name / "tests").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "spin_app" in text or "spin_preload" in text
        assert not re.search(
            r"^(import|from) (httpx|requests|urllib|subprocess)", text, re.MULTILINE
        )
