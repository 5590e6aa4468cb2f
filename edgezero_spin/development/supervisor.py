"""The supervisor of ``edgezero dev``: the socket, the files, and one order per save.

In: what to serve. Effect: serves until it is stopped, and loads the app again whenever a file of it
changes: sources, templates, data, manifests.

Source: our own.
"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import watchfiles

from edgezero_spin.development.application import AppPlace
from edgezero_spin.errors import ProjectError
from edgezero_spin.host.http.listening import Listening

__all__ = ["AppLoad", "DevSettings", "supervise"]

DEBOUNCE_MS = 20
"""Milliseconds without a further change before one is acted upon: editors write twice."""

_UNSEEN_FOLDERS = frozenset(
    {"__pycache__", "node_modules", "target", "venv", ".git", ".spin", ".venv", ".edgezero"}
)
_UNSEEN_SUFFIXES = (".pyc", ".swp", ".wasm", ".db", ".db-journal", ".db-wal", ".db-shm", "~")


@attrs.frozen(kw_only=True)
class DevSettings:
    """What to serve, and how.

    Attributes:
        manifest: The ``spin.toml``.
        place: Where the app is.
        run: What ``edgezero up`` would be told: variables, stores, environment.
        access_log: ``text``, ``json`` or ``None`` for no line per request.
        explorer: A socket for the explorer and the token of its address; ``None`` for none.
    """

    manifest: Path
    place: AppPlace
    run: dict[str, Any]
    access_log: str | None
    explorer: tuple[socket.socket, str] | None = None


@attrs.frozen(kw_only=True)
class AppLoad:
    """One load of the app.

    Attributes:
        first: Whether nothing was served before.
        seconds: How long it took; ``None`` when it failed.
        error: Why it failed.
        routes: How many routes the app has.
        notices: Lines for whoever started it.
    """

    first: bool
    seconds: float | None = None
    error: str | None = None
    routes: int = 0
    notices: tuple[str, ...] = ()


async def supervise(
    settings: DevSettings,
    listening: socket.socket,
    report: Callable[[AppLoad], None],
    stop: asyncio.Event,
) -> None:
    """Serve until ``stop`` is set.

    Args:
        settings: What to serve.
        listening: A socket that accepts connections.
        report: Told of each load.
        stop: Ends all.

    Raises:
        ProjectError: The process that loads the app ended by itself, or the system does not fork.
    """
    if not hasattr(os, "fork"):
        raise ProjectError("`edgezero dev` needs a system that forks; `edgezero watch` does not")
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    options = {
        "manifest": str(settings.manifest.absolute()),
        "component_id": settings.place.component_id,
        "run": settings.run,
        "access_log": settings.access_log,
        "url": Listening(*listening.getsockname()[:2]).url,
        "explorer": None,
    }
    passed = [listening.fileno(), theirs.fileno()]
    if settings.explorer is not None:
        shown, token = settings.explorer
        options["explorer"] = {"socket": shown.fileno(), "token": token}
        passed.append(shown.fileno())
    with ours:
        with theirs:
            process = subprocess.Popen(  # noqa: ASYNC220 - a fork and an exec
                [
                    *(sys.executable, "-m", "edgezero_spin.development.forking"),
                    *(str(listening.fileno()), str(theirs.fileno()), json.dumps(options)),
                ],
                pass_fds=passed,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        try:
            await _order(settings, ours, report, stop)
        finally:
            # Its end is what the other process waits for.
            ours.close()
            await asyncio.to_thread(process.wait)


async def _order(
    settings: DevSettings,
    control: socket.socket,
    report: Callable[[AppLoad], None],
    stop: asyncio.Event,
) -> None:
    reader, writer = await asyncio.open_connection(sock=control)
    first = True
    try:
        async for _ in _changes(settings, stop):
            writer.write(b"load\n")
            line = await _until(reader.readline(), stop)
            if line is None:
                return
            if not line:
                raise ProjectError("the process that loads the app has ended")
            said = json.loads(line)
            report(
                AppLoad(
                    first=first,
                    seconds=said.get("seconds"),
                    error=said.get("error"),
                    routes=said.get("routes", 0),
                    notices=tuple(said.get("notices", ())),
                )
            )
            first = False
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def _until(work: Any, stop: asyncio.Event) -> Any:
    """Await something, but no longer than until the stop; ``None`` then."""
    task = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if task.done():
        return task.result()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return None


async def _changes(settings: DevSettings, stop: asyncio.Event) -> AsyncIterator[None]:
    """Yield once, and again whenever a file changed."""
    folders = {settings.manifest.parent.resolve(), settings.place.folder}
    watched = [f for f in folders if not any(other in f.parents for other in folders)]
    awaited = watchfiles.awatch(
        *watched,
        watch_filter=_seen_below(watched),
        debounce=1600,
        step=DEBOUNCE_MS,
        stop_event=stop,
        recursive=True,
        yield_on_timeout=True,
        rust_timeout=5000,
    )
    # Changes are noticed from now on, those during the first load among them.
    following = asyncio.ensure_future(anext(awaited, None))
    try:
        yield
        while (changes := await following) is not None:
            following = asyncio.ensure_future(anext(awaited, None))
            if changes:
                yield
    finally:
        following.cancel()


def _seen_below(roots: list[Path]) -> Callable[[watchfiles.Change, str], bool]:
    """Return what tells whether a changed path is a part of the app."""

    def is_seen(change: watchfiles.Change, text: str) -> bool:
        path = Path(text)
        root = next((root for root in roots if path.is_relative_to(root)), path.parent)
        inside = path.relative_to(root).parts
        unseen = _UNSEEN_FOLDERS.intersection(inside) or text.endswith(_UNSEEN_SUFFIXES)
        return not (unseen or path.name.startswith(".#"))

    return is_seen
