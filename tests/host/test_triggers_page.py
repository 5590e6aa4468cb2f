"""The page about triggers, and its program: they are run as they stand."""

import asyncio
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from edgezero_spin.host.runtime.engine import Engine
from tests.documents import File, read_session
from tests.host.test_embedding_programs import Program
from tests.host.triggers.applications import HEAD
from tests.host.triggers.guest import CRON, MQTT, REDIS, guest

PAGE = Path(__file__).parents[2] / "docs" / "triggers.md"


def test_its_app_and_its_test_run_as_they_stand(tmp_path: Path) -> None:
    """The test on the page passes on the app on the page."""
    for name, text in re.findall(r"```python (\S+)\n(.*?)```", PAGE.read_text(), re.DOTALL):
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_app.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_its_application_takes_its_events(
    shared_engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The manifest is loaded as it stands, and the program hands it an event of each kind."""
    (shown,) = (
        part for part in read_session(PAGE) if isinstance(part, File) and part.name == "spin.toml"
    )
    (tmp_path / shown.name).write_text(shown.text)
    for name, kind in (("worker", REDIS), ("doors", MQTT), ("nightly", CRON)):
        # A component file is text or binary, whatever it is called.
        (tmp_path / f"{name}.wasm").write_text(guest(kind))
    (program,) = re.findall(r"```python\n(import asyncio.*?)```", PAGE.read_text(), re.DOTALL)
    path = tmp_path / "program.py"
    path.write_text(program)
    names = runpy.run_path(str(path))
    asyncio.run(names["try_out"](str(tmp_path / "spin.toml")))
    assert capsys.readouterr().out == "worker OK \ndoors OK \nnightly OK \n"


def test_its_own_kind_of_trigger_takes_files(tmp_path: Path) -> None:
    """A file that appears is taken by the component; a table without a folder is refused."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (tmp_path / "guest.wat").write_text(guest(REDIS))
    manifest = tmp_path / "spin.toml"
    table = f'[[trigger.folder]]\npath = "{inbox}"\ncomponent = "worker"\n'
    manifest.write_text(f'{HEAD}{table}[component.worker]\nsource = "guest.wat"\n')
    program = Program("folder_trigger.py", manifest)
    program.until("Looking into")
    (inbox / "new.part").write_bytes(b"new content")
    program.until("new content")
    program.stop()
    manifest.write_text(manifest.read_text().replace("path =", "folder ="))
    program = Program("folder_trigger.py", manifest)
    program.until('path is missing; write path = "inbox"')
    program.process.communicate(timeout=30)
