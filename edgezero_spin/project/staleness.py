"""Sources of a component that are newer than its file.

In: a component of a manifest. Out: a source that changed after it was built: one that
``[component.ID.build] watch`` names, or for an app that says nothing, any of its modules.

Source: contract spin-host.md, MAN-42; the second is our own.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from edgezero_spin.manifest.spin import ManifestComponent
from edgezero_spin.project.app_targets import compiles_app
from edgezero_spin.project.watched_files import files_of_pattern

__all__ = ["stale_source"]

# Folders in which an app has no modules of its own, and files that it is not made of.
NOT_SOURCES = ("__pycache__", "node_modules", "site-packages", "tests")
TESTS = ("test_", "conftest.")


def stale_source(base: Path, component: ManifestComponent) -> Path | None:
    """Return a source that is newer than its component, if any."""
    build = component.build
    if build is None or not isinstance(component.source, str):
        return None
    wasm = base / component.source
    built = wasm.stat().st_mtime_ns
    folder = base / (build.workdir or "")
    for source in _sources(folder, component, build.watch):
        if source.is_file() and source != wasm and source.stat().st_mtime_ns > built:
            return source
    return None


def _sources(folder: Path, component: ManifestComponent, watch: Iterable[str]) -> Iterator[Path]:
    if watch:
        for pattern in watch:
            yield from files_of_pattern(pattern, folder)
    elif compiles_app(component):
        yield from _modules(folder)


def _modules(folder: Path) -> Iterator[Path]:
    """Yield the Python files of an app, and the manifest that may be baked into it."""
    yield folder / "edgezero.toml"
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in NOT_SOURCES
            and not Path(place, name, "pyvenv.cfg").exists()
        )
        for name in sorted(files):
            if name.endswith(".py") and not name.startswith(TESTS):
                yield Path(place, name)
