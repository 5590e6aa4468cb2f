"""``edgezero dev`` as a process, and saves as an editor makes them."""

import contextlib
import http.client
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

__all__ = ["TIMEOUT_S", "Dev", "save"]

TIMEOUT_S = 20


class Dev:
    """A running ``edgezero dev``.

    Attributes:
        port: Where it listens.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "edgezero_spin.cli", "dev", "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(
            [*command, *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self.port = int(self.line_with("Serving http://").rpartition(":")[2])

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout:
            for line in self.process.stdout:
                self._lines.put(line)

    def line_with(self, text: str) -> str:
        """The next line with a text in it."""
        seen = ""
        while True:
            try:
                line = self._lines.get(timeout=TIMEOUT_S)
            except queue.Empty:
                raise AssertionError(f"{text!r} was not printed: {seen}") from None
            if text in line:
                return line.rstrip()
            seen += line

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, str]:
        """Status and body of an answer, over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def stop(self) -> int:
        """Ctrl-C; return the status."""
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(TIMEOUT_S)
        self._thread.join(TIMEOUT_S)
        return status

    def said(self) -> str:
        """What it has printed since the last line that was asked for. For after the end."""
        return "".join(self._lines.get_nowait() for _ in range(self._lines.qsize()))


def save(folder: Path, name: str, before: str, after: str) -> None:
    """Change a file as an editor does."""
    path = folder / name
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
