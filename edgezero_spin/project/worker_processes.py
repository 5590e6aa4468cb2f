"""Worker processes: further processes that answer the connections of one listening socket.

Python code of one process runs on one processor at a time. Each worker is a process with a host of
its own; what the processes share is on disk or on servers. The first one accepts, and deals
connections out, to itself and to each worker in turn: of several that accept from one socket, the
one that happens to be awake would get nearly all of a few. A worker that ends by itself is started
again. All end with the first process, whichever way that one ends: each holds one end of a socket
pair, and stops when the other end is closed.

In: a listening socket and a command line. Effect: processes of that command line, which finds in
its environment what it inherits (``WorkerPlace``).

Source: our own; the flag is that of ``uvicorn --workers``, the dealing that of Node's ``cluster``.
"""

import asyncio
import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic

import attrs

from edgezero_spin.errors import ProjectError

__all__ = ["WorkerPlace", "WorkerProcesses"]

VARIABLE = "EDGEZERO_WORKER"

MOST_ACCEPTED = 16
"""Connections that are accepted before others of the loop have their turn."""

ACCEPT_PAUSE_S = 1.0
"""Seconds without accepting where the system has no descriptor for another connection."""

RESTART_PAUSE_S = 1.0
"""A worker that ended sooner than so long after its start is not started again before that."""

KILLED_AFTER_S = 2.0
"""Seconds that a worker has beyond those of its requests, before it is killed."""

Take = Callable[[socket.socket], None]


@attrs.define
class WorkerPlace:
    """What a worker process inherits: connections, as an ``Acceptor`` gives them.

    Attributes:
        address: Where clients connect to.
        digest: Of the image that all processes run; ``None`` for an application from files.
    """

    address: tuple[str, int]
    digest: str | None
    _control: socket.socket

    @classmethod
    def inherited(cls) -> "WorkerPlace | None":
        """Return what this process inherited; ``None`` where it is no worker."""
        text = os.environ.pop(VARIABLE, None)
        if text is None:
            return None
        given = json.loads(text)
        control = socket.socket(fileno=given["control"])
        return cls(tuple(given["address"]), given["digest"], control)

    def begin(self, take: Take) -> None:
        """Ask for connections, and end this process with the one that gives them."""
        control, loop = self._control, asyncio.get_running_loop()

        def read() -> None:
            for _ in range(MOST_ACCEPTED):
                try:
                    data, descriptors, _, _ = socket.recv_fds(control, 1, 1)
                except BlockingIOError:
                    return
                except ConnectionError:
                    data, descriptors = b"", []
                for descriptor in descriptors:
                    take(socket.socket(fileno=descriptor))
                if not data:
                    loop.remove_reader(control)
                    os.kill(os.getpid(), signal.SIGTERM)
                    return

        control.sendall(b"\n")
        control.setblocking(False)
        loop.add_reader(control, read)

    def close(self) -> None:
        """Take no connection any more."""


@attrs.define(eq=False)
class _Worker:
    """One of the processes.

    Attributes:
        control: Our end of its socket pair.
        since_s: When it was started.
    """

    process: "subprocess.Popen[bytes]"
    control: socket.socket
    since_s: float = attrs.field(factory=monotonic)

    def give(self, connection: socket.socket) -> bool:
        """Have it answer a connection; ``False`` where it cannot at this moment."""
        try:
            socket.send_fds(self.control, [b"c"], [connection.fileno()], flags=socket.MSG_DONTWAIT)
        except OSError:
            return False
        return True


class WorkerProcesses:
    """The workers of one server, beside its first process, whose ``Acceptor`` this is.

    ``end`` has to follow in any case.
    """

    def __init__(
        self,
        count: int,
        arguments: Sequence[str],
        listener: socket.socket,
        *,
        folder: Path,
        digest: str | None,
        say: Callable[[str], None],
    ) -> None:
        """Start nothing yet.

        Args:
            count: How many. At least 1.
            arguments: What was typed behind ``edgezero``.
            listener: A socket that listens and does not block.
            folder: Where it was typed.
            digest: See ``WorkerPlace``.
            say: Told when one answers requests or ends by itself, on a thread of its own.

        Raises:
            ProjectError: Processes of this system do not pass sockets to each other.
        """
        if sys.platform == "win32":
            raise ProjectError("--workers needs a system whose processes pass sockets: not Windows")
        self._arguments = arguments
        self._listener = listener
        self._folder = folder
        self._digest = digest
        self._say = say
        self._count = count
        self._lock = threading.Lock()
        self._workers: set[_Worker] = set()
        # Those that take connections, and whose turn it is: the first process is `None`.
        self._ready: list[_Worker | None] = [None]
        self._next = 0
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where clients connect to."""
        address, port = self._listener.getsockname()[:2]
        return address, port

    def begin(self, take: Take) -> None:
        """Accept connections, and start the workers."""
        self._loop = loop = asyncio.get_running_loop()

        def accept() -> None:
            for _ in range(MOST_ACCEPTED):
                try:
                    connection, _ = self._listener.accept()
                except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                    return
                except OSError as error:
                    if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                        raise
                    self._say(f"no connection is accepted for a moment: {error.strerror}")
                    loop.remove_reader(self._listener)
                    loop.call_later(ACCEPT_PAUSE_S, resume)
                    return
                if self._deal(connection):
                    connection.close()
                else:
                    take(connection)

        def resume() -> None:
            if not self._stopping.is_set():
                loop.add_reader(self._listener, accept)

        resume()
        for number in range(2, self._count + 2):
            thread = threading.Thread(
                target=self._keep, args=(number,), name=f"edgezero-worker-{number}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def _deal(self, connection: socket.socket) -> bool:
        """Give a connection to the worker whose turn it is; ``False`` where it is for us."""
        with self._lock:
            self._next = (self._next + 1) % len(self._ready)
            worker = self._ready[self._next]
            return worker is not None and worker.give(connection)

    def _keep(self, number: int) -> None:
        """Run one worker, and another whenever it ends by itself."""
        for worker in self._started():
            served = bool(worker.control.recv(1))
            if served:
                with self._lock:
                    self._ready.append(worker)
                if not self._stopping.is_set():
                    pid = worker.process.pid
                    self._say(f"worker {number} answers requests (process {pid})")
                # Nothing comes any more: this waits for its end.
                worker.control.recv(1)
            status = worker.process.wait()
            with self._lock:
                self._workers.discard(worker)
                if served:
                    self._ready.remove(worker)
                worker.control.close()
            if self._stopping.is_set():
                return
            if not served:
                self._say(f"worker {number} could not start (status {status}) and is left out")
                return
            self._say(f"worker {number} ended by itself (status {status}) and is started again")
            self._stopping.wait(worker.since_s + RESTART_PAUSE_S - monotonic())

    def _started(self) -> Iterator[_Worker]:
        while True:
            ours, theirs = socket.socketpair()
            with theirs, self._lock:
                if self._stopping.is_set():
                    ours.close()
                    return
                worker = _Worker(self._start(theirs), ours)
                self._workers.add(worker)
            yield worker

    def _start(self, control: socket.socket) -> "subprocess.Popen[bytes]":
        place = {
            "address": self.address,
            "control": control.fileno(),
            "digest": self._digest,
        }
        return subprocess.Popen(
            # -P: modules of the folder it runs in are none of ours.
            [sys.executable, "-P", "-m", "edgezero_spin.cli", *self._arguments],
            cwd=self._folder,
            env={**os.environ, VARIABLE: json.dumps(place)},
            pass_fds=(control.fileno(),),
            stdin=subprocess.DEVNULL,
            # Ctrl-C is for the first process, which tells the others.
            start_new_session=True,
        )

    def close(self) -> None:
        """Accept no connection any more, and have the workers end with their last request."""
        if self._loop is not None and not self._stopping.is_set():
            self._loop.remove_reader(self._listener)
        with self._lock:
            self._stopping.set()
            for worker in self._workers:
                with contextlib.suppress(OSError):
                    worker.control.shutdown(socket.SHUT_WR)

    async def drain(self, timeout_s: float, hurried: asyncio.Event) -> None:
        """Wait until they have ended, which ``close`` began.

        Args:
            timeout_s: What they give their requests.
            hurried: Set when they are to end at once.
        """
        ends = asyncio.create_task(asyncio.to_thread(self._wait, timeout_s + KILLED_AFTER_S))
        hurry = asyncio.create_task(hurried.wait())
        await asyncio.wait({ends, hurry}, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if hurried.is_set():
            self._signal(signal.SIGTERM)
        await ends

    def end(self) -> None:
        """End what is left of them, and close the socket. Twice is harmless."""
        with self._lock:
            self._stopping.set()
        self._wait(0)
        self._listener.close()

    def _wait(self, timeout_s: float) -> None:
        until_s = monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, until_s - monotonic()))
        self._signal(signal.SIGKILL)
        for thread in self._threads:
            thread.join()

    def _signal(self, number: int) -> None:
        with self._lock:
            for worker in self._workers:
                worker.process.send_signal(number)
