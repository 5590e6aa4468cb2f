"""Applications that files start, replace and stop.

Every file of the control directory is one application, as JSON::

    {"reference": "notes/spin.toml", "address": "127.0.0.1:3001", "state_dir": "notes/.state"}

Adding a file starts an application, changing it replaces the one that runs, removing it
stops it. Each has its own state directory; what goes wrong with one is said on standard
error and leaves the others alone.

    python control.py [directory]
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

LOOK_EVERY_S = 0.25


@attrs.frozen(kw_only=True)
class Entry:
    """What a file says."""

    reference: str = attrs.field(validator=attrs.validators.instance_of(str))
    address: str = attrs.field(validator=attrs.validators.instance_of(str))
    state_dir: str = attrs.field(validator=attrs.validators.instance_of(str))


def entry_of(path: Path) -> Entry:
    """Read a file."""
    return Entry(**json.loads(path.read_text(encoding="utf-8")))


class Application:
    """One running application: a host, and the task that serves it."""

    def __init__(self, path: Path, entry: Entry, engine: Engine) -> None:
        """Load it; that takes a while when its components have to be compiled."""
        self.path = path
        self.entry = entry
        self.host = Host.from_manifest(entry.reference, state_dir=entry.state_dir, engine=engine)
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
        print(f'"{self.path}" serving {where.url}', flush=True)

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

    async def look(self) -> None:
        """Make the applications be what the files say now."""
        before, self.seen = self.seen, self._files()
        for path in before.keys() - self.seen.keys():
            print(f'"{path}" deleted', flush=True)
            await self._end(path)
        for path, stamp in self.seen.items():
            if before.get(path) != stamp:
                print(f'"{path}" {"changed" if path in before else "added"}', flush=True)
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
            application = await asyncio.to_thread(Application, path, entry_of(path), self.engine)
        except (EdgeZeroError, OSError, TypeError, ValueError) as error:
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


def main(directory: str = "apps") -> None:
    """Follow a directory, made when it is missing, until SIGINT or SIGTERM."""
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # Not in the main thread, where every server would take the signals for itself.
    thread = threading.Thread(target=lambda: asyncio.run(follow(folder, stop)))
    thread.start()
    stop.wait()
    thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
