"""Logs of components: their stdout and stderr, in files and echoed.

Each component has two files in the log directory, opened for appending while any instance
writes (ENV-5), and what is followed is also echoed, both streams alike and without a
prefix, to the host's stderr (ENV-7). Without a log directory everything is echoed (ENV-10).

A file that is full is renamed to ``<component>_<stream>.1.txt``, in the place of the one before,
and a new one begun; so a component cannot fill the disk. On a terminal, control characters are
shown as escapes: what a component prints may be what a client sent.

With ``as_json`` what is echoed is one JSON object a line, of what a component printed as one line.

A disk that is full or a directory that vanished never stops a request: the bytes are lost
and the host says so once.
"""

import codecs
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from edgezero_spin.errors import HostError

__all__ = [
    "DEFAULT_MAX_BYTES",
    "ComponentLog",
    "EchoTarget",
    "LogDirectoryError",
    "Logs",
    "ObservedSink",
    "Sink",
    "rotated",
]

logger = logging.getLogger("edgezero_spin.host")

STREAMS = ("stdout", "stderr")

DEFAULT_MAX_BYTES = 16 * 1024 * 1024
"""Size of a log file past which the next one is begun. Spin's have no limit."""

# Ids are kebab-case in a checked manifest; a lock file may hold anything.
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")

_echo_lock = threading.Lock()

MOST_LINE_BYTES = 64 * 1024
"""Bytes of a line without an end that become an object of JSON."""

TraceId = Callable[[], str | None]


class EchoTarget(Protocol):
    """Where output is echoed: a binary file, or what has these methods of one."""

    def write(self, data: bytes, /) -> object:
        """Take bytes."""

    def flush(self) -> object:
        """Pass on what was taken."""

    def isatty(self) -> bool:
        """Whether control characters would reach a terminal."""


class LogDirectoryError(HostError):
    """The directory for component logs cannot be used.

    Raised at start-up.

    Attributes:
        reason: What the system said.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot write component logs to {self.path}: {self.reason}"


class _LogFile:
    """One file, shared by all instances of a component that write to it."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._users = 0
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Keep the file open until ``release``."""
        with self._lock:
            self._users += 1

    def release(self) -> None:
        """End one ``acquire``."""
        with self._lock:
            self._users -= 1
            if not self._users:
                self._close()

    def append(self, data: bytes) -> None:
        """Add bytes at the end; lost where the file cannot be written."""
        try:
            with self._lock:
                self._append(data)
        except OSError as error:
            _lost(self.path, error)

    def _append(self, data: bytes) -> None:
        descriptor = self._open() if self._descriptor is None else self._descriptor
        # Not counted here: several processes may write to it.
        there = os.fstat(descriptor)
        if there.st_size and there.st_size + len(data) > self._max_bytes:
            is_current = self._is_at_its_path(there)
            self._close()
            if is_current:
                self.path.replace(rotated(self.path))
            descriptor = self._open()
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]

    def _is_at_its_path(self, there: os.stat_result) -> bool:
        """Whether no other process has put a new file there already."""
        try:
            return os.path.samestat(there, self.path.stat())
        except FileNotFoundError:
            return False

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        self._descriptor = os.open(self.path, flags, 0o644)
        return self._descriptor

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def rotated(path: Path) -> Path:
    """Where the content of a log goes that is full."""
    return path.with_suffix(f".1{path.suffix}")


class Sink:
    """One instance's view of one log: a file, the host's stderr, both or neither."""

    __slots__ = ("_decoder", "_echo", "_file", "_open")

    def __init__(self, file: _LogFile | None, echo: "_Echo | None") -> None:
        self._file = file
        self._echo = echo
        self._open = False
        self._decoder: codecs.IncrementalDecoder | None = None

    def write(self, data: bytes) -> None:
        """Append bytes and echo them."""
        if self._file is not None:
            if not self._open:
                self._open = True
                self._file.acquire()
            self._file.append(data)
        if self._echo is not None:
            self._echo.write(self._escaped(data) if self._echo.is_terminal() else data)

    def _escaped(self, data: bytes) -> bytes:
        # A character may be parted by two writes, and half of one escapes nothing.
        if self._decoder is None:
            self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        return _CONTROLS.sub(_escape, self._decoder.decode(data)).encode()

    def close(self) -> None:
        """Close the file if one was opened. Twice is harmless."""
        if self._open and self._file is not None:
            self._open = False
            self._file.release()


class ObservedSink(Sink):
    """A sink whose bytes somebody else sees, too."""

    __slots__ = ("_inner", "_wrote")

    def __init__(self, inner: Sink, wrote: Callable[[bytes], None]) -> None:
        """Pass bytes on to ``inner`` and then to ``wrote``."""
        super().__init__(None, None)
        self._inner = inner
        self._wrote = wrote

    def write(self, data: bytes) -> None:
        """Append bytes and show them."""
        self._inner.write(data)
        self._wrote(bytes(data))

    def close(self) -> None:
        """Close what they are passed on to."""
        self._inner.close()


# All that a terminal may obey: C0 but tab and line feed, DEL, C1, and what turns text around.
_CONTROLS = re.compile(
    "\r(?!\n)|[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def _escape(found: "re.Match[str]") -> str:
    return found[0].encode("unicode_escape").decode("ascii")


class _JsonSink(Sink):
    """A sink that echoes each line as JSON."""

    __slots__ = ("_about", "_line", "_trace_id")

    def __init__(
        self, file: _LogFile | None, echo: "_Echo", about: dict[str, str], trace_id: TraceId
    ) -> None:
        super().__init__(file, None)
        self._echo = echo
        self._about = about
        self._trace_id = trace_id
        self._line = b""

    def write(self, data: bytes) -> None:
        """Append bytes, and echo the lines that they end."""
        echo, self._echo = self._echo, None
        super().write(data)
        self._echo = echo
        *lines, self._line = (self._line + data).split(b"\n")
        while len(self._line) > MOST_LINE_BYTES:
            lines.append(self._line[:MOST_LINE_BYTES])
            self._line = self._line[MOST_LINE_BYTES:]
        if lines:
            self._show(lines)

    def _show(self, lines: list[bytes]) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        trace_id = self._trace_id()
        traced = {} if trace_id is None else {"trace_id": trace_id}
        shown = (
            json.dumps(
                {
                    "time": at,
                    **self._about,
                    "message": line.removesuffix(b"\r").decode("utf-8", "backslashreplace"),
                    **traced,
                },
                ensure_ascii=False,
            )
            for line in lines
        )
        text = _CONTROLS.sub(
            lambda found: f"\\u{ord(found[0]):04x}", "".join(f"{s}\n" for s in shown)
        )
        if self._echo is not None:
            self._echo.write(text.encode())

    def close(self) -> None:
        """Show a last line that has no end, and close the file."""
        if self._line:
            line, self._line = self._line, b""
            self._show([line])
        super().close()


class _Echo:
    """The host's stderr, or what an embedding program put in its place."""

    __slots__ = ("_target",)

    def __init__(self, target: EchoTarget | None) -> None:
        self._target = target

    def is_terminal(self) -> bool:
        """Whether somebody looks at it on a terminal."""
        target = self._target if self._target is not None else _stderr()
        try:
            return target is not None and target.isatty()
        except ValueError:
            return False

    def write(self, data: bytes) -> None:
        """Pass bytes on."""
        target = self._target if self._target is not None else _stderr()
        if target is None:
            return
        try:
            with _echo_lock:
                target.write(data)
                target.flush()
        except (OSError, ValueError):
            # A closed or broken stderr is nobody's request's fault.
            return


def _stderr() -> EchoTarget | None:
    # Looked up at each write: test runners and notebooks exchange it.
    return getattr(sys.stderr, "buffer", None)


_reported: set[Path] = set()


def _lost(path: Path, error: OSError) -> None:
    if path not in _reported:
        _reported.add(path)
        logger.warning("component output is lost: cannot write %s: %s", path, error.strerror)


class ComponentLog:
    """Opens the logs of one component.

    Attributes:
        paths: Stream name to file; empty without a log directory.
    """

    __slots__ = ("_echo", "_files", "_json_id", "paths")

    def __init__(
        self,
        paths: dict[str, Path],
        echo: _Echo | None,
        max_bytes: int = DEFAULT_MAX_BYTES,
        *,
        json_id: str | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            paths: Stream name to file.
            echo: Where output is echoed; ``None`` for nowhere.
            max_bytes: Size of a file past which the next one is begun.
            json_id: The component's id where each line is echoed as JSON; ``None`` where not.
        """
        self.paths = paths
        self._json_id = json_id
        self._files = {stream: _LogFile(path, max_bytes) for stream, path in paths.items()}
        self._echo = echo

    def open(self, stream: str, trace_id: TraceId = lambda: None) -> Sink:
        """Return the sink of ``stdout`` or ``stderr``; nothing is opened before a write.

        Args:
            stream: Which of the two.
            trace_id: Returns the id of the trace that a line belongs to.
        """
        file = self._files.get(stream)
        if self._json_id is not None and self._echo is not None:
            about = {"component": self._json_id, "stream": stream}
            return _JsonSink(file, self._echo, about, trace_id)
        return Sink(file, self._echo)


class Logs:
    """The logs of one application.

    Attributes:
        directory: Where the files are; ``None`` when everything is only echoed.
    """

    def __init__(
        self,
        directory: Path | None,
        *,
        follow: Iterable[str] | None = None,
        echo_to: EchoTarget | None = None,
        truncate: bool = False,
        max_bytes: int = DEFAULT_MAX_BYTES,
        as_json: bool = False,
    ) -> None:
        """Make the directory.

        Args:
            directory: Where the files go, made when missing.
            follow: Ids of the components to echo; ``None`` echoes all, ``()`` none.
            echo_to: Where to echo; ``None`` means the process's stderr.
            truncate: Empty the files of earlier runs (ENV-6).
            max_bytes: Size of a file past which the next one is begun; one that was full is
                kept beside it.
            as_json: Echo each line as a JSON object, with time, component, stream and message.

        Raises:
            LogDirectoryError: The directory cannot be made or written.
        """
        self.directory = directory
        self._follow = None if follow is None else frozenset(follow)
        self._echo = _Echo(echo_to)
        self._max_bytes = max_bytes
        self._as_json = as_json
        if directory is not None:
            self._prepare(directory, truncate)

    def _prepare(self, directory: Path, truncate: bool) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            if truncate:
                for stream in STREAMS:
                    for path in directory.glob(f"*{stream}.txt"):
                        os.truncate(path, 0)
                        rotated(path).unlink(missing_ok=True)
        except OSError as error:
            raise LogDirectoryError(directory, error.strerror or str(error)) from error
        if not os.access(directory, os.W_OK | os.X_OK):
            raise LogDirectoryError(directory, "permission denied")

    def of(self, component_id: str) -> ComponentLog:
        """The log of one component."""
        directory = self.directory
        json_id = component_id if self._as_json else None
        if directory is None:
            return ComponentLog({}, self._echo, json_id=json_id)
        name = _UNSAFE.sub("_", component_id)
        paths = {stream: directory / f"{name}_{stream}.txt" for stream in STREAMS}
        followed = self._follow is None or component_id in self._follow
        echo = self._echo if followed else None
        return ComponentLog(paths, echo, self._max_bytes, json_id=json_id)
