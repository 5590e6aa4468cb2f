"""Edits of a project that are killed or find no room, each in a process of its own.

Run as a program by the tests: it has one thread, so it can fork as often as it likes.

    python -m tests.project.doomed_edits kill provision|store|component|project FOLDER
    python -m tests.project.doomed_edits starve provision|store|component|project FOLDER

A child dies before the first thing that its edit does to files, the next one before the second,
and so on. After each death the files must be in one of the states that the edit may leave, and
the edit must then work.
"""

import os
import resource
import shutil
import signal
import sys
from abc import ABC, abstractmethod
from collections import Counter
from itertools import count
from pathlib import Path

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest import load_app_manifest
from edgezero_spin.project.add_component import ComponentRequest, add_component
from edgezero_spin.project.add_store import add_store
from edgezero_spin.project.files import replace_file
from edgezero_spin.project.new import create_project
from edgezero_spin.project.provision import provision
from edgezero_spin.project.template_manifest import COMPONENT_ID, PROJECT_ID
from edgezero_spin.project.template_store import find_template

__all__ = ["EDITS", "kill_edits", "starve_edits"]

FILE_OPERATIONS = {
    "open",
    "os.chmod",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.truncate",
}
"""Audit events before which a process dies: each is raised before the thing is done."""

SPIN = b"""\
# old
spin_manifest_version = 2
[application]
name = "x"
[component.app]
source = "app.wasm"
"""
APP = b"""\
[stores.kv]
ids = ["first"]
[adapters.spin.adapter]
manifest = "spin.toml"
"""


class Edit(ABC):
    """An edit of the files in a folder, the last of which says that it was done.

    Attributes:
        folder: The project's folder.
        names: Its files, in the order in which they are written.
        before: Their contents before the edit; ``None`` where there is no file.
        after: Their contents after it.
    """

    names: tuple[str, ...]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prepare()
        self.before = self.contents()
        self.do()
        self.after = self.contents()
        assert all(self.before[name] != self.after[name] for name in self.names)
        self.undo()
        assert self.contents() == self.before

    def prepare(self) -> None:
        """Write what is there before."""
        (self.folder / "spin.toml").write_bytes(SPIN)
        (self.folder / "edgezero.toml").write_bytes(APP)

    @abstractmethod
    def do(self) -> None:
        """Edit."""

    def undo(self) -> None:
        """Bring every file back, the last one first."""
        for name in reversed(self.names):
            content = self.before[name]
            if content is not None:
                replace_file(self.folder / name, content)
            else:
                (self.folder / name).unlink(missing_ok=True)

    def hidden(self) -> list[Path]:
        """The files below the folder that the edit makes and ``ls`` leaves out."""
        return []

    def contents(self) -> dict[str, bytes | None]:
        """The files as they are."""
        paths = {name: self.folder / name for name in self.names}
        return {name: path.read_bytes() if path.exists() else None for name, path in paths.items()}

    def state(self) -> str:
        """``old``, ``new`` or, for edits of several files, ``partly``; fails on anything else.

        Each file is the old one or the new one, and no file is new before those that are
        written before it.
        """
        now = self.contents()
        new = [now[name] == self.after[name] for name in self.names]
        for name, is_new in zip(self.names, new, strict=True):
            assert is_new or now[name] == self.before[name], f"{name}: {now[name]!r}"
        assert new == sorted(new, reverse=True), dict(zip(self.names, new, strict=True))
        return "new" if all(new) else "partly" if any(new) else "old"


class Provision(Edit):
    """``edgezero provision``."""

    names = ("spin.toml",)

    def do(self) -> None:
        """Add a label."""
        provision(load_app_manifest(self.folder / "edgezero.toml"), {})


class Store(Edit):
    """``edgezero add kv``."""

    names = ("runtime-config.toml", "spin.toml", "edgezero.toml")

    def do(self) -> None:
        """Add a store; the first one gets its label too."""
        add_store(load_app_manifest(self.folder / "edgezero.toml"), "kv", "second", {})


class Component(Edit):
    """``edgezero add component``."""

    names = ("second/app.py", "second/edgezero.toml", "edgezero.toml", "spin.toml")

    def do(self) -> None:
        """Add a component, unless it is complete."""
        request = ComponentRequest(
            manifest=self.folder / "spin.toml",
            id="second",
            template=find_template(COMPONENT_ID),
            project=load_app_manifest(self.folder / "edgezero.toml"),
        )
        if b"second" not in request.manifest.read_bytes():
            add_component(request)


class Project(Edit):
    """``edgezero new``: files that are there together or not at all."""

    names = ("a/app.py", "a/edgezero.toml", "a/spin.toml", "a/tests/test_app.py")

    def prepare(self) -> None:
        """Nothing is there before."""

    def do(self) -> None:
        """Make the project, unless it is there."""
        if not (self.folder / "a").exists():
            create_project("a", find_template(PROJECT_ID), parent=self.folder, vcs=False)

    def hidden(self) -> list[Path]:
        """What a project keeps to itself."""
        return [self.folder / "a" / ".env"]

    def undo(self) -> None:
        """Take it away at once."""
        gone = self.folder / f"gone.{os.getpid()}"
        (self.folder / "a").rename(gone)
        shutil.rmtree(gone)

    def state(self) -> str:
        """As for every edit, but never in part."""
        state = super().state()
        assert state != "partly"
        return state


EDITS: dict[str, type[Edit]] = {
    "provision": Provision,
    "store": Store,
    "component": Component,
    "project": Project,
}


def kill_edits(edit: Edit) -> Counter[str]:
    """Kill process after process, each one file operation later; check the files after each.

    Returns:
        How often each state was found, and under ``caught`` how many scratch files are left:
        so many died while they wrote.
    """
    found: Counter[str] = Counter()
    clean = len(list(edit.folder.rglob(".*")))
    for operation in count(1):
        child = os.fork()
        if child == 0:
            _edit_until(operation, edit)
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) == 0:
            assert edit.state() == "new"
            edit.undo()
            break
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
        found[edit.state()] += 1
        # Whatever the dead have left, the next one is not in its way.
        edit.do()
        assert edit.state() == "new"
        edit.undo()
    litter = [path for path in edit.folder.rglob(".*") if path.name.endswith(".edgezero")]
    found["caught"] = len(litter)
    for path in litter:
        os.utime(path, (0, 0))
    edit.do()
    assert len(list(edit.folder.rglob(".*"))) == clean + len(edit.hidden())
    return found


def starve_edits(edit: Edit) -> Counter[str]:
    """Edit where no file may grow beyond a limit, which is what a full disk looks like.

    Returns:
        How often each state was found, for limits from nothing to enough.
    """
    found: Counter[str] = Counter()
    largest = max(len(content or b"") for content in edit.after.values())
    for limit in range(0, 2 * largest, largest // 10):
        child = os.fork()
        if child == 0:
            _edit_below(limit, edit)
        _, status = os.waitpid(child, 0)
        state = edit.state()
        # Told as an error, and then everything is as it was: nothing half-done, no litter.
        assert (os.waitstatus_to_exitcode(status), state) in ((0, "new"), (1, "old"))
        assert sorted(edit.folder.rglob(".*")) == ([] if state == "old" else edit.hidden())
        found[state] += 1
        if state == "new":
            edit.undo()
    return found


def _edit_below(limit: int, edit: Edit) -> None:
    status = 2
    try:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        edit.do()
        status = 0
    except ProjectError as error:
        status = 1 if "File too large" in str(error) else 2
    finally:
        os._exit(status)


def _edit_until(operation: int, edit: Edit) -> None:
    """Do the edit, and die before the file operation of that number."""
    left = operation

    def die_in_time(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in FILE_OPERATIONS and str(arguments[0]).startswith(str(edit.folder)):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    status = 1
    try:
        sys.addaudithook(die_in_time)
        edit.do()
        status = 0
    finally:
        os._exit(status)


if __name__ == "__main__":
    subject = EDITS[sys.argv[2]](Path(sys.argv[3]))
    counts = kill_edits(subject) if sys.argv[1] == "kill" else starve_edits(subject)
    print(" ".join(f"{state}={count}" for state, count in sorted(counts.items())))
