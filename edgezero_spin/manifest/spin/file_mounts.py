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
from edgezero_spin.manifest.spin.schema import FileMount, FilePlacement, ManifestComponent

__all__ = ["FileMountError", "character_class", "copy_files", "direct_mounts", "leads_back"]

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
        excluded.append(_pattern_of(text))
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


def leads_back(path: Path, top: Path) -> bool:
    """Whether a path is a folder that it lies in itself, by a link, at or below ``top``.

    Walking on from it would not end.
    """
    inside = len(path.parts) - len(top.parts)
    return path.is_dir() and any(path.samefile(each) for each in path.parents[:inside])


def _below(folder: Path) -> Iterable[Path]:
    """Everything in a folder, also through links to other folders."""
    return _matches(folder, "**/*")


def _matches(folder: Path, pattern: str) -> Iterable[Path]:
    """What a pattern matches, sorted; ``**`` enters no folder that it is in already."""
    before, recursive, after = f"/{pattern}".partition("/**/")
    text = os.path.join(glob.escape(str(folder)), before[1:])  # noqa: PTH118
    found = set(map(Path, glob.glob(text, include_hidden=True)))  # noqa: PTH207
    if recursive:
        folders = {each for path in found for each in _folders(path, path)}
        found = {match for each in folders for match in _matches(each, after)}
    return sorted(found)


def _folders(folder: Path, top: Path) -> Iterator[Path]:
    """Yield a folder and those below it."""
    if folder.is_dir() and not leads_back(folder, top):
        yield folder
        for each in folder.iterdir():
            yield from _folders(each, top)


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


def _pattern_of(text: str) -> re.Pattern[str]:
    """Compile a glob in which ``*`` and ``?`` also match slashes, as Spin's excludes do."""
    regex = ""
    index = 0
    while index < len(text):
        letter = text[index]
        index += 1
        if letter == "*":
            while text[index : index + 1] == "*":
                index += 1
            # `**/` also stands for no folder at all.
            if text[index - 2 : index + 1] == "**/":
                regex += "(?:.*/)?"
                index += 1
            else:
                regex += ".*"
        elif letter == "?":
            regex += "."
        elif letter == "[" and (found := character_class(text, index)):
            letters, index = found
            regex += letters
        else:
            regex += re.escape(letter)
    return re.compile(regex, re.DOTALL)


def character_class(text: str, start: int) -> tuple[str, int] | None:
    """Translate the brackets in a glob.

    Args:
        text: The glob.
        start: Where what is in them begins.

    Returns:
        The regular expression, and where the glob goes on; ``None`` where they are not closed.
    """
    negated = text.startswith("!", start)
    index = start + negated
    end = text.find("]", index + 1)
    if end < 0:
        return None
    letters = ""
    while index < end:
        if text[index + 1] == "-" and index + 2 < end:
            # A range that ends before it begins has no letters.
            if text[index] <= text[index + 2]:
                letters += f"{re.escape(text[index])}-{re.escape(text[index + 2])}"
            index += 3
        else:
            letters += re.escape(text[index])
            index += 1
    if not letters:
        return "." if negated else "(?!)", end + 1
    return f"[{'^' if negated else ''}{letters}]", end + 1
