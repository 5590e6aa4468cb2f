"""Building and reloading when files change: real files, real events, real build commands."""

import asyncio
import contextlib
import os
import select
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import watchfiles

from edgezero_spin.errors import EdgeZeroError, ManifestError, ProjectError
from edgezero_spin.project.build import BuildStep
from edgezero_spin.project.watching import WatchSettings, watch

MANIFEST = """\
spin_manifest_version = 2
[application]
name = "demo"
[[trigger.http]]
route = "/..."
component = "hello"
[component.hello]
source = "hello.wasm"
files = ["static/*"]
[component.hello.build]
command = "sh build.sh"
watch = ["src/*"]
"""
BUILD = "cp src/hello hello.wasm"

TIMEOUT_S = 20


@attrs.define
class Journal:
    """What the watch said, and what it loaded."""

    folder: Path
    events: asyncio.Queue[str] = attrs.field(factory=asyncio.Queue)
    refused: EdgeZeroError | None = None

    def building(self, step: BuildStep) -> None:
        self.events.put_nowait(f"building {step.component_id}")

    def built(self, steps: int) -> None:
        self.events.put_nowait(f"built {steps}")

    def failed(self, error: EdgeZeroError, *, serving: bool) -> None:
        self.events.put_nowait(f"failed {'serving' if serving else 'idle'}: {error}")

    def unwatched(self, component_id: str) -> None:
        self.events.put_nowait(f"unwatched {component_id}")

    def clear(self) -> None:
        self.events.put_nowait("clear")

    async def reload(self) -> None:
        if self.refused is not None:
            raise self.refused
        wasm = self.folder / "hello.wasm"
        self.events.put_nowait(f"loaded {wasm.read_text() if wasm.exists() else 'nothing'}")

    async def until(self, wanted: str) -> list[str]:
        """The events up to the first that begins like this one."""
        seen: list[str] = []
        async with asyncio.timeout(TIMEOUT_S):
            while not seen or not seen[-1].startswith(wanted):
                seen.append(await self.events.get())
        return seen


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder with an application whose build copies its source."""
    for name in ("src", "static"):
        (tmp_path / name).mkdir()
    (tmp_path / "src" / "hello").write_text("one")
    (tmp_path / "static" / "page").write_text("page")
    (tmp_path / "build.sh").write_text(BUILD)
    (tmp_path / "spin.toml").write_text(MANIFEST)
    return tmp_path


def put(path: Path, text: str) -> None:
    """Write a file in one step, so that nobody finds half of it."""
    whole = path.with_name(f".{path.name}.swp")
    whole.write_text(text)
    whole.replace(path)


@contextlib.asynccontextmanager
async def watching(app: Path, **options: object) -> AsyncIterator[Journal]:
    """Watch the application until the test is done."""
    journal = Journal(app)
    settings = WatchSettings(
        manifest=app / "spin.toml",
        debounce_ms=10,
        **options,  # type: ignore[arg-type]
    )
    task = asyncio.create_task(watch(settings, journal.reload, journal))
    try:
        yield journal
        assert not task.done() or task.exception() is None
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


Change = Callable[[Path], object]


async def after(app: Path, change: Change, wanted: str, **options: object) -> list[str]:
    """What happens upon a change of a running application, up to an event."""
    async with watching(app, **options) as journal:
        await journal.until("loaded")
        change(app)
        return await journal.until(wanted)


def test_a_start_builds_and_loads(app: Path) -> None:
    """In this order (CLI-17)."""

    async def scenario() -> list[str]:
        async with watching(app) as journal:
            return await journal.until("loaded")

    assert asyncio.run(scenario()) == ["clear", "building hello", "built 1", "loaded one"]


def test_a_changed_source_is_built_and_loaded(app: Path) -> None:
    """Once, although the component file changes as well."""

    async def scenario() -> list[str]:
        async with watching(app) as journal:
            await journal.until("loaded")
            put(app / "src" / "hello", "two")
            seen = await journal.until("loaded")
            # The file that the build wrote has made events of its own.
            put(app / "src" / "hello", "three")
            return seen + await journal.until("loaded")

    once = ["clear", "building hello", "built 1"]
    assert asyncio.run(scenario()) == [*once, "loaded two", *once, "loaded three"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda app: put(app / "hello.wasm", "new"), id="component"),
        pytest.param(lambda app: put(app / "static" / "page", "changed"), id="file"),
        pytest.param(lambda app: put(app / "static" / "more", "more"), id="one more file"),
        pytest.param(lambda app: (app / "static" / "page").unlink(), id="one file less"),
    ],
)
def test_changed_content_is_loaded_without_a_build(app: Path, change: Change) -> None:
    """Component files and `files` (CLI-17)."""
    seen = asyncio.run(after(app, change, "loaded"))
    assert seen in (["clear", "loaded one"], ["clear", "loaded new"])


def test_files_that_are_mounted_in_place_need_no_reload(app: Path) -> None:
    """The guest sees their changes anyway (CLI-17)."""

    def change(app: Path) -> None:
        put(app / "static" / "page", "changed")
        put(app / "src" / "hello", "two")

    seen = asyncio.run(after(app, change, "loaded", skip_assets=True))
    assert seen == ["clear", "building hello", "built 1", "loaded two"]


def test_what_nobody_named_is_no_change(app: Path) -> None:
    """Nor are the host's own data and editors' copies."""

    def change(app: Path) -> None:
        put(app / "notes.txt", "")
        (app / ".spin").mkdir()
        (app / ".spin" / "state.db").write_text("")
        put(app / "static" / ".page.swp", "")
        put(app / "src" / "hello", "two")

    seen = asyncio.run(after(app, change, "loaded"))
    assert seen == ["clear", "building hello", "built 1", "loaded two"]


def test_a_first_build_that_fails_is_waited_for(app: Path) -> None:
    """Nothing is loaded before one succeeded (CLI-17)."""
    put(app / "build.sh", "test ! -e src/broken && " + BUILD)
    put(app / "src" / "broken", "")

    async def scenario() -> tuple[list[str], list[str]]:
        async with watching(app) as journal:
            first = await journal.until("failed")
            (app / "src" / "broken").unlink()
            return first, await journal.until("loaded")

    first, then = asyncio.run(scenario())
    assert first[:2] == ["clear", "building hello"]
    assert first[2] == (
        "failed idle: build command for component hello failed with status 1: sh build.sh"
    )
    assert then == ["clear", "building hello", "built 1", "loaded one"]


def test_a_build_that_fails_leaves_what_runs(app: Path) -> None:
    """Also when it wrote half of its work (CLI-17)."""
    put(app / "build.sh", BUILD + " && test ! -e src/broken")

    async def scenario() -> tuple[list[str], list[str]]:
        async with watching(app) as journal:
            await journal.until("loaded")
            put(app / "src" / "broken", "")
            put(app / "src" / "hello", "two")
            failed = await journal.until("failed serving")
            (app / "src" / "broken").unlink()
            return failed, await journal.until("loaded")

    failed, then = asyncio.run(scenario())
    assert not [event for event in failed if event.startswith("loaded")]
    # Two changes may have been two failures.
    assert then[-2:] == ["built 1", "loaded two"]


needs_pidfd = pytest.mark.skipif(sys.platform != "linux", reason="follows a process by pidfd")


@needs_pidfd
def test_a_change_during_a_build_starts_it_again(app: Path) -> None:
    """The old one is killed, with all that it started (CLI-17)."""
    os.mkfifo(app / "started")
    put(
        app / "build.sh",
        "if test -e src/slow; then sleep 600 & echo $! > started; wait; fi; " + BUILD,
    )

    async def scenario() -> tuple[int, list[str]]:
        async with watching(app) as journal:
            await journal.until("loaded")
            put(app / "src" / "slow", "")
            sleeper = await asyncio.to_thread(sleeper_of, app)
            put(app / "src" / "hello", "two")
            (app / "src" / "slow").unlink()
            return sleeper, await journal.until("loaded")

    sleeper, seen = asyncio.run(scenario())
    assert seen[-3:] == ["building hello", "built 1", "loaded two"]
    assert has_ended(sleeper)


@needs_pidfd
def test_the_end_of_the_watch_ends_a_build(app: Path) -> None:
    """Nothing is left running."""
    os.mkfifo(app / "started")
    put(app / "build.sh", "sleep 600 & echo $! > started; wait")

    async def scenario() -> int:
        async with watching(app):
            return await asyncio.to_thread(sleeper_of, app)

    assert has_ended(asyncio.run(scenario()))


@needs_pidfd
def test_the_end_of_the_watch_ends_a_build_that_begins(
    app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while the command is being started, which runs before that is known."""
    os.mkfifo(app / "started")
    put(app / "build.sh", "sleep 600 & echo $! > started; wait")
    start = asyncio.create_subprocess_exec

    async def scenario() -> int:
        known = asyncio.Event()

        async def slowly(*arguments: str, **options: Any) -> asyncio.subprocess.Process:
            child = await start(*arguments, **options)
            await known.wait()
            return child

        monkeypatch.setattr(asyncio, "create_subprocess_exec", slowly)
        async with watching(app):
            sleeper = await asyncio.to_thread(sleeper_of, app)
            asyncio.get_running_loop().call_later(0.05, known.set)
        return sleeper

    assert has_ended(asyncio.run(scenario()))


def sleeper_of(app: Path) -> int:
    """A descriptor of the process whose number a build wrote down."""
    return os.pidfd_open(int((app / "started").read_text()))


def has_ended(process: int) -> bool:
    """Whether a process ends, which a killed one does a moment later."""
    ended, _, _ = select.select([process], [], [], TIMEOUT_S)
    os.close(process)
    return bool(ended)


def test_a_changed_manifest_is_built_loaded_and_watched(app: Path) -> None:
    """From then on its own patterns count."""
    (app / "other").mkdir()

    async def scenario() -> tuple[list[str], list[str]]:
        async with watching(app) as journal:
            await journal.until("loaded")
            put(app / "spin.toml", MANIFEST.replace('"src/*"', '"src/*", "other/*"'))
            first = await journal.until("loaded")
            put(app / "other" / "file", "")
            return first, await journal.until("built")

    first, then = asyncio.run(scenario())
    assert first == ["clear", "building hello", "built 1", "loaded one"]
    assert then == ["clear", "building hello", "built 1"]


def test_a_manifest_may_name_files_elsewhere(tmp_path: Path, app: Path) -> None:
    """A folder outside the application is listened to as soon as it is named."""
    outside = tmp_path.parent / f"{tmp_path.name}-shared"
    outside.mkdir()

    async def scenario() -> list[str]:
        async with watching(app) as journal:
            await journal.until("loaded")
            named = MANIFEST.replace('"src/*"', f'"src/*", "../{outside.name}/*"')
            put(app / "spin.toml", named)
            await journal.until("loaded")
            put(outside / "file", "")
            return await journal.until("built")

    assert asyncio.run(scenario()) == ["clear", "building hello", "built 1"]


def test_a_broken_manifest_leaves_what_runs(app: Path) -> None:
    """It is reported, and used once it is whole again."""

    async def scenario() -> tuple[list[str], list[str]]:
        async with watching(app) as journal:
            await journal.until("loaded")
            put(app / "spin.toml", "[")
            broken = await journal.until("failed serving")
            put(app / "spin.toml", MANIFEST + "\n")
            return broken, await journal.until("loaded")

    broken, then = asyncio.run(scenario())
    assert "spin.toml" in broken[-1]
    assert then == ["clear", "building hello", "built 1", "loaded one"]


def test_what_fails_its_check_is_not_loaded(app: Path) -> None:
    """What ran before goes on, and the next build is checked again."""

    async def check() -> None:
        if (app / "hello.wasm").read_text() == "bad":
            raise ProjectError("fits nowhere")

    async def scenario() -> None:
        async with watching(app, check=check) as journal:
            await journal.until("loaded one")
            put(app / "src" / "hello", "bad")
            assert "built 1" in await journal.until("failed serving: fits nowhere")
            put(app / "src" / "hello", "two")
            assert "loaded bad" not in await journal.until("loaded two")

    asyncio.run(scenario())


def test_a_manifest_that_is_broken_at_the_start_ends_the_watch(app: Path) -> None:
    """There is nothing to wait for."""
    put(app / "spin.toml", "[")
    journal = Journal(app)
    settings = WatchSettings(manifest=app / "spin.toml")
    with pytest.raises(ManifestError):
        asyncio.run(watch(settings, journal.reload, journal))


def test_an_application_that_cannot_be_loaded_is_tried_again_upon_a_change(app: Path) -> None:
    """And not before."""

    async def scenario() -> tuple[list[str], list[str]]:
        async with watching(app) as journal:
            journal.refused = ProjectError("no such component")
            first = await journal.until("failed")
            journal.refused = None
            put(app / "static" / "page", "changed")
            return first, await journal.until("loaded")

    first, then = asyncio.run(scenario())
    assert first[-1] == "failed idle: no such component"
    assert then == ["clear", "loaded one"]


def test_a_system_that_tells_of_no_changes_ends_the_watch(
    app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting on would look like nothing ever changes."""

    async def deaf(*folders: Path, **options: object) -> AsyncIterator[object]:
        await asyncio.sleep(0)
        raise OSError("too many files are watched")
        yield

    monkeypatch.setattr(watchfiles, "awatch", deaf)
    journal = Journal(app)
    settings = WatchSettings(manifest=app / "spin.toml")
    with pytest.raises(ProjectError, match=r"cannot watch .*: too many files are watched"):
        asyncio.run(watch(settings, journal.reload, journal))


def test_without_builds_a_manifest_is_loaded_alone(app: Path) -> None:
    """`--skip-build` (CLI-16)."""
    put(app / "hello.wasm", "zero")

    def change(app: Path) -> None:
        put(app / "src" / "hello", "two")
        put(app / "spin.toml", MANIFEST + "\n")

    assert asyncio.run(after(app, change, "loaded", skip_build=True)) == ["clear", "loaded zero"]


def test_a_component_without_patterns_is_named(app: Path) -> None:
    """It is built at the start, and upon changes of the manifest only (CLI-17)."""
    put(app / "spin.toml", MANIFEST.replace('watch = ["src/*"]', ""))

    async def scenario() -> list[str]:
        async with watching(app) as journal:
            return await journal.until("loaded")

    assert asyncio.run(scenario())[0] == "unwatched hello"


def test_a_build_needs_its_folder(app: Path) -> None:
    """The message names it."""
    put(app / "spin.toml", MANIFEST + 'workdir = "absent"\n')

    async def scenario() -> list[str]:
        async with watching(app) as journal:
            return await journal.until("failed")

    assert "is not a folder" in asyncio.run(scenario())[-1]
