"""Two programs that serve an application: ``edgezero up`` and ``spin up``."""

import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import attrs

__all__ = ["EMBEDDED", "Program", "Running", "StartFailedError", "find_spin", "running"]

SERVING = re.compile(r"^(?:Serving |  \"base_url\": \")http://127\.0\.0\.1:(\d+)", re.MULTILINE)

# Both compile a component of Python the first time that they see it, and three where two pieces of
# middleware stand before it, which takes minutes on a machine with other work.
START_S = 600


@attrs.frozen
class Program:
    """Something with a subcommand ``up`` and the flags of Spin's.

    Attributes:
        name: For messages.
        command: What to put before ``up``.
    """

    name: str
    command: tuple[str, ...]


EMBEDDED = Program("edgezero", (sys.executable, "-m", "edgezero_spin.cli"))


@functools.cache
def find_spin() -> Program | None:
    """The Spin of ``SPIN``, or the one on ``PATH`` if it is Spin; other programs have its name."""
    named = os.environ.get("SPIN")
    if named:
        return Program("spin", (named,))
    path = shutil.which("spin")
    if path is None:
        return None
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return Program("spin", (path,)) if re.match(r"spin \d+\.\d+", done.stdout) else None


class StartFailedError(Exception):
    """A program ended before it served.

    Attributes:
        status: Of its exit.
        stdout: All of it.
        stderr: All of it.
    """

    def __init__(self, status: int, stdout: str, stderr: str) -> None:
        super().__init__(status, stdout, stderr)
        self.status = status
        self.stdout = stdout
        self.stderr = stderr


class Said:
    """What a process writes to one of its streams, gathered by a thread."""

    def __init__(self, stream: IO[str], changed: threading.Condition) -> None:
        self.text = ""
        self.ended = False
        self._stream = stream
        self._changed = changed
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        for line in self._stream:
            with self._changed:
                self.text += line
                self._changed.notify_all()
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def join(self) -> str:
        """All of it, once the process has ended."""
        self._thread.join()
        return self.text


@attrs.frozen(eq=False)
class Running:
    """A program that serves.

    Attributes:
        program: Which.
        port: On loopback.
        folder: Where it runs.
        stdout: What it said so far.
        stderr: Likewise.
        changed: Told of every line.
    """

    program: Program
    port: int
    folder: Path
    stdout: Said
    stderr: Said
    changed: threading.Condition

    def wait_for(self, text: str, timeout_s: float = 10) -> bool:
        """Return whether it said this on standard error in time."""
        with self.changed:
            return self.changed.wait_for(lambda: text in self.stderr.text, timeout_s)


@contextlib.contextmanager
def running(
    program: Program,
    arguments: Sequence[str | Path],
    *,
    folder: Path,
    environment: dict[str, str] | None = None,
) -> Iterator[Running]:
    """Serve on a free port of loopback until the block ends.

    Args:
        program: Which.
        arguments: For its ``up``.
        folder: Where it runs.
        environment: Besides what there is.

    Raises:
        StartFailedError: It ended before it served.
    """
    # What the developer's shell has set must not decide what a test sees.
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SPIN_", "EDGEZERO_")) and name != "RUNTIME_CONFIG_FILE"
    }
    changed = threading.Condition()
    process = subprocess.Popen(
        [*program.command, "up", "--listen", "127.0.0.1:0", *map(str, arguments)],
        cwd=folder,
        env={**inherited, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    stdout = Said(process.stdout, changed)
    stderr = Said(process.stderr, changed)
    try:
        with changed:
            changed.wait_for(lambda: SERVING.search(stdout.text) or stdout.ended, START_S)
        found = SERVING.search(stdout.text)
        if found is None:
            status = process.wait(START_S)
            raise StartFailedError(status, stdout.join(), stderr.join())
        yield Running(program, int(found[1]), folder, stdout, stderr, changed)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        stdout.join()
        stderr.join()
        process.stdout.close()
        process.stderr.close()
