"""Compiled components on disk: used when they are ours and whole, never trusted otherwise."""

import json
import logging
import multiprocessing
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import edgezero_spin.wasm
from edgezero_spin.host.errors import ComponentError
from edgezero_spin.host.runtime import component_loading
from edgezero_spin.host.runtime.compiled_cache import MAX_BYTES_VARIABLE, cache_entries
from edgezero_spin.host.runtime.component_loading import (
    CompiledComponent,
    CompiledForm,
    load_component,
)
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from edgezero_spin.host.runtime.linking import link
from edgezero_spin.wasm.sources import digest_of, sources_digest
from tests.cli.running import edgezero
from tests.host.runtime.wat import instance_of

IGNORED = shutil.ignore_patterns("__pycache__")
TEXT = """
(component
  (core module $module (func (export "run") (result i32) (i32.const 11)))
  (core instance $core (instantiate $module))
  (func (export "run") (result u32) (canon lift (core func $core "run"))))
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine without a pool."""
    with make_engine(EngineSettings(pooling=False)) as engine:
        yield engine


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A component file."""
    path = tmp_path / "app.wat"
    path.write_text(TEXT)
    return path


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were compiled, in order."""
    compiled: list[Path] = []
    compile_ = component_loading._compile

    def note(component: CompiledComponent, *given: Any) -> CompiledForm:
        compiled.append(component.path)
        return compile_(component, *given)

    monkeypatch.setattr(component_loading, "_compile", note)
    return compiled


def answer(engine: Engine, component: CompiledComponent) -> object:
    """Run the component."""
    with instance_of(link(engine, component, {})) as instance:
        return instance.call(None, "run")


def entry_in(folder: Path) -> Path:
    """Return the entry with the code; the other one says how to instantiate it."""
    return max(folder.iterdir(), key=lambda entry: entry.stat().st_size)


def test_compiled_once(
    engine: Engine, path: Path, tmp_path: Path, compilations: list[Path]
) -> None:
    """The second load takes the compiled code from disk, and it runs."""
    folder = tmp_path / "cache"
    for _ in range(3):
        assert answer(engine, load_component(engine, path, folder)) == 11
    assert compilations == [path]


def test_other_versions_of_the_library_link_again(
    engine: Engine, path: Path, tmp_path: Path, compilations: list[Path]
) -> None:
    """What other sources linked and fused may be what these cannot read."""
    load_component(engine, path, tmp_path / "cache")
    sources = Path(edgezero_spin.wasm.__file__).parent
    copied = shutil.copytree(sources, tmp_path / "wasm", ignore=IGNORED)
    before = digest_of(copied)
    assert before == sources_digest()
    with (copied / "fuse" / "renaming.py").open("a") as file:
        file.write("# changed\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(component_loading, "sources_digest", lambda: digest_of(copied))
        for _ in range(2):
            again = load_component(engine, path, tmp_path / "cache")
            assert answer(engine, again) == 11
    load_component(engine, path, tmp_path / "cache")
    assert compilations == [path, path]


def test_changed_meanwhile(engine: Engine, path: Path) -> None:
    """A file that a build replaced since is an error, never code under the digest of the other."""
    component = load_component(engine, path, joined=True)
    path.write_text(TEXT.replace("11", "12"))
    with pytest.raises(ComponentError, match=r"app\.wat.*was changed while it was loaded"):
        link(engine, component, {})
    with pytest.raises(ComponentError, match="was changed while it was loaded"):
        component.names()


def test_private(engine: Engine, path: Path, tmp_path: Path) -> None:
    """Folder and entry are the user's alone."""
    folder = tmp_path / "deep" / "cache"
    load_component(engine, path, folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(entry_in(folder).stat().st_mode) == 0o600


def test_settings_have_entries_of_their_own(
    engine: Engine, path: Path, tmp_path: Path, compilations: list[Path]
) -> None:
    """Code compiled to count fuel is not run by an engine that does not, and vice versa."""
    folder = tmp_path / "cache"
    load_component(engine, path, folder)
    with make_engine(EngineSettings(pooling=False, fuel=True)) as other:
        component = load_component(other, path, folder)
        with instance_of(link(other, component, {})) as instance:
            instance.call(None, "run")
            assert instance.fuel_used
    assert len(compilations) == 2
    assert len(list(folder.iterdir())) == 4


def _cut_in_half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _flip_a_bit_of_the_code(content: bytes) -> bytes:
    middle = len(content) // 3
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def _without_trailer(content: bytes) -> bytes:
    return content[: content.rindex(b'{"wasm"')]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut": _cut_in_half,
    "one byte short": lambda content: content[:-1],
    "bit flipped": _flip_a_bit_of_the_code,
    "no trailer": _without_trailer,
    "text": lambda content: b"not a component at all",
    "other engine": lambda content: content.replace(b"wasmtime=", b"wasmtimf="),
    "other wasm": lambda content: content.replace(b'{"wasm": "', b'{"wasm": "0'),
    "no JSON": lambda content: content.replace(b'{"wasm"', b'["wasm"'),
    "huge trailer": lambda content: content[:-40] + b"\xff" * 8 + content[-32:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_entry(
    engine: Engine, path: Path, tmp_path: Path, compilations: list[Path], damage: str
) -> None:
    """An entry that is damaged or someone else's is compiled again and replaced."""
    folder = tmp_path / "cache"
    load_component(engine, path, folder)
    entry = entry_in(folder)
    good = entry.read_bytes()
    bad = DAMAGES[damage](good)
    assert bad != good
    entry.write_bytes(bad)
    assert answer(engine, load_component(engine, path, folder)) == 11
    assert len(compilations) == 2
    load_component(engine, path, folder)
    assert len(compilations) == 2


def test_entry_that_is_a_folder(engine: Engine, path: Path, tmp_path: Path) -> None:
    """Whatever lies where the entry should be, the component loads."""
    folder = tmp_path / "cache"
    load_component(engine, path, folder)
    entry = entry_in(folder)
    entry.unlink()
    entry.mkdir()
    assert answer(engine, load_component(engine, path, folder)) == 11
    assert entry.is_dir()
    assert len(list(folder.iterdir())) == 2


def test_folder_that_others_can_write(
    engine: Engine,
    path: Path,
    tmp_path: Path,
    compilations: list[Path],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Code is neither read from nor left in a folder where someone else could change it."""
    folder = tmp_path / "cache"
    load_component(engine, path, folder)
    folder.chmod(0o777)
    with caplog.at_level(logging.WARNING):
        load_component(engine, path, folder)
    assert len(compilations) == 2
    assert "0700" in caplog.text


def test_folder_that_cannot_be_made(
    engine: Engine, path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a usable folder components are compiled, and the log says that they are not kept."""
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        assert answer(engine, load_component(engine, path, tmp_path / "file" / "cache")) == 11
    assert "not kept" in caplog.text


def _load_many(path: Path, folder: Path, answers: "multiprocessing.Queue[object]") -> None:
    with make_engine(EngineSettings(pooling=False)) as engine:
        for _ in range(5):
            for entry in folder.glob("*.cwasm"):
                entry.unlink(missing_ok=True)
            answers.put(answer(engine, load_component(engine, path, folder)))


def test_several_processes_at_once(path: Path, tmp_path: Path) -> None:
    """Processes that write and delete the same entry all get a component that runs."""
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[object] = context.Queue()
    processes = [context.Process(target=_load_many, args=(path, folder, answers)) for _ in range(3)]
    for process in processes:
        process.start()
    found = [answers.get(timeout=60) for _ in range(15)]
    for process in processes:
        process.join(timeout=60)
    assert found == [11] * 15
    assert list(folder.glob("*.part")) == []


def sized(folder: Path, name: str, used_at: int, size: int = 100) -> Path:
    """Write an entry that was used at a time."""
    path = folder / f"{name}.cwasm"
    path.write_bytes(bytes(size))
    os.utime(path, (used_at, used_at))
    return path


def test_the_least_recently_used_make_room(
    engine: Engine, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new entry past the bound removes the oldest ones, as many as it takes, and not itself."""
    cache = tmp_path / "cache"
    load_component(engine, path, cache)
    # The linked form and the code that it names.
    new = set(cache.iterdir())
    assert len(new) == 2
    size = sum(entry.stat().st_size for entry in new)
    old, recent, latest = (sized(cache, name, at) for at, name in enumerate("abc", 1))
    left = cache / "killed.part"
    left.touch()
    os.utime(left, (0, 0))
    monkeypatch.setenv(MAX_BYTES_VARIABLE, str(size + 150))
    for entry in new:
        entry.unlink()
    load_component(engine, path, cache)
    assert set(cache.iterdir()) == {latest, *new}
    # An entry that was read counts as used.
    for entry in new:
        os.utime(entry, (0, 0))
    load_component(engine, path, cache)
    assert {entry.path for entry in cache_entries(cache)[-2:]} == new
    assert not (old.exists() or recent.exists())
    monkeypatch.setenv(MAX_BYTES_VARIABLE, "0")
    for entry in new:
        entry.unlink()
    load_component(engine, path, cache)
    (kept,) = cache.iterdir()
    assert kept in new


def test_instances_with_and_without_a_pool_share_entries(
    path: Path, tmp_path: Path, compilations: list[Path]
) -> None:
    """The code is the same, so a run that measures memory does not compile again."""
    for pooling in (True, False):
        with make_engine(EngineSettings(pooling=pooling, max_instances=2)) as engine:
            component = load_component(engine, path, tmp_path / "cache")
            assert answer(engine, component) == 11
    assert compilations == [path]


def test_the_command_shows_and_clears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``edgezero cache`` names the folder and what is in it; ``clear`` leaves nothing."""
    folder = tmp_path / "edgezero-spin" / "components"
    env = {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    assert ": 0 compiled, 0.0 of 2048 MiB" in edgezero("cache", env=env).stdout
    folder.mkdir(parents=True)
    sized(folder, "a", 1, 2**20)
    sized(folder, "b", 2, 2**20)
    shown = json.loads(edgezero("cache", "show", "--format", "json", env=env).stdout)
    assert (shown["entries"], shown["bytes"], shown["max_bytes"]) == (2, 2**21, 2**31)
    assert edgezero("cache", "clear", env=env).stdout == "removed 2 compiled, 2.0 MiB\n"
    assert list(folder.iterdir()) == []
