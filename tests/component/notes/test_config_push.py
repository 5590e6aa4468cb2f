"""What ``edgezero config push`` writes is what the running component reads."""

import json
import shutil
import urllib.request
from pathlib import Path

from tests.cli.running import edgezero
from tests.component.notes.conftest import GRANTS
from tests.component.notes.serving import serving


def greeting(url: str) -> str:
    """What the service greets with, out of its configuration."""
    with urllib.request.urlopen(url, timeout=20) as response:
        text: str = json.load(response)["greeting"]
    return text


def test_a_push_reaches_a_component_that_is_being_served(built: Path, tmp_path: Path) -> None:
    """The next request sees the new value; the host needs no restart."""  # PSH-13, SQL-6, CFG-1
    folder = tmp_path / "notes"
    shutil.copytree(built, folder, ignore=shutil.ignore_patterns(".spin"))
    with serving(folder, *GRANTS) as served:
        for text in ("Pushed", "Grüße"):
            pushed = edgezero("config", "push", cwd=folder, env={"NOTES__GREETING": text})
            assert pushed.returncode == 0, pushed.stderr
            assert greeting(served.url) == text
