"""Rebuild and reload an application when its files change.

In: a manifest, and what to do for a reload. Out: calls of ``reload`` at the right moments,
and builds. What serves is the caller's business, and so is how to look: this module says
when.

A build that fails, or fails its check, leaves what runs as it is, and so does a manifest that
cannot be read. A change in the middle of a build ends it and starts another one.

Source: contract spin-host.md, CLI-16 and CLI-17.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import attrs
import watchfiles

from edgezero_spin.errors import EdgeZeroError, ProjectError
from edgezero_spin.manifest.spin import load_spin_manifest
from edgezero_spin.project.build import BuildFailedError, BuildStep, check_workdir, plan_build
from edgezero_spin.project.children import search_path
from edgezero_spin.project.last_build import note_last_build
from edgezero_spin.project.watched_files import (
    Signature,
    Snapshot,
    WatchedFiles,
    signature_of,
    watched_files,
)

__all__ = ["Reporter", "WatchSettings", "watch"]

# What changes all the time and concerns no build: version control, the host's own data and
# editors' copies.
_UNSEEN_FOLDERS = (".git", ".spin")
_UNSEEN_SUFFIXES = (".swp", "~")

_LONGEST_WAIT = 20
"""A stream of changes is acted upon after this many times the wait for its end."""


class Reporter(Protocol):
    """Tells a person what happens."""

    def building(self, step: BuildStep) -> None:
        """This command is about to run."""

    def built(self, steps: int) -> None:
        """All of them ran; there may have been none."""

    def failed(self, error: EdgeZeroError, *, serving: bool) -> None:
        """Something cannot be used; what was served before still is, if anything was."""

    def unwatched(self, component_id: str) -> None:
        """A component is built, and nothing says from what."""

    def clear(self) -> None:
        """A new run begins."""


@attrs.frozen(kw_only=True)
class WatchSettings:
    """How to watch.

    Attributes:
        manifest: The application's ``spin.toml``.
        debounce_ms: Milliseconds without a further change before one is acted upon.
        skip_build: Build nothing; reload when what is run changes.
        skip_assets: Changes of ``files`` need no reload.
        check: Called after a build; its ``EdgeZeroError`` says why what was built cannot be used.
    """

    manifest: Path
    profile: str | None = None
    debounce_ms: int = 100
    skip_build: bool = False
    skip_assets: bool = False
    check: Callable[[], Awaitable[None]] | None = None


async def watch(
    settings: WatchSettings, reload: Callable[[], Awaitable[None]], reporter: Reporter
) -> None:
    """Build and reload until cancelled.

    Args:
        reload: Loads the application as it is now and serves it from then on. Its
            ``EdgeZeroError`` is reported, and a later change tries again.
        reporter: Told of everything.

    Raises:
        ManifestError: The manifest cannot be read at the start.
        ProjectError: The system does not tell of changes.
    """
    watcher = _Watcher(settings, reload, reporter)
    try:
        await watcher.run()
    finally:
        await watcher.close()


class _Watcher:
    """The state of one ``watch``."""

    def __init__(
        self, settings: WatchSettings, reload: Callable[[], Awaitable[None]], reporter: Reporter
    ) -> None:
        self._settings = settings
        self._reload = reload
        self._reporter = reporter
        self._read_as: Signature | None = None
        self._files = self._read()
        self._changed = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None
        self._folders: tuple[Path, ...] = ()
        self._built: Snapshot | None = None
        self._loaded: Snapshot | None = None
        self._buildable = settings.skip_build
        self._serving = False
        self._cleared = False

    def _read(self) -> WatchedFiles:
        self._read_as = signature_of(self._settings.manifest)
        manifest = load_spin_manifest(self._settings.manifest, profile=self._settings.profile)
        files = watched_files(manifest, with_assets=not self._settings.skip_assets)
        if not self._settings.skip_build:
            for id in files.unwatched:
                self._reporter.unwatched(id)
        return files

    async def run(self) -> None:
        while True:
            await self._listen()
            # Before anything is looked at, so that a change from here on is not missed.
            self._changed.clear()
            self._read_again()
            await self._catch_up()
            await self._next_change()
            self._cleared = False

    async def _next_change(self) -> None:
        listener = self._listener
        if listener is None or not listener.done():
            await self._changed.wait()
        if listener is not None and listener.done():
            # Nobody would tell of another change: the reason is better than silence.
            listener.result()

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            # Whatever ended it before was told already.
            await asyncio.wait({self._listener})
            self._listener = None

    def _read_again(self) -> None:
        """Take over what a changed manifest says of files; a broken one changes nothing."""
        if signature_of(self._settings.manifest) == self._read_as:
            return
        # Whatever is wrong with it is told when it is used.
        with contextlib.suppress(EdgeZeroError):
            self._files = self._read()
        if self._files.folders() != self._folders:
            # The next round begins with watching those.
            self._changed.set()

    async def _listen(self) -> None:
        folders = self._files.folders()
        if folders == self._folders:
            return
        await self.close()
        self._folders = folders
        self._listener = asyncio.create_task(self._pass_on(folders))
        self._listener.add_done_callback(lambda _: self._changed.set())
        # The task's first step, up to its first wait, starts the watch.
        await asyncio.sleep(0)

    async def _pass_on(self, folders: tuple[Path, ...]) -> None:
        pause = max(1, self._settings.debounce_ms)
        try:
            async for _ in watchfiles.awatch(
                *folders,
                watch_filter=lambda _, path: _is_seen(path, folders),
                step=pause,
                debounce=pause * _LONGEST_WAIT,
                ignore_permission_denied=True,
            ):
                self._changed.set()
        except (OSError, RuntimeError) as error:
            # Such as a system that lets a user watch no more files.
            raise ProjectError(f"cannot watch {', '.join(map(str, folders))}: {error}") from error

    async def _catch_up(self) -> None:
        """Build if what a build reads is new, then load if what a run reads is."""
        if not self._settings.skip_build:
            while self._files.source_snapshot() != self._built:
                self._clear()
                self._buildable = await self._build()
                self._read_again()
        if not self._buildable:
            return
        content = self._files.content_snapshot()
        if content == self._loaded:
            return
        self._loaded = content
        self._clear()
        try:
            await self._reload()
        except EdgeZeroError as error:
            self._reporter.failed(error, serving=self._serving)
        else:
            self._serving = True

    def _clear(self) -> None:
        if not self._cleared:
            self._cleared = True
            self._reporter.clear()

    async def _build(self) -> bool:
        """Run the build commands; ``False`` when one failed or was overtaken by a change."""
        self._built = self._files.source_snapshot()
        try:
            steps = plan_build(self._settings.manifest, profile=self._settings.profile)
            for step in steps:
                self._reporter.building(step)
                if not await self._run(step):
                    return False
            if steps:
                note_last_build(self._settings.manifest.parent, self._settings.profile)
            self._reporter.built(len(steps))
            if self._settings.check is not None:
                await self._settings.check()
        except EdgeZeroError as error:
            self._reporter.failed(error, serving=self._serving)
            return False
        return True

    async def _run(self, step: BuildStep) -> bool:
        """Run one command; ``False`` when a change ended it."""
        check_workdir(step)
        child = await _started(step)
        ending = asyncio.create_task(child.wait())
        try:
            while not ending.done():
                change = asyncio.create_task(self._changed.wait())
                try:
                    await asyncio.wait({ending, change}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    change.cancel()
                self._changed.clear()
                if not ending.done() and self._files.source_snapshot() != self._built:
                    return False
        finally:
            if not ending.done():
                _kill(child)
            await ending
        status = ending.result()
        if status:
            status = status if status > 0 else 128 - status
            raise BuildFailedError(step.component_id, step.command, status)
        return True


async def _started(step: BuildStep) -> asyncio.subprocess.Process:
    """Start a command in a group of its own, to be ended with everything that it started."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            "sh",
            "-c",
            step.command,
            stdin=asyncio.subprocess.DEVNULL,
            cwd=step.workdir,
            env={**os.environ, "PATH": search_path()},
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # It may run already, and what it started would outlive it.
        child = await starting
        _kill(child)
        await child.wait()
        raise


def _kill(child: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _is_seen(path: str, folders: tuple[Path, ...]) -> bool:
    """Whether a change may be one of ours; only what certainly is not is left out."""
    if path.endswith(_UNSEEN_SUFFIXES):
        return False
    changed = Path(path)
    return not any(
        part in _UNSEEN_FOLDERS
        for folder in folders
        if changed.is_relative_to(folder)
        for part in changed.relative_to(folder).parts
    )
