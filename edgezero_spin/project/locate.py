"""Find the files of a project that nobody named."""

from pathlib import Path

from edgezero_spin.errors import ProjectError

__all__ = ["SPIN_MANIFEST", "find_spin_manifest"]

SPIN_MANIFEST = "spin.toml"
_MOST_PARENTS = 20


def find_spin_manifest(given: str | None = None, *, start: Path | None = None) -> Path:
    """Return the path of the application's manifest.

    Args:
        given: A manifest file or a folder that holds ``spin.toml``; ``None`` looks in
            ``start`` and then in each parent, up to the root of the repository and at
            most 20 levels.
        start: Where the look-up begins; the current folder when ``None``.

    Raises:
        ProjectError: There is none. The message says where one was expected.

    Source: contract spin-host.md, MAN-5 and CLI-12.
    """
    if given is not None:
        path = Path(given)
        if path.is_dir():
            path /= SPIN_MANIFEST
        if not path.is_file():
            raise ProjectError(f"there is no manifest at {str(path)!r}")
        return path
    start = Path.cwd() if start is None else start
    for folder in [start, *start.parents][: _MOST_PARENTS + 1]:
        if (folder / SPIN_MANIFEST).is_file():
            return folder / SPIN_MANIFEST
        if (folder / ".git").exists():
            break
    raise ProjectError(
        f"could not locate {SPIN_MANIFEST} in {str(start)!r} or above it: "
        "name one with --from, or run in the application's folder with -C"
    )
