"""Content of a locked application, brought onto this disk.

In: a ``LockedApp`` as anyone may have written it. Out: the same with ``file://`` URLs only,
and with folders where it lists files one by one. Content inside the lock is written to the
working folder, what is elsewhere comes from the application cache.

Source: contract spin-host.md, LOCK-33, LOCK-35, ENV-13, OCI-42 to OCI-44.
"""

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TypeVar

import attrs

from edgezero_spin.host.load.plan import ApplicationError
from edgezero_spin.host.registry.downloads import Downloads
from edgezero_spin.manifest.spin import (
    ContentRef,
    FetchError,
    LockedApp,
    LockedComponent,
    LockedDependency,
    LockedFiles,
    UrlSource,
)

__all__ = ["place_content"]

T = TypeVar("T")
_ID = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


def place_content(
    app: LockedApp, work_dir: Path, downloads: Downloads, *, copied: bool = False
) -> LockedApp:
    """Return the application with all of its content in files.

    Args:
        work_dir: A folder of this run, for content that is in no file yet.
        downloads: Where content comes from that is not on this disk.
        copied: Copy folders that guests see, so that writes to them reach nobody else.

    Raises:
        ApplicationError: Content cannot be had; every fault is named.
    """
    placer = _Placer(work_dir, downloads, copied)
    components = tuple(placer.component(number, part) for number, part in enumerate(app.components))
    if placer.problems:
        raise ApplicationError(*placer.problems)
    return attrs.evolve(app, components=components)


@attrs.define
class _Placer:
    """Places content on this disk; collects what is wrong with it."""

    work_dir: Path
    downloads: Downloads
    copied: bool
    problems: list[str] = attrs.field(factory=list)

    def component(self, number: int, part: LockedComponent) -> LockedComponent:
        """Place the wasm and the files of one component."""
        place = f"component {part.id!r}"
        source = self._noting(f"{place}: source", lambda: self._file(part.source))
        files = part.files
        if files:
            # Ids of a lock may be any text; not every text can be the name of a folder.
            name = part.id if _ID.fullmatch(part.id) else f"_{number}"
            folder = self.work_dir / "assets" / name
            placed = self._noting(f"{place}: files", lambda: self._files(files, folder))
            files = files if placed is None else placed
        return attrs.evolve(
            part,
            source=part.source if source is None else _reference(source),
            files=files,
            dependencies={
                name: self._dependency(f"{place}: dependency '{name}'", dependency)
                for name, dependency in part.dependencies.items()
            },
            trigger_dependencies={
                role: tuple(
                    self._dependency(f"{place}: {role} {position}", dependency)
                    for position, dependency in enumerate(dependencies, 1)
                )
                for role, dependencies in part.trigger_dependencies.items()
            },
        )

    def _dependency(self, place: str, dependency: LockedDependency) -> LockedDependency:
        source = self._noting(place, lambda: self._file(dependency.source))
        if source is None:
            return dependency
        return attrs.evolve(dependency, source=_reference(source))

    def _noting(self, place: str, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except FetchError as error:
            self.problems.append(f"{place}: {error}")
        except OSError as error:
            self.problems.append(f"{place}: {error.filename}: {error.strerror}")
        return None

    def _file(self, content: ContentRef) -> Path:
        """Return where some content is, a file or a folder."""
        if content.inline is not None:
            return self._inline(content.inline, content.digest)
        url = content.source
        if url is None:
            kept = None if content.digest is None else self.downloads.cache.kept(content.digest)
            if kept is None:
                raise FetchError(f"{content.digest or 'it'} is not in the application cache")
            return kept
        path = content.path
        if path is not None:
            return path
        if content.digest is None:
            raise FetchError(f"{url} is not on this disk, and can only be downloaded with a digest")
        return self.downloads(UrlSource(url, content.digest))

    def _inline(self, data: bytes, digest: str | None) -> Path:
        found = hashlib.sha256(data).hexdigest()
        if digest is not None and digest.lower() != f"sha256:{found}":
            raise FetchError(f"invalid content digest; expected {digest}, found sha256:{found}")
        path = self.work_dir / "inline" / found
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def _files(self, files: tuple[LockedFiles, ...], folder: Path) -> tuple[LockedFiles, ...]:
        """Return folders only: those that there are, or one with a copy of everything."""
        found = [(self._file(item.content), item.path) for item in files]
        if not self.copied and all(path.is_dir() for path, _ in found):
            return tuple(LockedFiles(content=_reference(path), path=guest) for path, guest in found)
        for path, guest in found:
            target = folder / _inside(guest)
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, target, dirs_exist_ok=True, ignore=_leading_back(path))
            else:
                shutil.copyfile(path, target)
        return (LockedFiles(content=_reference(folder), path="/"),)


def _inside(guest: str) -> PurePosixPath:
    path = PurePosixPath(guest.lstrip("/"))
    if ".." in path.parts or "\\" in guest or "\0" in guest:
        raise FetchError(f"{guest!r} leads out of the guest's files")
    return path


def _leading_back(top: Path) -> Callable[[str, list[str]], set[str]]:
    """Return what names the links in a folder that lead to it or to one above it, up to ``top``."""

    def found(folder: str, names: list[str]) -> set[str]:
        here = Path(folder)
        above = [here, *here.parents][: 1 + len(here.parts) - len(top.parts)]
        paths = [here / name for name in names if (here / name).is_dir()]
        return {path.name for path in paths if any(path.samefile(each) for each in above)}

    return found


def _reference(path: Path) -> ContentRef:
    return ContentRef(source=path.absolute().as_uri())
