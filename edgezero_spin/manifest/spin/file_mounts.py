"""Files that a component sees, copied into one folder.

In: the manifest's ``files`` and ``exclude_files``, and the application's folder. Out: a
folder with everything at the path where the guest will see it.

A path starts at the application's folder and may lead out of it by ``..``, as it may in
Spin; an absolute path elsewhere is refused. Nothing is written outside the destination.

Source: contract spin-host.md, MAN-63 to MAN-70.
"""

import glob
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from edgezero_spin.errors import ManifestError
from edgezero_spin.manifest.spin.globs import fixed_part, path_regex, text_regex
from edgezero_spin.manifest.spin.schema import FileMount, FilePlacement, ManifestComponent

__all__ = ["FileMountError", "copy_files", "direct_mounts"]

_MAGIC = re.compile(r"[*?\[]")
_WILDCARDS = re.compile(r"\*+")
_INSTEAD = "To include a folder, use source and destination, or a pattern that ends in **/*."


class FileMountError(ManifestError):
    """An entry of ``files`` cannot be given to the guest. The message names the entry."""


def copy_files(component: ManifestComponent, app_dir: Path, destination: Path) -> None:
    """Copy what ``files`` names into a folder.

    Args:
        app_dir: The application's folder, absolute.
        destination: The folder that the guest will see as ``/``; made when missing.

    Raises:
        FileMountError: An entry names nothing, or something that may not be copied.
    """
    excluded = []
    for text in component.exclude_files:
        _check_pattern(text, "Invalid exclude_files glob pattern")
        excluded.append(text_regex(text))
    app_dir = Path(os.path.normpath(app_dir))
    for mount in component.files:
        for source, target in _copies_of(mount, app_dir, destination, excluded):
            _copy(source, target, app_dir, destination, mount)
    destination.mkdir(parents=True, exist_ok=True)


def direct_mounts(component: ManifestComponent, app_dir: Path) -> tuple[tuple[Path, str], ...]:
    """Return folder and guest path of each entry, for mounting in place.

    Raises:
        FileMountError: An entry is not a folder, or files are excluded (MAN-70).
    """
    if component.exclude_files:
        raise FileMountError("Cannot load a component with `exclude_files` using --direct-mounts")
    found = []
    for mount in component.files:
        source, guest = (
            (mount, mount) if isinstance(mount, str) else (mount.source, mount.destination)
        )
        folder = app_dir / source
        if not folder.is_dir():
            raise FileMountError(
                "Only directory mounts are supported with `--direct-mounts`; "
                f'"{source}" is not a directory.'
            )
        found.append((folder, guest))
    return tuple(found)


def _copies_of(
    mount: FileMount, app_dir: Path, destination: Path, excluded: list[re.Pattern[str]]
) -> Iterator[tuple[Path, Path]]:
    if isinstance(mount, FilePlacement):
        source = app_dir / mount.source
        target = destination / mount.destination.lstrip("/")
        if source.is_dir():
            # Before the folder is read, which may be the whole disk.
            _inside(source, app_dir)
            yield from _tree(_below(source), source, target, app_dir, excluded)
        elif not source.exists():
            raise FileMountError(f'File or directory "{mount.source}" does not exist')
        elif not mount.destination.strip("/") or mount.destination.endswith(("/", ".")):
            raise FileMountError(f'"{mount.destination}" is not a valid destination file name')
        else:
            yield source, target
        return
    if mount == ".." or mount.endswith("/.."):
        raise FileMountError(
            f'A file pattern can\'t end in a parent directory path (..): "{mount}". {_INSTEAD}'
        )
    if mount == "." or mount.endswith("/."):
        raise FileMountError(
            f'A file pattern can\'t end in a current directory path (.): "{mount}". {_INSTEAD}'
        )
    source = app_dir / mount
    if source.is_dir():
        # Spin puts the folder's path before paths that have it already: `static/x` becomes
        # `static/static/x`. Who wants it once writes a placement, or `static/**/*`.
        _inside(source, app_dir)
        yield from _tree(_below(source), app_dir, destination / mount, app_dir, excluded)
    elif source.exists():
        yield source, destination / mount
    elif _MAGIC.search(mount):
        _check_pattern(mount, "Failed to resolve glob pattern")
        _inside(source, app_dir)
        # A pattern that ends in `**` matches folders only, of which none is copied.
        paths = [] if mount.split("/")[-1] == "**" else _matches(app_dir, mount)
        yield from _tree(paths, app_dir, destination, app_dir, excluded)
    else:
        raise FileMountError(f'"{mount}" does not exist and doesn\'t appear to be a glob pattern')


def _below(folder: Path) -> Iterable[Path]:
    """Everything in a folder, also through links to other folders."""
    return _matches(folder, "**/*")


def _matches(folder: Path, pattern: str) -> Iterable[Path]:
    if "**" not in pattern:
        text = os.path.join(glob.escape(str(folder)), pattern)  # noqa: PTH118
        return map(Path, sorted(glob.glob(text, include_hidden=True)))  # noqa: PTH207
    start, rest = fixed_part(pattern)
    root, regex = folder / start, path_regex(rest)
    return sorted(
        path for path in _walk(root, ()) if regex.fullmatch(path.relative_to(root).as_posix())
    )


def _walk(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    """Yield what is below a folder, also through links, but for those back to a folder above.

    Spin follows them forty times, and two of them in each of forty folders for ever.
    """
    try:
        there = folder.stat()
        entries = list(os.scandir(folder))
    except OSError:
        # As a glob: what cannot be read matches nothing.
        return
    identity = there.st_dev, there.st_ino
    if identity in above:
        return
    for entry in entries:
        path = folder / entry.name
        yield path
        # Not the entry's own, which raises for a link to itself.
        if path.is_dir():
            yield from _walk(path, (*above, identity))


def _tree(
    paths: Iterable[Path], root: Path, target: Path, app_dir: Path, excluded: list[re.Pattern[str]]
) -> Iterator[tuple[Path, Path]]:
    """Yield each file with its copy's path, those that are excluded left out."""
    for path in paths:
        if not path.is_file():
            continue
        inside = _inside(path, app_dir)
        if not any(pattern.fullmatch(inside.as_posix()) for pattern in excluded):
            yield path, target / path.relative_to(root)


def _inside(path: Path, app_dir: Path) -> Path:
    try:
        # Not normalized: Spin accepts `../shared`, which starts at the application.
        return path.relative_to(app_dir)
    except ValueError:
        raise FileMountError(
            f'"{path}" cannot be mapped because it is outside the application directory. '
            "Files must be within the application directory."
        ) from None


def _copy(source: Path, target: Path, app_dir: Path, destination: Path, mount: FileMount) -> None:
    _inside(source, app_dir)
    if not Path(os.path.normpath(target)).is_relative_to(os.path.normpath(destination)):
        raise FileMountError(
            f"the destination of {_shown(mount)} is outside the guest's files. Name one inside: "
            '{ source = "..", destination = "/" }'
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    except OSError as err:
        raise FileMountError(
            f'Failed to copy "{source}" to working path "{target}": {err.strerror or err}'
        ) from err


def _shown(mount: FileMount) -> str:
    return f'"{mount}"' if isinstance(mount, str) else f'"{mount.destination}"'


def _check_pattern(text: str, refusal: str) -> None:
    """Refuse a glob that Spin refuses, which would match something else here.

    Raises:
        FileMountError: Its brackets or its wildcards are not in order.
    """
    problem = None
    for run in _WILDCARDS.finditer(text):
        alone = text[: run.start()][-1:] in ("", "/") and text[run.end() :][:1] in ("", "/")
        if len(run[0]) > 2:
            problem = "wildcards are either regular `*` or recursive `**`"
        elif len(run[0]) == 2 and not alone:
            problem = "recursive wildcards must form a single path component"
    opened = text.find("[")
    while opened >= 0 and problem is None:
        first = opened + (2 if text[opened + 1 : opened + 2] == "!" else 1)
        closed = text.find("]", first + 1)
        if closed < 0:
            problem = "invalid range pattern"
        opened = text.find("[", closed + 1)
    if problem is not None:
        raise FileMountError(f'{refusal} "{text}": {problem}')
