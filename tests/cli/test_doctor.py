"""``edgezero doctor`` as a person runs it."""

import json
from pathlib import Path

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
