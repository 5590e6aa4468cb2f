"""Is a component older than a source that it is built from?

In: a component of a manifest. Out: a watched file that changed after it was built.

Source: contract spin-host.md, MAN-42.
"""

from pathlib import Path

from edgezero_spin.manifest.spin import Component

__all__ = ["stale_source"]


def stale_source(base: Path, component: Component) -> Path | None:
    """Return a file that ``[component.ID.build] watch`` names and that is newer, if any.

    Args:
        base: The folder of the manifest.
        component: Its file is there.
    """
    if component.build is None or not isinstance(component.source, str):
        return None
    wasm = base / component.source
    built = wasm.stat().st_mtime_ns
    folder = base / (component.build.workdir or "")
    for pattern in component.build.watch:
        for source in sorted(folder.glob(pattern)):
            if source.is_file() and source != wasm and source.stat().st_mtime_ns > built:
                return source
    return None
