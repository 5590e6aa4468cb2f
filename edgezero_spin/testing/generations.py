"""The WASI that components are tested for, and whether they were built for it.

In: a manifest, and the WASI that a test run asks for. Out: the components of another one. What
the run does not say, the project does, as for ``edgezero componentize``.
"""

import os

from edgezero_spin.manifest.spin.schema import ManifestComponent, SpinManifest
from edgezero_spin.project.app_targets import builds_by_edgezero, wasi_flag
from edgezero_spin.project.bundle_settings import bundle_settings
from edgezero_spin.project.inspection import InspectionError, generation_of, inspect_component
from edgezero_spin.project.world import Wasi
from edgezero_spin.testing.errors import KitError

__all__ = ["WASI_VARIABLE", "check_wasi", "is_of_its_wasi"]

WASI_VARIABLE = "EDGEZERO_WASI"
"""The variable that tells build commands which WASI to compile for."""


def is_of_its_wasi(manifest: SpinManifest, wasi: Wasi | None) -> bool:
    """Tell whether each component is what its build command makes now.

    Those of other kits count only where the run asks for a WASI.

    Args:
        manifest: Of the application; its components are there.
        wasi: What the run asks for, ``None`` for nothing.

    Raises:
        ProjectError: ``EDGEZERO_MANIFEST`` names a file that is not there.
        ManifestError: ``edgezero.toml`` cannot be used.
    """
    for component in manifest.components.values():
        if not builds_by_edgezero(component):
            continue
        build = component.build
        folder = manifest.base_dir / ("" if build is None else build.workdir or "")
        wanted = wasi_flag(component) or wasi or os.environ.get(WASI_VARIABLE)
        wanted = wanted or bundle_settings((), (), os.environ, start=folder).wasi
        if _wasi_of(manifest, component) not in (wanted, None):
            return False
    return True


def check_wasi(manifest: SpinManifest, wasi: Wasi, remedy: str) -> None:
    """Make sure that the components are of the WASI that the run asks for.

    Args:
        manifest: Of the application; its components are there.
        wasi: What the run asks for.
        remedy: What to do about a component of another one.

    Raises:
        KitError: One is of another.
    """
    for id, component in manifest.components.items():
        found = _wasi_of(manifest, component)
        if found not in (wasi, None):
            raise KitError(
                f"component {id} ({component.source}) was built for WASI {found}, and the tests "
                f"are to run with WASI {wasi}; {remedy}"
            )


def _wasi_of(manifest: SpinManifest, component: ManifestComponent) -> Wasi | None:
    """The WASI that a component file answers requests by; ``None`` for what does not tell."""
    if not isinstance(component.source, str):
        return None
    try:
        return generation_of(inspect_component(manifest.base_dir / component.source).exports)
    except InspectionError:
        return None
