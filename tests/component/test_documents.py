"""Every command line on a page of ours is typed, and prints what the page says."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import Command, File, matches, read_session

pytestmark = pytest.mark.component

ROOT = Path(__file__).parent.parent.parent
# What they show is served until Ctrl-C: tests/host/test_operating_page.py types it.
TYPED_ELSEWHERE = {ROOT / "docs" / "explorer.md", ROOT / "docs" / "operating.md"}
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "examples/*/README.md", "benchmarks/*.md")
    for page in ROOT.glob(pattern)
    if page not in TYPED_ELSEWHERE and any(isinstance(step, Command) for step in read_session(page))
)
SHOWN_ADDRESS = "127.0.0.1:3000"


class Session:
    """A reader at work: one folder, one free port, the environment's programs on the PATH.

    ``edgezero serve`` runs on beside the commands that follow it. A ``make`` target is
    looked up in the Makefile, not run: this test may be running inside one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self.env = {**os.environ, "PATH": path, "SPIN_HTTP_LISTEN_ADDR": self.address}
        self.server: subprocess.Popen[str] | None = None

    def type(self, command: Command) -> None:
        """Run one command and compare what it prints."""
        line = command.line.replace(SHOWN_ADDRESS, self.address)
        expected = command.expected.replace(SHOWN_ADDRESS, self.address)
        words = line.split()
        if "make" in words:
            self._look_up(line)
        elif words[:2] == ["edgezero", "serve"]:
            printed = self._serve(line, expected)
            assert not expected or matches(expected, printed), printed
        else:
            done = subprocess.run(
                ["bash", "-c", line],
                cwd=self.folder,
                env=self.env,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            assert not expected or matches(expected, done.stdout), f"{line}\n{done.stdout}"

    def _look_up(self, line: str) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        ready = Path(sys.prefix) / ".ready"
        dry = line.replace("make", f"make --dry-run -o '{ready}' VENV='{sys.prefix}'", 1)
        subprocess.run(["bash", "-c", dry], cwd=ROOT, env=clean, check=True, capture_output=True)

    def _serve(self, line: str, expected: str) -> str:
        """Start the server; return as many lines of what it prints as are expected."""
        self.server = subprocess.Popen(
            ["bash", "-c", f"exec {line}"],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.server.stdout is not None
        assert self.server.stderr is not None
        printed = ""
        for text in self.server.stdout:
            printed += text
            # An empty line comes before the first.
            if printed.count("\n") > len(expected.splitlines()):
                return printed
        raise AssertionError(f"{line}\n{printed}{self.server.stderr.read()}")

    def close(self) -> None:
        """Stop the server, which must have been content until now."""
        if self.server is not None:
            assert self.server.poll() is None
            self.server.terminate()
            self.server.communicate(timeout=20)
            assert self.server.returncode == 0


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A reader in an empty folder."""
    reader = Session(tmp_path / "page")
    yield reader
    reader.close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_is_true(page: Path, session: Session) -> None:
    """A reader who writes the files and types the commands sees what the page shows."""
    if page.parent.parent == ROOT / "examples":
        left_behind = shutil.ignore_patterns(".*", "*.wasm", "__pycache__")
        shutil.copytree(page.parent, session.folder, ignore=left_behind)
    else:
        session.folder.mkdir()
    for step in read_session(page):
        if isinstance(step, File):
            (session.folder / step.name).write_text(step.text, encoding="utf-8")
        else:
            session.type(step)
