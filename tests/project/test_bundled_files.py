"""Which files travel with a component."""

import io
from pathlib import Path

import pytest

from edgezero_spin.bundle.archive import Archive
from edgezero_spin.project import bundled_files
from edgezero_spin.project.bundled_files import pack_files
from edgezero_spin.project.reachable_modules import find_reachable
from tests.project.test_reachable_modules import tree


def packed(folder: Path, app: str = "app") -> dict[str, bytes]:
    """The files that travel, by their paths, of one folder that the component calls /1."""
    reachable = find_reachable([app], [folder])
    data = pack_files(reachable, [folder], own=0, inside=["/1"])
    archive = Archive.read_from(io.BytesIO(data.archive))
    return {path: archive.read(entry) for path, entry in archive.files.items()}


def test_data_of_packages_and_files_that_strings_name(tmp_path: Path) -> None:
    """Nothing that is hidden, compiled, or named by nobody."""
    tree(
        tmp_path,
        {
            "app.py": "import pack\nA = ['templates', 'words.txt', '.env', '..', '/etc']",
            "templates/a.html": "a",
            "templates/deep/b.html": "b",
            "templates/.hidden": "",
            "words.txt": "w",
            "secrets.txt": "s",
            ".env": "s",
            "pack/__init__.py": "",
            "pack/data.json": "{}",
            "pack/more/c.txt": "c",
            "pack/tests/d.txt": "d",
            "pack/py.typed": "",
            "pack/fast.so": "",
        },
    )
    assert packed(tmp_path) == {
        "/1/templates/a.html": b"a",
        "/1/templates/deep/b.html": b"b",
        "/1/words.txt": b"w",
        "/1/pack/data.json": b"{}",
        "/1/pack/more/c.txt": b"c",
    }


def test_a_link_out_of_the_project_is_not_followed(tmp_path: Path) -> None:
    """A string can name it; what it stands for is not the app's."""
    outside = tree(tmp_path / "outside", {"private.txt": "p"})
    project = tree(tmp_path / "project", {"app.py": "A = 'link'\nB = '../outside'"})
    (project / "link").symlink_to(outside)
    assert packed(project) == {}


def test_a_link_to_a_parent_ends(tmp_path: Path) -> None:
    """A folder is taken once on the way down."""
    tree(tmp_path, {"app.py": "A = 'data'", "data/x.txt": "x"})
    (tmp_path / "data" / "again").symlink_to(tmp_path / "data")
    assert packed(tmp_path) == {"/1/data/x.txt": b"x"}


def test_the_largest_parts_are_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A word that happens to name a large folder fails no build."""
    monkeypatch.setattr(bundled_files, "_MOST_BYTES", 10)
    tree(tmp_path, {"app.py": "A = ['data', 'small']", "data/x.txt": "x" * 11, "small": "s"})
    assert packed(tmp_path) == {"/1/small": b"s"}
    reachable = find_reachable(["app"], [tmp_path])
    data = pack_files(reachable, [tmp_path], own=0, inside=["/1"])
    assert data.left_out == (f"{tmp_path / 'data'} (0 MB)",)
