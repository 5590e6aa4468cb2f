"""Files that matter to a running application, and whether they changed.

In: a manifest. Out: ``WatchedFiles``, two sets of files: what a build reads (``build.watch``)
and what a run reads (the manifest, the components, ``files``). A set is compared by
``snapshot``s of it, so it is of no matter how a change came about or who tells of it.

Source: contract spin-host.md, CLI-17.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import attrs

from edgezero_spin.manifest.spin import (
    FilePlacement,
    ManifestComponent,
    SpinManifest,
)
from edgezero_spin.manifest.spin.globs import fixed_part, path_regex
from edgezero_spin.project.locate import NOT_SEARCHED

__all__ = [
    "Signature",
    "Snapshot",
    "WatchedFiles",
    "files_of_pattern",
    "signature_of",
    "watched_files",
]

Signature = tuple[int, int, int]
"""Time of change, size and identity of a file."""

Snapshot = Mapping[str, Signature]
"""Path to signature; what is not there has no entry."""


@attrs.frozen
class _Files:
    """Files below a folder, or one file.

    Attributes:
        root: The folder or the file.
        pattern: What a path below it has to match; ``None`` for every one.
    """

    root: Path
    pattern: re.Pattern[str] | None = None

    def paths(self) -> Iterator[str]:
        if not self.root.is_dir():
            yield str(self.root)
            return
        for folder, inner, names in os.walk(self.root):
            # What a pattern does not name outright is not looked for in there.
            inner[:] = [
                name for name in inner if not name.startswith(".") and name not in NOT_SEARCHED
            ]
            for name in names:
                path = os.path.join(folder, name)  # noqa: PTH118 - many paths, quickly
                below = os.path.relpath(path, self.root).replace(os.sep, "/")
                if self.pattern is None or self.pattern.fullmatch(below):
                    yield path


@attrs.frozen
class WatchedFiles:
    """The files of one manifest.

    Attributes:
        manifest: The manifest itself.
        sources: What builds read.
        content: What a run reads, besides the manifest.
        unwatched: Ids of components with a build command and no ``build.watch``.
    """

    manifest: Path
    sources: tuple[_Files, ...]
    content: tuple[_Files, ...]
    unwatched: tuple[str, ...]

    def folders(self) -> tuple[Path, ...]:
        """Folders that hold all of it, none inside another."""
        wanted = {self.manifest.parent}
        wanted |= {_nearest_folder(files.root) for files in (*self.sources, *self.content)}
        return tuple(
            sorted(
                folder for folder in wanted if not any(other in folder.parents for other in wanted)
            )
        )

    def source_snapshot(self) -> Snapshot:
        """The state of what builds read, the manifest among it."""
        return _snapshot(self.manifest, self.sources)

    def content_snapshot(self) -> Snapshot:
        """The state of what a run reads, the manifest among it."""
        return _snapshot(self.manifest, self.content)


def watched_files(manifest: SpinManifest, *, with_assets: bool = True) -> WatchedFiles:
    """Return what to watch for an application.

    Args:
        with_assets: Whether ``files`` matter; they do not where they are mounted in place.
    """
    sources: list[_Files] = []
    content: list[_Files] = []
    unwatched = []
    base = manifest.base_dir.absolute()
    for id, component in manifest.components.items():
        content += _content_of(component, base, with_assets)
        build = component.build
        if build is None:
            continue
        if not build.watch:
            unwatched.append(id)
        folder = base / (build.workdir or "")
        sources += [_watch_pattern(text, folder) for text in build.watch]
    return WatchedFiles(manifest.path.absolute(), tuple(sources), tuple(content), tuple(unwatched))


def _content_of(component: ManifestComponent, base: Path, with_assets: bool) -> Iterator[_Files]:
    if isinstance(component.source, str):
        yield _Files(_joined(base, component.source))
    for dependency in component.dependencies.values():
        if isinstance(dependency.source, str):
            yield _Files(_joined(base, dependency.source))
    for mount in component.files if with_assets else ():
        if isinstance(mount, FilePlacement):
            yield _Files(_joined(base, mount.source))
        else:
            yield _files(mount, base)


def files_of_pattern(text: str, folder: Path) -> Iterator[Path]:
    """Yield the files that an entry of ``build.watch`` means, sorted.

    Args:
        text: The entry.
        folder: Where the component is built.
    """
    yield from (Path(path) for path in sorted(_watch_pattern(text, folder).paths()))


def _watch_pattern(text: str, folder: Path) -> _Files:
    """Read an entry of ``build.watch``: without a slash it means files in any folder."""
    return _files(text if "/" in text else f"**/{text}", folder)


def _files(text: str, folder: Path) -> _Files:
    start, rest = fixed_part(text)
    return _Files(_joined(folder, start), path_regex(rest) if rest else None)


def _joined(folder: Path, text: str) -> Path:
    # Links are left as they are: what is asked for is watched, not where it points to.
    return Path(os.path.normpath(folder / text))


def _nearest_folder(path: Path) -> Path:
    """A folder that exists: the path, or the first parent that is one."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def signature_of(path: str | Path) -> Signature | None:
    """Return what changes with a file; ``None`` where there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - many paths, quickly
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _snapshot(manifest: Path, sets: Iterable[_Files]) -> Snapshot:
    paths = {str(manifest), *(path for files in sets for path in files.paths())}
    found = {path: signature_of(path) for path in paths}
    return {path: signature for path, signature in found.items() if signature is not None}
