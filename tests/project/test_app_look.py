"""Declarations of an app, read in a process of its own."""

from pathlib import Path

import pytest

from edgezero_spin.project.app_look import describe_app, look_at_app
from edgezero_spin.project.errors import AppImportError

APP = """\
import sys
from edgezero_spin import App
app = App("large")
print("x" * 200_000)
for number in range(300):
    app.get(f"/{number}-{'x' * 500}")(lambda: "")
"""

# More than a pipe holds, which nobody reads while the app is imported.
LARGE = 100_000


def test_a_large_document_is_read_to_its_end(tmp_path: Path) -> None:
    """Neither what the app prints nor what it answers holds the other one up."""
    (tmp_path / "large.py").write_text(APP)
    document = describe_app("large", "app", tmp_path)
    assert len(document["paths"]) == 300
    assert sum(map(len, document["paths"])) > LARGE


def test_a_large_app_is_looked_at(tmp_path: Path) -> None:
    """All of its modules are named, however many they are."""
    names = [f"m{number:03}_{'x' * 200}" for number in range(600)]
    for name in names:
        (tmp_path / f"{name}.py").touch()
    text = "".join(f"import {name}\n" for name in names)
    (tmp_path / "large.py").write_text(text + APP)
    found = look_at_app("large", "app", tmp_path)
    assert set(names) < set(found.modules)
    assert found.needs == {"http"}


def test_an_app_that_ends_the_interpreter_says_so(tmp_path: Path) -> None:
    """Nothing is answered then, and what it wrote is told."""
    (tmp_path / "ending.py").write_text("import os\nprint('gone', flush=True)\nos._exit(0)\n")
    with pytest.raises(AppImportError, match=r"(?s)its import fails.*gone"):
        look_at_app("ending", "app", tmp_path)
