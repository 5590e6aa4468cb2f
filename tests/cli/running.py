"""Run the real ``edgezero`` in a process of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["edgezero", "get", "refusal", "running"]


def edgezero(
    *arguments: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    typed: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run one command line to its end, with what is typed then, and return what it printed."""
    return subprocess.run(
        [sys.executable, "-m", "edgezero_spin.cli", *map(str, arguments)],
        cwd=cwd,
        env=_environment(env),
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    # What the developer's shell has set must not decide what a test sees.
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SPIN_", "EDGEZERO_")) and name != "RUNTIME_CONFIG_FILE"
    }
    return {**clean, **(more or {})}


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one message of a run that must have failed in the documented way."""
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    marked = [line for line in done.stderr.splitlines() if line.startswith("[edgezero] Error: ")]
    assert len(marked) == 1, done.stderr
    return done.stderr[done.stderr.index(marked[0]) :]


@contextlib.contextmanager
def running(
    *arguments: str | Path,
    begin: Sequence[str] = ("up",),
    env: Mapping[str, str] | None = None,
    cached: bool = False,
    pooled: bool = False,
) -> Iterator[tuple[dict[str, Any], "subprocess.Popen[str]"]]:
    """Run ``edgezero up`` until the test is done; yield what it said and the process.

    Args:
        arguments: Its flags, with those that make it print one JSON object.
        begin: The words that run it.
        env: Further environment variables.
        cached: Leave the cache of compiled components as it is.
        pooled: Leave the pool as it is.
    """
    command = [sys.executable, "-m", "edgezero_spin.cli", *begin]
    command += [] if cached else ["--disable-cache"]
    command += [] if pooled else ["--disable-pooling"]
    process = subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(env),
    )
    try:
        stdout = process.stdout
        assert stdout is not None
        said = ""
        while line := stdout.readline():
            said += line
            if line == "}\n":
                break
        assert said, process.communicate()[1]
        yield json.loads(said[said.index("{") :]), process
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors


def get(url: str) -> tuple[int, bytes]:
    """Status and body, past any proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=20) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
