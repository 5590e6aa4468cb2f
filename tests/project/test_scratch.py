"""Scratch files: gone in the end, and those of dead processes gone a little later."""

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edgezero_spin.project.scratch import DEAD_AFTER_S, scratch_file, scratch_folder

Make = Callable[[Path], AbstractContextManager[Path]]


def age(path: Path) -> None:
    """Make a file look as old as one whose process is taken for dead."""
    then = time.time() - DEAD_AFTER_S - 1
    os.utime(path, (then, then))


def leave(make: Make, target: Path) -> Path:
    """Make a scratch file and leave it, as a killed process does."""
    context = make(target)
    path = context.__enter__()
    # Its copy stays when the context removes it.
    kept = path.with_name(path.name.replace(path.name[-17:-9], "abcdefgh"))
    kept.mkdir() if path.is_dir() else kept.touch()
    context.__exit__(None, None, None)
    assert not path.exists()
    return kept


@pytest.mark.parametrize("make", [scratch_file, scratch_folder])
@pytest.mark.parametrize("name", ["spin.toml", "a" * 200, "[a].*"])
def test_what_dead_processes_left_is_removed(make: Make, name: str, tmp_path: Path) -> None:
    """Once it is old and nobody holds it; what is not ours stays."""
    target = tmp_path / name
    dead, young = leave(make, target), tmp_path / "young"
    mine = tmp_path / f".{name[:40]}.mine"
    mine.touch()
    age(dead)
    age(mine)
    with make(target) as held:
        age(held)
        assert not dead.exists()
        # Another process that works on the same target is alive, however slow it is.
        with make(target) as other:
            assert held.exists() and other.exists()
    young = leave(make, target)
    with make(target):
        assert young.exists()
    assert sorted(tmp_path.iterdir()) == sorted([mine, young])


def test_a_link_that_lies_there_is_not_followed(tmp_path: Path) -> None:
    """Nothing beyond the folder is touched."""
    outside = tmp_path / "outside"
    outside.mkdir()
    age(outside)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / ".x.abcdefgh.edgezero").symlink_to(outside)
    with scratch_file(inside / "x"):
        pass
    assert outside.is_dir()


def test_a_folder_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    """The error says that it is one, whatever the system says of a rename."""
    with pytest.raises(IsADirectoryError, match="Is a directory"), scratch_file(tmp_path):
        pass
    assert list(tmp_path.parent.glob(f".{tmp_path.name}*")) == []
