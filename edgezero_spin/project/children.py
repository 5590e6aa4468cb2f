"""Run another program to its end, with the terminal of this process.

In: what to run, where, with which environment. Out: its exit status, as a shell counts it.
Ctrl-C reaches the child by way of the terminal, and a request to end this process is passed
on to it: in both cases the child ends in its own way and its status is ours.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

__all__ = ["run_child", "search_path"]


def run_child(
    command: Sequence[str] | str,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Run a program, or a line for ``sh``, and wait for its end.

    Args:
        folder: Where it runs; the current folder when ``None``.
        environment: All its variables; those of this process when ``None``.

    Returns:
        Its exit status; 128 and the signal's number when a signal ended it.

    Raises:
        OSError: It cannot be started.
    """
    arguments = ["sh", "-c", command] if isinstance(command, str) else list(command)
    with _asked_to_end() as pass_on:
        child = subprocess.Popen(arguments, cwd=folder, env=environment)
        pass_on(child)
        while True:
            try:
                status = child.wait()
                break
            except KeyboardInterrupt:
                # The terminal sent Ctrl-C to the child as well: let it finish in its own way.
                continue
    return status if status >= 0 else 128 - status


def search_path(environment: Mapping[str, str] = os.environ) -> str:
    """Return a PATH on which the programs of the running interpreter come first.

    A command line finds the ``edgezero`` that started it also where no virtual
    environment is active.
    """
    here = Path(sys.executable).parent
    return os.pathsep.join([str(here), environment.get("PATH", os.defpath)])


@contextmanager
def _asked_to_end() -> "Iterator[Callable[[subprocess.Popen[bytes]], None]]":
    """Hand SIGTERM to a child, also when it comes before the child is known.

    Only the main thread can; elsewhere nothing changes.
    """
    children: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def hand_over(number: int, frame: FrameType | None) -> None:
        for child in children:
            child.send_signal(number)
        if not children:
            early.append(number)

    def pass_on(child: "subprocess.Popen[bytes]") -> None:
        children.append(child)
        for number in early:
            child.send_signal(number)

    if threading.current_thread() is not threading.main_thread():
        yield pass_on
        return
    before = signal.signal(signal.SIGTERM, hand_over)
    try:
        yield pass_on
    finally:
        signal.signal(signal.SIGTERM, before)
