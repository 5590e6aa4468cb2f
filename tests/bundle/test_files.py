"""Files of an archive, looked up as a component does."""

import stat

import pytest

from edgezero_spin.bundle.archive import ArchiveWriter
from edgezero_spin.bundle.files import BundledFiles


@pytest.fixture
def files() -> BundledFiles:
    """A data file of the app, one of a library, and a module."""
    writer = ArchiveWriter()
    writer.add_file("/1/templates/a.html", b"text")
    writer.add_file("/2/lib/data.bin", b"\0\1")
    writer.add_module("lib", b"", path="/2/lib/__init__.py", is_package=True, is_source=False)
    return BundledFiles([writer.archive()], "/1")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("/1/templates/a.html", b"text", id="absolute"),
        pytest.param("/templates/a.html", b"text", id="below the working directory"),
        pytest.param(b"/1/templates/a.html", b"text", id="bytes"),
        pytest.param("/1/templates/../templates/./a.html", b"text", id="dots"),
        pytest.param("//1/templates/a.html", b"text", id="two slashes"),
        pytest.param("/2/lib/data.bin", b"\0\1", id="of a library"),
        pytest.param("/2/lib/__init__.py", None, id="a module has no source here"),
        pytest.param("/1/templates", None, id="a folder"),
        pytest.param("/1/none", None, id="missing"),
        pytest.param("/1/a\0b", None, id="NUL"),
        pytest.param("/../../1/none", None, id="above the root"),
    ],
)
def test_files_are_found(files: BundledFiles, path: str, expected: bytes | None) -> None:
    """By every spelling of their paths, and nothing else is."""
    assert files.find_file(path) == expected


def test_folders_list_what_is_in_them(files: BundledFiles) -> None:
    """Modules by their names as well, for those who look for plugins."""
    assert sorted(files.find_names("/2/lib") or []) == ["__init__.py", "data.bin"]
    assert files.find_names("/1") == ["templates"]
    assert files.find_names("/1/none") is None


def test_kinds_and_sizes(files: BundledFiles) -> None:
    """What ``os.stat`` is asked for."""
    file, folder = files.find_stat("/2/lib/data.bin"), files.find_stat("/2/lib")
    assert file is not None and folder is not None
    assert (stat.S_ISREG(file.st_mode), file.st_size) == (True, 2)
    assert stat.S_ISDIR(folder.st_mode)
    assert files.find_stat("/3") is None
