"""Builds of a run that are kept: componentize-py, given the same once more, answers at once.

One build takes 12 s of CPU, and the examples are built by their READMEs, by their suites and by
the tests of either.

In: the command line of a process that runs componentize-py, and what the folders on it contain.
Out: the component, and the files that the build left beside its entry module. What is installed is
the same in all builds of a run.
"""

import atexit
import contextlib
import hashlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["keep"]

MOST = 32
"""Builds that are kept, the latest ones: each has 20 MB."""


def files_of(folder: Path) -> Iterator[Path]:
    """Yield the files that a build can read, below a folder, in order."""
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if name[0] != "." and name != "__pycache__")
        for name in sorted(names):
            # The component of before.
            if not name.endswith(".wasm"):
                yield Path(place, name)


def installed(folder: Path) -> bool:
    """Whether a folder is part of the environment, not of an app."""
    return folder.name == "site-packages" or (folder / "edgezero_spin").is_dir()


def keep(arguments: list[str], folder: str) -> None:
    """End the process if it was asked the same before; else keep what it makes."""
    kept = Path(folder)
    pairs = list(itertools.pairwise(arguments))
    folders = [Path(value) for flag, value in pairs if flag in ("-p", "-d")]
    output = next(Path(value) for flag, value in pairs if flag == "-o")
    places = {output, *folders}
    key = hashlib.sha256(repr([each for each in arguments if Path(each) not in places]).encode())
    for place in folders:
        for file in [] if installed(place) else files_of(place):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            key.update(f"{file.relative_to(place)} {content}\n".encode())
        key.update(b"\n")
    found = kept / key.hexdigest()
    entry = folders[0]
    if found.is_dir():
        shutil.copy(found / "component", output)
        if (found / "entry").is_dir():
            shutil.copytree(found / "entry", entry, dirs_exist_ok=True)
        os._exit(0)
    before = set(files_of(entry))

    def store() -> None:
        if not output.is_file():
            return
        made = Path(tempfile.mkdtemp(dir=kept))
        shutil.copy(output, made / "component")
        for file in set(files_of(entry)) - before:
            place = made / "entry" / file.relative_to(entry)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place)
        # Another process may have been as quick.
        with contextlib.suppress(OSError):
            made.rename(found)
        for old in sorted(kept.iterdir(), key=os.path.getmtime)[:-MOST]:
            shutil.rmtree(old, ignore_errors=True)

    atexit.register(store)
