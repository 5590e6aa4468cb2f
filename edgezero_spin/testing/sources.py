"""Freshness of the component under test: whether it is built, and from the sources as they are.

In: a manifest. Out: its component files, or an error that says what to run. A component is
stale when a file that its manifest watches (``[component.ID.build] watch``) is newer.

Source: contract spin-host.md, MAN-42.
"""

from collections.abc import Iterable
from pathlib import Path

from edgezero_spin.manifest.spin.schema import SpinManifest
from edgezero_spin.project.staleness import stale_source
from edgezero_spin.testing.errors import MissingComponentError, StaleComponentError

__all__ = ["check_fresh", "component_files", "state_of"]

BUILD_BARE = "build it, for example with `edgezero componentize app:app -o app.wasm`"
BUILD = "build it with `edgezero build`, or run pytest with --spin-build"


def component_files(manifest: SpinManifest) -> list[Path]:
    """Return the component files of an application.

    Raises:
        MissingComponentError: A file is not there.
    """
    files = [
        manifest.base_dir / component.source
        for component in manifest.components.values()
        if isinstance(component.source, str)
    ]
    for file in files:
        if not file.is_file():
            bare = manifest.path.suffix != ".toml"
            raise MissingComponentError(file, BUILD_BARE if bare else BUILD)
    return files


def check_fresh(manifest: SpinManifest) -> None:
    """Make sure that no component is older than its sources.

    Raises:
        StaleComponentError: One is.
    """
    for component in manifest.components.values():
        source = stale_source(manifest.base_dir, component)
        if source is not None:
            raise StaleComponentError(
                manifest.base_dir / str(component.source),
                source,
                f"{BUILD} (allow_stale=True tests it nevertheless)",
            )


def state_of(path: Path, files: Iterable[Path]) -> object:
    """Return what changes when an application has to be loaded anew."""
    states = [(file, file.stat()) for file in [path, *files]]
    return tuple((file, state.st_mtime_ns, state.st_size) for file, state in states)
