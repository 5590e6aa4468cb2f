"""``edgezero doctor`` as a person runs it."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import edgezero


def test_findings_are_listed_and_counted(tmp_path: Path) -> None:
    """A problem makes the status 1; the remedy stands below what was found."""
    (tmp_path / ".git").mkdir()
    done = edgezero("doctor", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "No problems found."
    (tmp_path / "spin.toml").write_text("nonsense")
    done = edgezero("doctor", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    *_, found, remedy, count = done.stdout.splitlines()
    assert found.startswith("problem ")
    assert str(tmp_path / "spin.toml") in found
    assert remedy == "          Correct the file."
    assert count == "1 problem(s)"


def test_findings_can_be_read_by_programs(tmp_path: Path) -> None:
    """JSON has the same findings and the same status."""
    (tmp_path / "spin.toml").write_text("nonsense")
    done = edgezero("doctor", "--format", "json", cwd=tmp_path)
    assert done.returncode == 1
    findings = json.loads(done.stdout)
    assert findings[0]["level"] == "ok"
    assert findings[-1]["level"] == "problem"
    assert set(findings[-1]) == {"level", "what", "remedy"}


BROKEN = """\
# The shop's manifest.
spin_manifest_version = 2
[application]
name = "shop"   # not "store"
[[trigger.http]]
route = "/..."
component = "shop"
[component.shop]
source = "shop.wasm"   # built below
key_value_stores = ["notes"]
[component.shop.build]
command = "echo x > shop.wasm"
"""


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A project that was never built and whose store has no stanza."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "spin.toml").write_text(BROKEN)
    (tmp_path / "runtime-config.toml").write_text("# ours\n")
    return tmp_path


def test_what_can_be_mended_is_mended(broken: Path) -> None:
    """Each once, comments stay, and what is left is still told."""  # DOC-1, CLI-40
    (broken / ".spin").mkdir()
    (broken / ".spin" / "last-build.txt").write_text("debug")
    done = edgezero("doctor", "--fix", "--yes", cwd=broken)
    assert (done.returncode, done.stderr) == (1, "")
    fixed = [line for line in done.stdout.splitlines() if line.startswith("Fixed: ")]
    assert fixed == [
        "Fixed: run `edgezero build -c shop`",
        f"Fixed: add [key_value_store.notes] to {broken / 'runtime-config.toml'}",
    ]
    assert (broken / "shop.wasm").read_text() == "x\n"
    # As `edgezero build` notes it, so that `edgezero up` does not warn (CLI-15).
    assert (broken / ".spin" / "last-build.txt").read_text() == "<anonymous>"
    assert (broken / "spin.toml").read_text() == BROKEN
    config = (broken / "runtime-config.toml").read_text()
    assert config.startswith("# ours\n")
    assert "[key_value_store.notes]" in config
    # What was built is no component, which nothing mends.
    assert "shop.wasm: is not a component" in done.stdout
    again = edgezero("doctor", "--fix", "--yes", cwd=broken)
    assert "Fixed" not in again.stdout


def test_a_project_is_in_order_after_it(tmp_path: Path) -> None:
    """A label that edgezero.toml needs is added, and then the stanza that this needs."""
    edgezero("new", "app", cwd=tmp_path)
    folder = tmp_path / "app"
    for name in ("spin.toml", "runtime-config.toml"):
        text = (folder / name).read_text()
        kept = [line for line in text.splitlines() if "app_config" not in line]
        # Compiling is not what this is about.
        text = "\n".join(kept).replace("edgezero componentize app:app -o", "echo x >")
        (folder / name).write_text(text + "\n")
    before = (folder / "spin.toml").read_text()
    done = edgezero("doctor", "--fix", "--yes", cwd=folder)
    assert "Fixed: add the label to" in done.stdout
    assert "app_config" in (folder / "spin.toml").read_text()
    assert [line for line in before.splitlines() if line.startswith("#")] == [
        line for line in (folder / "spin.toml").read_text().splitlines() if line.startswith("#")
    ]


def test_an_old_manifest_is_mended_step_by_step(tmp_path: Path) -> None:
    """What one repair brings to light is mended in the same run (CLI-40)."""
    manifest = tmp_path / "spin.toml"
    text = 'name = "old"\n[[component]]\nid = "a"\nsource = "a.wat"\n'
    manifest.write_text(f'spin_version = "1"\n{text}')
    (tmp_path / "a.wat").write_text("(component)")
    done = edgezero("doctor", "--fix", "--yes", cwd=tmp_path)
    fixed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("Fixed: ")]
    assert fixed == ["replace", "add", "set", "upgrade"]
    assert "spin_manifest_version = 2\n" in manifest.read_text()
    assert (tmp_path / "spin.toml.v1_backup").read_text().startswith("spin_manifest_version")
    assert "Fixed: " not in edgezero("doctor", "--fix", "--yes", cwd=tmp_path).stdout


def test_a_fix_that_fails_leaves_the_others(broken: Path) -> None:
    """It is said why, and the next one is tried."""
    (broken / "spin.toml").write_text(BROKEN.replace("echo x > shop.wasm", "exit 7"))
    done = edgezero("doctor", "--fix", "--yes", cwd=broken)
    assert done.returncode == 1
    assert "not mended: build command for component shop failed with status 7" in done.stderr
    assert "Fixed: add [key_value_store.notes]" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_person_is_asked_before_each(broken: Path) -> None:
    """No is an answer."""
    terminal, end = pty.openpty()
    os.write(terminal, b"n\ny\n")
    command = [sys.executable, "-m", "edgezero_spin.cli", "doctor", "--fix"]
    try:
        subprocess.run(
            command, cwd=broken, stdin=end, stderr=end, stdout=subprocess.PIPE, timeout=60
        )
        said = os.read(terminal, 65536).decode()
    finally:
        os.close(terminal)
        os.close(end)
    assert "Fix: run `edgezero build -c shop`? [y/N]" in said
    assert not (broken / "shop.wasm").exists()
    assert "[key_value_store.notes]" in (broken / "runtime-config.toml").read_text()


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--fix"], "nobody can be asked: add --yes"),
        (["--yes"], "--yes needs --fix"),
        (["--fix", "--yes", "--format", "json"], "exclude each other"),
    ],
)
def test_flags_that_do_not_fit(flags: list[str], says: str, broken: Path) -> None:
    """Wrong usage changes nothing."""
    done = edgezero("doctor", *flags, cwd=broken)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert not (broken / "shop.wasm").exists()
