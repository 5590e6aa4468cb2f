"""Fill a component with what it can import and read later, while it is built.

In: the folder that ``edgezero componentize`` puts on the search path, if it is there.
Out: archives behind ``sys.meta_path`` and ``open()``.

The folder holds ``standard-library`` and ``files``, two archives, and ``plan``: what the
app can reach, as marshalled data (``BundlePlan``). Without it, as plain componentize-py builds, the
standard library travels as source, and nothing else does.
"""

import marshal
import os
import sys
from importlib.machinery import SourceFileLoader
from typing import NamedTuple

from edgezero_spin.bundle.archive import PLAIN_MARSHAL, Archive, ArchiveWriter
from edgezero_spin.bundle.files import BundledFiles, install
from edgezero_spin.bundle.importer import ArchiveFinder, LastFinder, PatchingFinder
from edgezero_spin.bundle.refusals import PATCHES
from edgezero_spin.bundle.standard_library import standard_library

__all__ = ["FOLDER", "WEIGHT", "BundlePlan", "PlannedModule", "take_bundle"]

FOLDER = "edgezero-bundled"
"""The folder of the search path that a build prepares."""

WEIGHT = "weight"
"""The file in it that says how many bytes the component carries."""


class PlannedModule(NamedTuple):
    """A module that the app can reach.

    Attributes:
        name: Its full name.
        path: Its file inside the component; the folder of a namespace package.
        kind: ``module``, ``package`` or ``namespace``.
    """

    name: str
    path: str
    kind: str


class BundlePlan(NamedTuple):
    """What the build found out about the app.

    Attributes:
        folder: The app's folder inside the component.
        modules: What it can import, loaded by now or not.
        extensions: Compiled extension modules that it could import natively.
    """

    folder: str
    modules: list[PlannedModule]
    extensions: list[str]

    def dumps(self) -> bytes:
        """Return the plan as bytes."""
        value = self.folder, [tuple(module) for module in self.modules], self.extensions
        return marshal.dumps(value, PLAIN_MARSHAL)

    @classmethod
    def loads(cls, data: bytes) -> "BundlePlan":
        """Read what ``dumps`` wrote."""
        folder, modules, extensions = marshal.loads(data)
        return cls(folder, [PlannedModule(*module) for module in modules], extensions)


def take_bundle() -> None:
    """Put archives into this interpreter's memory and let imports and files find them."""
    prepared = _prepared()
    if prepared is None:
        plan = BundlePlan(folder="/0", modules=[], extensions=[])
        archives = [standard_library(python_code=False).archive()]
    else:
        with open(f"{prepared}/plan", "rb") as file:
            plan = BundlePlan.loads(file.read())
        with open(f"{prepared}/standard-library", "rb") as file:
            library = Archive.read_from(file, sys.modules.__contains__)
        with open(f"{prepared}/files", "rb") as file:
            files = Archive.read_from(file)
        archives = [library, _app_modules(plan), files]
        with open(f"{prepared}/{WEIGHT}", "w", encoding="ascii") as text:
            text.write(str(sum(len(chunk) for each in archives for chunk in each.chunks)))
    install(BundledFiles(archives, plan.folder))
    for name, patch in PATCHES.items():
        if name in sys.modules:
            patch(sys.modules[name])
    sys.meta_path[:] = [
        PatchingFinder(PATCHES),
        ArchiveFinder(archives),
        *sys.meta_path,
        LastFinder(plan.extensions),
    ]


def _prepared() -> str | None:
    for entry in sys.path:
        folder = f"{entry}/{FOLDER}"
        if os.path.isfile(f"{folder}/plan"):
            return folder
    return None


def _app_modules(plan: BundlePlan) -> Archive:
    writer = ArchiveWriter()
    for name, path, kind in plan.modules:
        if name in sys.modules:
            if kind != "namespace":
                writer.add_file(path, None)
            continue
        data = None
        if kind != "namespace":
            try:
                code = SourceFileLoader(name, path).get_code(name)
            except (SyntaxError, ValueError):
                # It fails natively, too, if anybody ever imports it.
                continue
            data = marshal.dumps(code)
        writer.add_module(
            name,
            data,
            path=path,
            is_package=kind != "module",
            is_source=False,
            group=name.partition(".")[0],
        )
    return writer.archive()
