"""Where the manifest is looked for when nobody names it."""

from pathlib import Path

import pytest

from edgezero_spin.errors import ProjectError
from edgezero_spin.project.locate import find_spin_manifest


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project two folders deep, its manifest at the top."""
    (tmp_path / "src" / "deep").mkdir(parents=True)
    (tmp_path / "spin.toml").touch()
    return tmp_path


@pytest.mark.parametrize("start", [".", "src", "src/deep"])
def test_the_nearest_manifest_upwards_is_found(project: Path, start: str) -> None:
    """A command works anywhere inside the project."""  # MAN-5
    assert find_spin_manifest(start=project / start) == project / "spin.toml"


def test_the_search_ends_at_the_repository(project: Path) -> None:
    """A manifest above the repository belongs to something else."""  # MAN-5
    (project / "src" / ".git").mkdir()
    with pytest.raises(ProjectError, match=r"could not locate spin\.toml in .*deep"):
        find_spin_manifest(start=project / "src" / "deep")


def test_the_search_goes_twenty_levels(tmp_path: Path) -> None:
    """Twenty parents are searched, and no more."""  # MAN-5
    (tmp_path / "spin.toml").touch()
    twenty = tmp_path.joinpath(*["d"] * 20)
    (twenty / "d").mkdir(parents=True)
    assert find_spin_manifest(start=twenty) == tmp_path / "spin.toml"
    with pytest.raises(ProjectError):
        find_spin_manifest(start=twenty / "d")


@pytest.mark.parametrize("given", ["", "spin.toml", "other.toml"])
def test_a_file_or_its_folder_can_be_named(project: Path, given: str) -> None:
    """A folder means the spin.toml in it; a file means itself, whatever its name."""
    (project / "other.toml").touch()
    expected = project / (given or "spin.toml")
    assert find_spin_manifest(str(project / given)) == expected


@pytest.mark.parametrize("given", ["nothing.toml", "src"])
def test_what_is_named_and_not_there_is_an_error(project: Path, given: str) -> None:
    """A named manifest is never replaced by one found elsewhere."""
    with pytest.raises(ProjectError, match=f"there is no manifest at .*{given}"):
        find_spin_manifest(str(project / given))


def test_the_nearest_manifest_below_is_found(tmp_path: Path) -> None:
    """Where there is none above, the folders below are looked through, level by level."""  # BLD-9
    (tmp_path / ".git").mkdir()
    for hidden in (".venv/a", "node_modules/b", "target/c"):
        (tmp_path / hidden).mkdir(parents=True)
        (tmp_path / hidden / "spin.toml").touch()
    deep = tmp_path.joinpath(*"12345678")
    (deep / "9").mkdir(parents=True)
    (deep / "9" / "spin.toml").touch()
    with pytest.raises(ProjectError, match="could not locate"):
        find_spin_manifest(start=tmp_path)
    (deep / "spin.toml").touch()
    assert find_spin_manifest(start=tmp_path) == deep / "spin.toml"
    near = tmp_path / "crates" / "adapter"
    near.mkdir(parents=True)
    (near / "spin.toml").touch()
    assert find_spin_manifest(start=tmp_path) == near / "spin.toml"


def test_manifests_that_are_equally_near_are_named(tmp_path: Path) -> None:
    """A guess would build or deploy the wrong one."""  # BLD-9
    (tmp_path / ".git").mkdir()
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "spin.toml").touch()
    with pytest.raises(ProjectError, match=r"several spin\.toml .*a/spin\.toml, .*b/spin\.toml"):
        find_spin_manifest(start=tmp_path)
