"""Projects as people have them, mirrored for componentize-py."""

import os
import socket
from pathlib import Path

import pytest

from edgezero_spin.errors import ProjectError
from edgezero_spin.project.staging import stage


def names(folder: Path) -> set[str]:
    """All files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_odd_projects_are_mirrored(tmp_path: Path) -> None:
    """Links to parents and to nothing, sockets, pipes and names that are not text."""
    project = tmp_path / "project"
    (project / "pack").mkdir(parents=True)
    (project / "app.py").write_text("x = 1\n")
    (project / "pack" / "odd name\n.txt").write_text("odd")
    (project / "pack" / "up").symlink_to(project)
    (project / "self").symlink_to(project / "self")
    (project / "dangling").symlink_to(project / "nowhere")
    (project / "linked.py").symlink_to(project / "app.py")
    os.mkfifo(project / "pipe")
    Path(os.fsdecode(os.fsencode(project) + b"/\xff.py")).touch()
    for baggage in (".git", "node_modules", "__pycache__", ".venv"):
        (project / baggage).mkdir()
        (project / baggage / "x.py").touch()
    (project / "env").mkdir()
    (project / "env" / "pyvenv.cfg").touch()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(project / "sock"))
        stage(project, tmp_path / "mirror")
    assert names(tmp_path / "mirror") == {"app.py", "linked.py", "pack/odd name\n.txt"}
    assert (tmp_path / "mirror" / "linked.py").read_text() == "x = 1\n"


def test_a_file_that_cannot_be_copied_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the file and says what to do."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "app.py").touch()

    def refuse(source: object, target: object) -> None:
        raise PermissionError(13, "Permission denied", str(source))

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr("shutil.copyfile", refuse)
    with pytest.raises(ProjectError, match=r"app\.py: cannot be read .*Permission denied"):
        stage(project, tmp_path / "mirror")
