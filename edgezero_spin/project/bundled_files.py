"""Files that travel with a component besides its modules.

Three kinds, each only when the app can reach it:

- the data files of the packages that it can import, for ``importlib.resources``;
- the metadata of the distributions that they come from, for ``importlib.metadata``;
- files and folders beside the app's own modules that a string in one of them names
  (``FileSystemLoader("templates")``, ``Path(__file__).with_name("words.txt")``).

Hidden files (``.env``), environments, caches and compiled code never travel.

In: what is reachable, and the searched folders. Out: an archive by paths inside the component.
"""

import importlib.metadata
import os
import zoneinfo
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution
from pathlib import Path, PurePosixPath

import attrs

from edgezero_spin.bundle.archive import ArchiveWriter
from edgezero_spin.errors import ProjectError
from edgezero_spin.project.reachable_modules import Reachable
from edgezero_spin.project.staging import is_excluded

__all__ = ["BundledData", "pack_files"]

_CODE = frozenset({".py", ".pyc", ".pyi", ".so", ".pyd", ".c", ".h", ".pyx", ".pxd", ".wasm"})
_METADATA = ("METADATA", "entry_points.txt", "top_level.txt", "PKG-INFO")
_MOST_BYTES = 64 * 1024 * 1024
_MOST_INDIRECT_BYTES = 1024 * 1024
"""Data of a package that only other libraries import: beyond this it stays at home."""

_ALWAYS = ("attrs", "cattrs", "edgezero-spin")


@attrs.frozen
class BundledData:
    """An archive of files.

    Attributes:
        left_out: What is too large to travel, with its size.
    """

    archive: bytes
    left_out: tuple[str, ...]


def pack_files(
    reachable: Reachable, folders: Sequence[Path], *, own: int, inside: Sequence[str]
) -> BundledData:
    """Put the files that an app can reach into an archive.

    Args:
        folders: The searched folders as they are on this machine.
        own: The number of the app's own folder.
        inside: The searched folders as the component names them.

    Returns:
        The archive. Of what is more than 64 MiB together the largest parts are left out.

    Raises:
        ProjectError: A file cannot be read.
    """
    groups: dict[str, list[Path]] = {}
    for name, files in _package_data(reachable).items():
        if name in reachable.direct or sum(map(_size, files)) <= _MOST_INDIRECT_BYTES:
            groups[f"data of {name}"] = files
    for path, files in _named_files(reachable, folders[own]):
        groups[str(path)] = files
    groups["metadata"] = [path for each in _distributions(reachable, folders) for path in each]
    chosen: dict[Path, None] = {}
    left_out: list[str] = []
    total = 0
    sizes = {name: sum(map(_size, files)) for name, files in groups.items()}
    for name in sorted(groups, key=sizes.__getitem__):
        if total + sizes[name] > _MOST_BYTES:
            left_out.append(f"{name} ({sizes[name] / 1_000_000:.0f} MB)")
            continue
        total += sizes[name]
        chosen.update(dict.fromkeys(groups[name]))
    places = sorted(
        (place, path) for path in chosen if (place := _inside(path, folders, inside)) is not None
    )
    wants_zones = any(name.partition(".")[0] == "zoneinfo" for name in reachable.standard)
    if wants_zones and "tzdata" not in reachable.modules:
        places += _system_time_zones()
    writer = ArchiveWriter()
    for place, path in places:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ProjectError(f"{path}: cannot be read ({error.strerror or error})") from error
        writer.add_file(place, data, group=str(PurePosixPath(place).parent))
    return BundledData(writer.finish(), tuple(left_out))


def _inside(path: Path, folders: Sequence[Path], inside: Sequence[str]) -> str | None:
    best: tuple[int, str] | None = None
    for folder, name in zip(folders, inside, strict=True):
        if path.is_relative_to(folder):
            depth = len(folder.parts)
            if best is None or depth > best[0]:
                best = (depth, f"{name}/{path.relative_to(folder).as_posix()}")
    return None if best is None else best[1]


def _walk(folder: Path, seen: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """Yield the files of a folder and of those below it, each folder once."""
    real = folder.resolve()
    if real in seen:
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise ProjectError(f"{folder}: cannot be read ({error.strerror or error})") from error
    for path in entries:
        if is_excluded(path):
            continue
        if path.is_dir():
            yield from _walk(path, seen | {real})
        elif path.is_file():
            yield path


def _package_data(reachable: Reachable) -> dict[str, list[Path]]:
    """Return the data files of all packages, by the names of the topmost ones."""
    found: dict[str, list[Path]] = {}
    for module in reachable.modules.values():
        if module.kind == "package":
            files = found.setdefault(module.name.partition(".")[0], [])
            files.extend(_data_of(module.path.parent))
    return found


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _data_of(folder: Path) -> Iterator[Path]:
    """Yield the data files of one package, and of folders in it that are not packages."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for path in entries:
        if is_excluded(path) or path.name in ("tests", "test"):
            continue
        if path.is_dir():
            if not (path / "__init__.py").exists():
                yield from (each for each in _walk(path) if _is_data(each))
        elif _is_data(path) and path.is_file():
            yield path


def _is_data(path: Path) -> bool:
    return path.suffix not in _CODE and path.name != "py.typed"


def _named_files(reachable: Reachable, root: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Yield the files and folders that the app's own strings name, with the files in them."""
    seen: set[Path] = set()
    for folder, text in sorted(reachable.strings):
        if not text or "\0" in text or "\n" in text or text.startswith(("/", "~")):
            continue
        if not text.strip("./"):
            continue
        for base in (root, folder):
            path = Path(os.path.normpath(base / text))
            try:
                exists = path.exists()
            except (OSError, ValueError):
                continue
            if not exists or path in seen or not path.is_relative_to(root) or path == root:
                continue
            parts = path.relative_to(root).parts
            if any(is_excluded(root.joinpath(*parts[: i + 1])) for i in range(len(parts))):
                continue
            if not path.resolve().is_relative_to(root.resolve()):
                continue
            seen.add(path)
            found = _walk(path) if path.is_dir() else iter([path])
            yield path, [each for each in found if _is_data(each)]


def _distributions(reachable: Reachable, folders: Sequence[Path]) -> Iterator[list[Path]]:
    """Yield the metadata files of the distributions whose packages the app can import."""
    roots = {name.partition(".")[0] for name in reachable.modules}
    wanted = {_plain(name) for name in _ALWAYS}
    wanted |= {_plain(text) for _, text in reachable.strings if text and len(text) < 100}
    for distribution in importlib.metadata.distributions(path=[str(each) for each in folders]):
        name = distribution.metadata["Name"]
        if name is None or not (_plain(name) in wanted or _provides(distribution) & roots):
            continue
        folder = getattr(distribution, "_path", None)
        if isinstance(folder, Path):
            yield [folder / each for each in _METADATA if (folder / each).is_file()]


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _provides(distribution: Distribution) -> set[str]:
    listed = distribution.read_text("top_level.txt")
    if listed:
        return set(listed.split())
    return {
        file.parts[0].removesuffix(".py")
        for file in distribution.files or ()
        if file.suffix == ".py" and ".." not in file.parts
    }


def _system_time_zones() -> list[tuple[str, Path]]:
    """Return the time zones of this machine, where the package tzdata is not installed."""
    for folder in map(Path, zoneinfo.TZPATH):
        if (folder / "UTC").is_file():
            names = sorted(zoneinfo.available_timezones())
            return [
                (f"/usr/share/zoneinfo/{name}", folder / name)
                for name in names
                if (folder / name).is_file()
            ]
    return []
