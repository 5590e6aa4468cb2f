"""The lock that a manifest becomes is the same from both programs, files included."""

import contextlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.spin.manifests import GOOD, HOSTS, REFUSED, SPARED, VERSION_1, manifest
from tests.spin.programs import EMBEDDED, Program, StartFailedError, running

# All that `up` takes: not those without a trigger, with an unknown one, or for a profile.
GOLDEN = [
    Path(__file__).parents[1] / "manifest" / "spin" / "locks" / f"{name}.toml"
    for name in ("chaining", "maximal", "middleware", "minimal", "version1")
]
TREE = ["a.txt", "b.txt", "deep/c.txt", ".hidden", "deep/er/d.md"]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder with what manifests name. Nothing in it is a component, so no run serves."""
    folder = tmp_path / "app"
    for name in TREE:
        (folder / "static" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "static" / name).write_text(name)
    for name in ("c.wasm", "d.wasm", "x.wasm", "y.wasm", "with space.wasm", "\u00e9.wasm"):
        (folder / name).write_bytes(b"no component")
    (folder / "link").symlink_to("static")
    (tmp_path / "up.wasm").write_bytes(b"no component")
    return folder


def locked(program: Program, app: Path, manifest: str) -> tuple[Any, dict[str, str]] | None:
    """The lock and the copied files that a run leaves; ``None`` when it came to no lock."""
    (app / "spin.toml").write_text(manifest, encoding="utf-8")
    work = app.parent / f"work-{program.name}"
    with (
        contextlib.suppress(StartFailedError),
        running(program, ["-f", "spin.toml", "--temp", work], folder=app),
    ):
        pass
    lock = work / "spin.lock"
    if not lock.exists():
        return None
    text = lock.read_text(encoding="utf-8").replace(work.as_uri(), "file:///work")
    assets = work / "assets"
    files = {
        path.relative_to(assets).as_posix(): path.read_text()
        for path in assets.rglob("*")
        if path.is_file()
    }
    return json.loads(text), files


def hold(spin: Program, app: Path, manifest: str) -> None:
    """Assert that both programs make the same of a manifest."""
    embedded, real = (locked(program, app, manifest) for program in (EMBEDDED, spin))
    assert embedded == real


@pytest.mark.parametrize("name", GOOD)
def test_manifests(spin: Program, app: Path, name: str) -> None:
    """Every key, and what is written for it."""  # MAN-10 to MAN-75b, LOCK-1 to LOCK-38
    hold(spin, app, GOOD[name])


@pytest.mark.parametrize("name", VERSION_1)
def test_manifests_of_version_1(spin: Program, app: Path, name: str) -> None:
    """The older form becomes the same lock."""  # MAN-76 to MAN-87
    hold(spin, app, VERSION_1[name])


@pytest.mark.parametrize("name", REFUSED)
def test_refused_manifests(spin: Program, app: Path, name: str) -> None:
    """What is wrong is wrong for both."""
    for program in (EMBEDDED, spin):
        assert locked(program, app, REFUSED[name]) is None


@pytest.mark.parametrize("name", SPARED)
def test_manifests_that_only_the_embedded_host_refuses(spin: Program, app: Path, name: str) -> None:
    """Spin finds out later or never: it writes a lock of something that cannot work."""
    assert locked(EMBEDDED, app, SPARED[name]) is None
    locked(spin, app, SPARED[name])


def test_allowed_hosts(spin: Program, app: Path) -> None:
    """The same entries are entries."""  # NV-31, NV-32, NET-7 to NET-10
    hold(spin, app, manifest(component=f"allowed_outbound_hosts = {json.dumps(HOSTS[True])}"))


@pytest.mark.parametrize("host", HOSTS[False])
def test_hosts_that_are_none(spin: Program, app: Path, host: str) -> None:
    """What is not an entry for one is none for the other."""  # NV-32, NET-7 to NET-10
    text = manifest(component=f"allowed_outbound_hosts = [{json.dumps(host)}]")
    for program in (EMBEDDED, spin):
        assert locked(program, app, text) is None


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_the_manifests_of_our_own_tests(spin: Program, app: Path, path: Path) -> None:
    """Their locks were written after the contract; here Spin writes them."""
    hold(spin, app, path.read_text(encoding="utf-8"))


def test_the_commands_are_those_of_spin(spin: Program) -> None:
    """``spin up`` is there; without it no test here would mean anything."""
    done = subprocess.run(
        [*spin.command, "up", "--help"], capture_output=True, text=True, check=False, timeout=60
    )
    assert "--direct-mounts" in done.stdout + done.stderr
