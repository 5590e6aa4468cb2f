"""Is there a component to test, and is it what the sources say?

In: a manifest. Out: its component files, or an error that says what to run. A component is
stale when a file that its manifest watches (``[component.ID.build] watch``) is newer.

Source: contract spin-host.md, MAN-42.
"""

from collections.abc import Iterable
from pathlib import Path

from edgezero_spin.manifest.spin.schema import SpinManifest
from edgezero_spin.testing.errors import MissingComponentError, StaleComponentError

__all__ = ["check_fresh", "component_files", "newer_source", "state_of"]

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
        if component.build is None or not isinstance(component.source, str):
            continue
        folder = manifest.base_dir / (component.build.workdir or "")
        file = manifest.base_dir / component.source
        source = newer_source(file, folder, component.build.watch)
        if source is not None:
            raise StaleComponentError(
                file, source, f"{BUILD} (allow_stale=True tests it nevertheless)"
            )


def newer_source(component: Path, folder: Path, patterns: Iterable[str]) -> Path | None:
    """Return a file that changed after the component was built, if there is one."""
    built = component.stat().st_mtime_ns
    for pattern in patterns:
        for source in folder.glob(pattern):
            if source.is_file() and source != component and source.stat().st_mtime_ns > built:
                return source
    return None


def state_of(path: Path, files: Iterable[Path]) -> object:
    """Return what changes when an application has to be loaded anew."""
    states = [(file, file.stat()) for file in [path, *files]]
    return tuple((file, state.st_mtime_ns, state.st_size) for file, state in states)
