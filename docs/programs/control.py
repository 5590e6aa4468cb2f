"""Applications that files start, replace and stop, or one file that names them all.

Every file of the control directory is one application, as JSON::

    {"reference": "ghcr.io/acme/notes:1.0", "address": "127.0.0.1:3001", "state_dir": "notes"}

The reference is an image in a registry, best with its digest (``@sha256:...``), or a manifest, lock
or component on this disk. Adding a file starts an application, changing it replaces the one that
runs, removing it stops it. What goes wrong with one is said on standard error and leaves the others
alone.

A file in place of the directory has all applications at once, and does not start with one that
cannot be loaded::

    {"apps": [{"reference": ..., "address": ..., "state_dir": ...}, ...]}

    python control.py [directory or file]
"""

import asyncio
import json
import signal
import sys
import threading
from pathlib import Path

import attrs

from edgezero_spin.errors import EdgeZeroError
from edgezero_spin.host import Host
from edgezero_spin.host.http.server import Listening, serve_async
from edgezero_spin.host.runtime.engine import Engine, make_engine
from edgezero_spin.manifest.image_reference import is_probable_reference

LOOK_EVERY_S = 0.25


class EntryError(ValueError):
    """A file does not say what to run."""


@attrs.frozen(kw_only=True)
class Entry:
    """What is said of one application.

    Attributes:
        reference: An image, or a manifest, lock or component on this disk.
        address: Where it listens.
        state_dir: Where it keeps its data.
        insecure: Ask the registry without TLS.
    """

    reference: str
    address: str
    state_dir: str
    insecure: bool = False

    @classmethod
    def read(cls, value: object) -> "Entry":
        """Check what JSON says.

        Raises:
            EntryError: It is something else.
        """
        if not isinstance(value, dict):
            raise EntryError("expected an object with reference, address and state_dir")
        for name in ("reference", "address", "state_dir"):
            if not isinstance(value.get(name), str):
                raise EntryError(f"{name} is missing, or no text")
        unknown = value.keys() - {"reference", "address", "state_dir", "insecure"}
        if unknown:
            raise EntryError(f"unknown: {', '.join(sorted(unknown))}")
        return cls(**value)

    def load(self, engine: Engine) -> Host:
        """Load the application; that takes a while when its components have to be compiled."""
        path = Path(self.reference)
        if not path.exists() and is_probable_reference(self.reference):
            return Host.from_registry(
                self.reference, insecure=self.insecure, state_dir=self.state_dir, engine=engine
            )
        find = Host.from_lock if path.suffix == ".lock" else Host.from_manifest
        return find(path, state_dir=self.state_dir, engine=engine)


def read_json(path: Path) -> object:
    """Read a file.

    Raises:
        ValueError: It is no JSON.
    """
    return json.loads(path.read_text(encoding="utf-8"))


class Application:
    """One running application: a host, and the task that serves it."""

    def __init__(self, path: Path, entry: Entry, engine: Engine) -> None:
        """Load it."""
        self.path = path
        self.entry = entry
        self.host = entry.load(engine)
        self.stopping = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.task = asyncio.create_task(self._serve())

    async def _serve(self) -> None:
        try:
            await serve_async(
                self.host, self.entry.address, on_listening=self._announce, stop=self.stopping
            )
        except EdgeZeroError as error:
            complain(f'Failed to run app from "{self.path}": {error}')

    def _announce(self, where: Listening) -> None:
        digest = f" {self.host.image_digest}" if self.host.image_digest else ""
        print(f'"{self.path}" serving {where.url}{digest}', flush=True)

    async def end(self) -> None:
        """Let requests in flight finish, then free everything."""
        self.stopping.set()
        if self.task is not None:
            await self.task
        await asyncio.to_thread(self.host.close)


class Control:
    """Follows one directory."""

    def __init__(self, directory: Path, engine: Engine) -> None:
        self.directory = directory
        self.engine = engine
        self.running: dict[Path, Application] = {}
        self.seen: dict[Path, tuple[int, int]] = {}
        self.looked = False

    async def look(self) -> None:
        """Make the applications be what the files say now."""
        before, self.seen = self.seen, self._files()
        new, self.looked = "added" if self.looked else "found", True
        for path in before.keys() - self.seen.keys():
            print(f'"{path}" deleted', flush=True)
            await self._end(path)
        for path, stamp in self.seen.items():
            if before.get(path) != stamp:
                print(f'"{path}" {"changed" if path in before else new}', flush=True)
                await self._end(path)
                await self._begin(path)

    def _files(self) -> dict[Path, tuple[int, int]]:
        found = {}
        for path in sorted(self.directory.iterdir()):
            if path.is_file():
                about = path.stat()
                found[path] = (about.st_mtime_ns, about.st_size)
        return found

    async def _begin(self, path: Path) -> None:
        try:
            entry = Entry.read(read_json(path))
            application = await asyncio.to_thread(Application, path, entry, self.engine)
        except (EdgeZeroError, OSError, ValueError) as error:
            complain(f'Failed to load app from "{path}": {error}')
        else:
            self.running[path] = application
            application.start()

    async def _end(self, path: Path) -> None:
        application = self.running.pop(path, None)
        if application is not None:
            await application.end()

    async def close(self) -> None:
        """Stop everything."""
        for path in list(self.running):
            await self._end(path)


async def serve_all(file: Path, stop: threading.Event) -> None:
    """Serve what one file names until ``stop``, which is set in any case at the end.

    Raises:
        EdgeZeroError: An application cannot be loaded; none runs then.
        ValueError: The file is something else.
    """
    with make_engine() as engine:
        applications: list[Application] = []
        try:
            value = read_json(file)
            if not isinstance(value, dict) or not isinstance(value.get("apps"), list):
                raise EntryError('expected {"apps": [...]}')
            for entry in map(Entry.read, value["apps"]):
                name = Path(entry.reference)
                applications.append(await asyncio.to_thread(Application, name, entry, engine))
            for application in applications:
                application.start()
            await asyncio.to_thread(stop.wait)
        finally:
            stop.set()
            for application in applications:
                await application.end()


def complain(text: str) -> None:
    """One line on standard error."""
    print(f"ERROR: {text}".replace("\n", "; "), file=sys.stderr, flush=True)


async def follow(directory: Path, stop: threading.Event) -> None:
    """Follow a directory until ``stop``, which is set in any case at the end."""
    with make_engine() as engine:
        control = Control(directory, engine)
        try:
            while not stop.is_set():
                await control.look()
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            stop.set()
            await control.close()


def main(control: str = "apps") -> int:
    """Follow a directory, made when it is missing, or serve a file, until SIGINT or SIGTERM."""
    place = Path(control)
    fixed = place.is_file()
    if not fixed:
        place.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    problems: list[str] = []

    def run() -> None:
        try:
            asyncio.run(serve_all(place, stop) if fixed else follow(place, stop))
        except (EdgeZeroError, OSError, ValueError) as error:
            problems.append(f'Failed to run "{place}": {error}')

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # Not in the main thread, where every server would take the signals for itself.
    thread = threading.Thread(target=run)
    thread.start()
    stop.wait()
    thread.join()
    for problem in problems:
        complain(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
