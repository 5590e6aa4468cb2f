"""A program called ``spin`` that records what it is asked and answers as it is told."""

import json
import os
import shlex
import sys
from pathlib import Path

__all__ = ["SpinStandIn"]

_PROGRAM = """\
#!{python}
import json, os, sys
from pathlib import Path
folder = Path({folder!r})
with open(folder / "asked", "a") as asked:
    asked.write(json.dumps(sys.argv[1:]) + chr(10))
answers = json.loads((folder / "answers").read_text())
if sys.argv[1:] == ["--version"]:
    print(answers["version"])
    sys.exit(answers["version_status"])
count = sum("--version" not in line for line in (folder / "asked").read_text().splitlines())
status, said = answers["runs"].get(str(count), [0, ""])
print("kept to itself")
sys.stderr.write(said)
if status < 0:
    os.kill(os.getpid(), -status)
sys.exit(status)
"""


class SpinStandIn:
    """A ``spin`` in a folder of its own.

    Attributes:
        path: A PATH on which it comes first.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "stand-in"
        self._folder.mkdir()
        program = self._folder / "spin"
        program.write_text(_PROGRAM.format(python=sys.executable, folder=str(self._folder)))
        program.chmod(0o755)
        self.path = os.pathsep.join([str(self._folder), os.environ["PATH"]])
        self._answers = {"version": "spin 3.6.3 (88d51cf)", "version_status": 0, "runs": {}}
        self._save()

    def fail(self, run: int, status: int, said: str) -> None:
        """Let one run (counted from 1, ``--version`` aside) end with a status and a text."""
        runs = self._answers["runs"]
        assert isinstance(runs, dict)
        runs[str(run)] = [status, said]
        self._save()

    def be(self, version: str, status: int = 0) -> None:
        """Answer ``--version`` in this way."""
        self._answers |= {"version": version, "version_status": status}
        self._save()

    def asked(self) -> list[list[str]]:
        """The arguments of every run so far."""
        recorded = self._folder / "asked"
        if not recorded.exists():
            return []
        return [json.loads(line) for line in recorded.read_text().splitlines()]

    def lines(self) -> list[str]:
        """The same as command lines."""
        return [shlex.join(["spin", *arguments]) for arguments in self.asked()]

    def _save(self) -> None:
        (self._folder / "answers").write_text(json.dumps(self._answers))
