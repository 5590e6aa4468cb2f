"""Which files an application is built from and runs on."""

import os
from pathlib import Path

import pytest

from edgezero_spin.manifest.spin import load_spin_manifest
from edgezero_spin.project.watched_files import WatchedFiles, watched_files

HEAD = """\
spin_manifest_version = 2
[application]
name = "demo"
[[trigger.http]]
route = "/..."
component = "hello"
[component.hello]
source = "out/hello.wasm"
"""


def files_of(folder: Path, component: str, **options: bool) -> WatchedFiles:
    """What is watched of an application whose one component says this."""
    path = folder / "spin.toml"
    path.write_text(HEAD + component)
    return watched_files(load_spin_manifest(path), **options)


def tree(folder: Path, *names: str) -> None:
    """Make these files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def names_in(folder: Path, paths: object) -> set[str]:
    """Paths of a snapshot, relative to the folder."""
    return {os.path.relpath(str(path), folder) for path in paths}  # type: ignore[attr-defined]


# CLI-17
@pytest.mark.parametrize(
    ("build", "expected"),
    [
        pytest.param('watch = ["src/*.py"]', {"src/a.py"}, id="one folder"),
        pytest.param('watch = ["src/**/*.py"]', {"src/a.py", "src/in/b.py"}, id="folders below"),
        pytest.param('watch = ["*.py"]', {"src/a.py", "src/in/b.py", "c.py"}, id="any folder"),
        pytest.param('watch = ["c.py"]', {"c.py"}, id="a file by its name"),
        pytest.param('watch = ["src/"]', {"src/a.py", "src/in/b.py", "src/x.txt"}, id="a folder"),
        pytest.param(
            'watch = ["src/[ab].py", "?.py"]', {"src/a.py", "src/in/b.py", "c.py"}, id="marks"
        ),
        pytest.param('watch = ["src/[!a].*"]', {"src/x.txt"}, id="all but one"),
        pytest.param(
            'watch = ["*.py"]\nworkdir = "src"', {"src/a.py", "src/in/b.py"}, id="workdir"
        ),
        pytest.param('watch = ["nothing/*.py"]', set(), id="nothing there"),
        pytest.param('watch = ["src/[z-a].py"]', set(), id="a range that ends before it begins"),
        pytest.param('watch = ["src/[!z-a].py"]', {"src/a.py"}, id="all but such a range"),
        pytest.param('watch = ["src/[^b].py"]', set(), id="a mark that negates nothing"),
        pytest.param('watch = ["src[!b]a.py", "src[.-0]a.py"]', set(), id="no letter is a slash"),
        pytest.param('watch = ["src/[!-b].py"]', {"src/a.py"}, id="a dash beside the mark"),
        pytest.param('watch = ["src/[!]b].py"]', {"src/a.py"}, id="a bracket beside the mark"),
        pytest.param('watch = ["src/[z-xa].py"]', {"src/a.py"}, id="a letter beside no range"),
    ],
)
def test_what_a_build_reads(tmp_path: Path, build: str, expected: set[str]) -> None:
    """Patterns are relative to the build's workdir; the manifest is always among it."""
    tree(tmp_path, "src/a.py", "src/in/b.py", "src/x.txt", "c.py", ".venv/d.py", "venv/e.py")
    files = files_of(tmp_path, f'[component.hello.build]\ncommand = "true"\n{build}\n')
    assert names_in(tmp_path, files.source_snapshot()) == expected | {"spin.toml"}
    assert files.unwatched == ()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param("", set(), id="no files"),
        pytest.param('files = ["static/*.css"]', {"static/a.css"}, id="pattern"),
        pytest.param('files = ["static"]', {"static/a.css", "static/in/b.js"}, id="folder"),
        pytest.param(
            'files = [{ source = "static/in", destination = "/" }]', {"static/in/b.js"}, id="placed"
        ),
        pytest.param(
            'files = [{ source = "static/a.css", destination = "/x.css" }]',
            {"static/a.css"},
            id="one file",
        ),
    ],
)
def test_what_a_run_reads(tmp_path: Path, files: str, expected: set[str]) -> None:
    """The manifest, the component and its files, unless those are mounted in place."""
    tree(tmp_path, "out/hello.wasm", "static/a.css", "static/in/b.js")
    always = {"spin.toml", "out/hello.wasm"}
    found = files_of(tmp_path, files + "\n")
    assert names_in(tmp_path, found.content_snapshot()) == expected | always
    without = files_of(tmp_path, files + "\n", with_assets=False)
    assert names_in(tmp_path, without.content_snapshot()) == always


def test_a_local_dependency_belongs_to_a_run(tmp_path: Path) -> None:
    """It is part of what is loaded."""
    tree(tmp_path, "dep.wasm")
    found = files_of(tmp_path, '[component.hello.dependencies]\n"a:b/c" = { path = "dep.wasm" }\n')
    assert names_in(tmp_path, found.content_snapshot()) == {"spin.toml", "dep.wasm"}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: path.write_text("other text"), id="content"),
        pytest.param(lambda path: path.unlink(), id="gone"),
        pytest.param(lambda path: (path.parent / "new.py").write_text(""), id="one more"),
        pytest.param(lambda path: os.utime(path, (1, 1)), id="time"),
    ],
)
def test_every_kind_of_change_shows(tmp_path: Path, change: object) -> None:
    """Two snapshots differ when anything did."""
    tree(tmp_path, "src/a.py")
    files = files_of(tmp_path, '[component.hello.build]\ncommand = "true"\nwatch = ["src/*.py"]\n')
    before = files.source_snapshot()
    assert files.source_snapshot() == before
    change(tmp_path / "src" / "a.py")  # type: ignore[operator]
    assert files.source_snapshot() != before


def test_the_folders_to_listen_to(tmp_path: Path) -> None:
    """The application's, and others only where something is outside of it."""
    app = tmp_path / "app"
    tree(tmp_path, "app/src/a.py", "shared/lib/b.py")
    build = '[component.hello.build]\ncommand = "true"\nwatch = '
    assert files_of(app, build + '["src/*.py"]\n').folders() == (app,)
    assert files_of(app, build + '["../shared/lib/*.py", "../shared/**/*.py"]\n').folders() == (
        app,
        tmp_path / "shared",
    )
    # What is not there yet is waited for where it will appear.
    assert files_of(app, build + '["../later/*.py"]\n').folders() == (tmp_path,)


def test_a_component_with_a_build_and_nothing_to_watch_is_named(tmp_path: Path) -> None:
    """The command says so (CLI-17)."""
    assert files_of(tmp_path, '[component.hello.build]\ncommand = "true"\n').unwatched == ("hello",)
