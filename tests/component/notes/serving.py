"""Start ``edgezero serve`` as a person does, and know when and where it answers."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import attrs

__all__ = ["Served", "serving"]


@attrs.define
class Served:
    """One running ``edgezero serve``.

    Attributes:
        process: The process itself.
        url: Where it answers.
        printed: What it has written to standard output so far.
        complained: What it has written to standard error so far.
    """

    process: "subprocess.Popen[str]"
    url: str = ""
    printed: list[str] = attrs.field(factory=list)
    complained: list[str] = attrs.field(factory=list)

    def kill(self) -> None:
        """End it as a power cut would: no signal handler, no clean-up."""
        self.process.kill()
        self.process.wait(timeout=20)


def _collect(stream: IO[str], lines: list[str]) -> None:
    for line in stream:
        lines.append(line.rstrip("\n"))


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[Served]:
    """Serve the application in a folder on a free port until the block ends.

    It must end with status 0 when it is asked to stop, unless the block killed it.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SPIN_")}
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "edgezero_spin.cli", "serve", "--engine", "embedded"),
            *("--listen", "127.0.0.1:0", *arguments),
        ],
        cwd=folder,
        env={**clean, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    served = Served(process)
    if process.stdout is None or process.stderr is None:
        raise AssertionError("the pipes were asked for")
    errors = threading.Thread(target=_collect, args=[process.stderr, served.complained])
    errors.start()
    for line in process.stdout:
        served.printed.append(line.rstrip("\n"))
        if line.startswith("Serving "):
            served.url = line.split()[1]
        if "(wildcard)" in line:
            break
    output = threading.Thread(target=_collect, args=[process.stdout, served.printed])
    output.start()
    killed = False
    try:
        assert served.url, "\n".join([*served.printed, *served.complained])
        yield served
        killed = process.poll() is not None
    finally:
        process.terminate()
        status = process.wait(timeout=20)
        errors.join()
        output.join()
        process.stdout.close()
        process.stderr.close()
    assert killed or status == 0, "\n".join(served.complained)
