"""Where the stdout and stderr of components go.

Each component has two files in the log directory, opened for appending by each instance
that writes (ENV-5), and what is followed is also echoed, both streams alike and without a
prefix, to the host's stderr (ENV-7). Without a log directory everything is echoed (ENV-10).

A disk that is full or a directory that vanished never stops a request: the bytes are lost
and the host says so once.
"""

import logging
import os
import re
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from edgezero_spin.errors import HostError

__all__ = ["ComponentLog", "LogDirectoryError", "Logs", "Sink"]

logger = logging.getLogger("edgezero_spin.host")

STREAMS = ("stdout", "stderr")

# Ids are kebab-case in a checked manifest; a lock file may hold anything.
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")

_echo_lock = threading.Lock()


class LogDirectoryError(HostError):
    """The directory for component logs cannot be used.

    Raised at start-up.

    Attributes:
        path: The directory.
        reason: What the system said.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot write component logs to {self.path}: {self.reason}"


class Sink:
    """One instance's view of one log: a file, the host's stderr, both or neither."""

    __slots__ = ("_descriptor", "_echo", "_path")

    def __init__(self, path: Path | None, echo: "_Echo | None") -> None:
        self._path = path
        self._echo = echo
        self._descriptor: int | None = None

    def write(self, data: bytes) -> None:
        """Append bytes and echo them."""
        path = self._path
        if path is not None:
            try:
                self._append(path, data)
            except OSError as error:
                _lost(path, error)
        if self._echo is not None:
            self._echo.write(data)

    def _append(self, path: Path, data: bytes) -> None:
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
            self._descriptor = os.open(path, flags, 0o644)
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def close(self) -> None:
        """Close the file if one was opened. Twice is harmless."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class _Echo:
    """The host's stderr, or what an embedding program put in its place."""

    __slots__ = ("_target",)

    def __init__(self, target: BinaryIO | None) -> None:
        self._target = target

    def write(self, data: bytes) -> None:
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


def _stderr() -> BinaryIO | None:
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

    __slots__ = ("_echo", "paths")

    def __init__(self, paths: dict[str, Path], echo: _Echo | None) -> None:
        self.paths = paths
        self._echo = echo

    def open(self, stream: str) -> Sink:
        """Return the sink of ``stdout`` or ``stderr``; nothing is opened before a write."""
        return Sink(self.paths.get(stream), self._echo)


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
        echo_to: BinaryIO | None = None,
        truncate: bool = False,
    ) -> None:
        """Make the directory.

        Args:
            directory: Where the files go, made when missing.
            follow: Ids of the components to echo; ``None`` echoes all, ``()`` none.
            echo_to: Where to echo; ``None`` means the process's stderr.
            truncate: Empty the files of earlier runs (ENV-6).

        Raises:
            LogDirectoryError: The directory cannot be made or written.
        """
        self.directory = directory
        self._follow = None if follow is None else frozenset(follow)
        self._echo = _Echo(echo_to)
        if directory is not None:
            self._prepare(directory, truncate)

    def _prepare(self, directory: Path, truncate: bool) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            if truncate:
                for stream in STREAMS:
                    for path in directory.glob(f"*{stream}.txt"):
                        os.truncate(path, 0)
        except OSError as error:
            raise LogDirectoryError(directory, error.strerror or str(error)) from error
        if not os.access(directory, os.W_OK | os.X_OK):
            raise LogDirectoryError(directory, "permission denied")

    def of(self, component_id: str) -> ComponentLog:
        """The log of one component."""
        directory = self.directory
        if directory is None:
            return ComponentLog({}, self._echo)
        name = _UNSAFE.sub("_", component_id)
        paths = {stream: directory / f"{name}_{stream}.txt" for stream in STREAMS}
        followed = self._follow is None or component_id in self._follow
        return ComponentLog(paths, self._echo if followed else None)
