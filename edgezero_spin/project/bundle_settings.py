"""Settings of a build: the WASI of a component, and modules besides its imports.

In: the flags of ``edgezero componentize``, and ``[adapters.spin]`` of the nearest
``edgezero.toml``. Out: what both say together. A flag decides where the two disagree.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from edgezero_spin.project.commands import load_project
from edgezero_spin.project.world import DEFAULT_WASI, Wasi

__all__ = ["BundleSettings", "bundle_settings"]


@attrs.frozen
class BundleSettings:
    """How a component is compiled.

    Attributes:
        include: Modules and packages that travel although no import statement leads to them.
        exclude: Modules and packages that do not travel.
        wasi: The WASI to compile for.
    """

    include: tuple[str, ...]
    exclude: tuple[str, ...]
    wasi: Wasi = DEFAULT_WASI


def bundle_settings(
    include: Sequence[str],
    exclude: Sequence[str],
    environ: Mapping[str, str],
    *,
    wasi: Wasi | None = None,
    start: Path | None = None,
) -> BundleSettings:
    """Return what flags and the project's file say together.

    Args:
        include: By flags.
        exclude: By flags.
        environ: Of the process; ``EDGEZERO_MANIFEST`` in it names the file.
        wasi: By flag.
        start: Where the look-up of ``edgezero.toml`` begins; the current folder when ``None``.

    Raises:
        ProjectError: The file that was named is not there.
        ManifestError: The file cannot be used.
    """
    project = load_project(environ, start=start)
    adapter = None if project is None else project.adapter("spin")
    if adapter is None:
        return BundleSettings(tuple(include), tuple(exclude), wasi or DEFAULT_WASI)
    return BundleSettings(
        _both(include, adapter.build.include, exclude),
        _both(exclude, adapter.build.exclude, include),
        wasi or ("0.3" if adapter.wasi == "0.3" else DEFAULT_WASI),
    )


def _both(flags: Sequence[str], settings: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    kept = [name for name in settings if name not in other]
    return tuple(dict.fromkeys([*flags, *kept]))
