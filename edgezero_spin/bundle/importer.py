"""Import modules from archives inside a component.

``ArchiveFinder`` stands first on ``sys.meta_path`` and gives what was bundled.
``LastFinder`` stands last: what reaches it is nowhere in the component, and it says so in one
sentence, with what to use instead where the module cannot work in any component.

Neither imports anything earlier than the program does.
"""

import marshal
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

from edgezero_spin.bundle.archive import Archive, ModuleEntry
from edgezero_spin.bundle.unavailable import COMPILED, PAGE, why_unavailable

__all__ = ["ArchiveFinder", "ArchiveLoader", "LastFinder", "PatchingFinder"]


class ArchiveLoader(SourceFileLoader):
    """Loads one module from an archive; resources and data are those of its path."""

    def __init__(self, name: str, entry: ModuleEntry, archive: Archive) -> None:
        super().__init__(name, entry.path)
        self._entry = entry
        self._archive = archive

    def is_package(self, fullname: str) -> bool:
        """Whether the module has submodules."""
        return self._entry.is_package

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the code, decompressed."""
        data = self._archive.read(self._entry)
        if self._entry.is_source:
            code: CodeType = compile(data, self.path, "exec", dont_inherit=True)
            return code
        loaded: CodeType = marshal.loads(data)
        return loaded

    def get_source(self, fullname: str) -> str | None:
        """Return ``None``: a component carries code, not its source."""
        return None


class ArchiveFinder:
    """Finds the modules of some archives, whatever path an import looks at."""

    def __init__(self, archives: Sequence[Archive]) -> None:
        self.archives = archives

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module that was bundled."""
        for archive in self.archives:
            entry = archive.modules.get(fullname)
            if entry is not None:
                return _spec(fullname, entry, archive)
        return None


def _spec(name: str, entry: ModuleEntry, archive: Archive) -> ModuleSpec:
    if entry.chunk < 0:
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [entry.path]
        return spec
    loader = ArchiveLoader(name, entry, archive)
    spec = ModuleSpec(name, loader, origin=entry.path, is_package=entry.is_package)
    spec.has_location = True
    if entry.is_package:
        spec.submodule_search_locations = [entry.path.rpartition("/")[0]]
    return spec


class LastFinder:
    """Refuses what is nowhere in the component, in a sentence that says why."""

    def __init__(self, extensions: Sequence[str] = ()) -> None:
        self._extensions = frozenset(extensions)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise if somebody imports the module; whoever only asks for it gets ``None``.

        Raises:
            ModuleNotFoundError: An import statement, or ``import_module``, wants it.
        """
        # Libraries that add a finder of their own while they are imported add it at the end.
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                return spec
        if sys._getframe(2).f_code.co_name != "_find_and_load_unlocked":
            return None
        raise ModuleNotFoundError(self._sentence(fullname), name=fullname)

    def _sentence(self, name: str) -> str:
        if name in self._extensions:
            why = COMPILED
        else:
            why = why_unavailable(name) or (
                "the component was built without it; import it at the top of a module, or name it "
                "with `edgezero componentize --include`"
            )
        return f"No module named {name!r} in this component: {why} ({PAGE})"


_Patch = Callable[[Any], None]


class PatchingFinder:
    """Changes a module right after it was loaded, whoever loads it."""

    def __init__(self, patches: dict[str, _Patch]) -> None:
        self._patches = patches

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec that the other finders have, with a loader that patches afterwards."""
        patch = self._patches.get(fullname)
        if patch is None:
            return None
        for finder in sys.meta_path:
            if finder is self:
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                _patch_after(spec.loader, patch)
                return spec
        return None


def _patch_after(loader: Any, patch: _Patch) -> None:
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        patch(module)

    loader.exec_module = exec_module
