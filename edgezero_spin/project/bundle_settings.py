"""Modules that travel with a component besides what its import statements lead to.

In: the flags of ``edgezero componentize``, and ``[adapters.spin.build]`` of the nearest
``edgezero.toml``. Out: the names of both. A flag decides where the two disagree.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from edgezero_spin.project.commands import load_project

__all__ = ["BundleSettings", "bundle_settings"]


@attrs.frozen
class BundleSettings:
    """Names of modules and packages.

    Attributes:
        include: What travels although no import statement leads to it.
        exclude: What does not travel.
    """

    include: tuple[str, ...]
    exclude: tuple[str, ...]


def bundle_settings(
    include: Sequence[str],
    exclude: Sequence[str],
    environ: Mapping[str, str],
    *,
    start: Path | None = None,
) -> BundleSettings:
    """Return what flags and the project's file say together.

    Args:
        include: By flags.
        exclude: By flags.
        environ: Of the process; ``EDGEZERO_MANIFEST`` in it names the file.
        start: Where the look-up of ``edgezero.toml`` begins; the current folder when ``None``.

    Raises:
        ProjectError: The file that was named is not there.
        ManifestError: The file cannot be used.
    """
    project = load_project(environ, start=start)
    adapter = None if project is None else project.adapter("spin")
    if adapter is None:
        return BundleSettings(tuple(include), tuple(exclude))
    return BundleSettings(
        _both(include, adapter.build.include, exclude),
        _both(exclude, adapter.build.exclude, include),
    )


def _both(flags: Sequence[str], settings: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    kept = [name for name in settings if name not in other]
    return tuple(dict.fromkeys([*flags, *kept]))
