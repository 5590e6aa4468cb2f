"""``spin.toml`` and ``spin.lock``: read, check, lock."""

from edgezero_spin.manifest.spin.loading import (
    bare_manifest,
    load_builds,
    load_spin_manifest,
    parse_spin_manifest,
)
from edgezero_spin.manifest.spin.lock_file import load_lock, parse_lock
from edgezero_spin.manifest.spin.locked_app import (
    ContentRef,
    LockedApp,
    LockedComponent,
    LockedDependency,
    LockedFiles,
    LockedTrigger,
    LockedVariable,
)
from edgezero_spin.manifest.spin.locking import Fetch, FetchError, lock_application
from edgezero_spin.manifest.spin.schema import (
    FileMount,
    FilePlacement,
    ManifestComponent,
    ManifestTrigger,
    PackageSource,
    SpinManifest,
    TargetReference,
    UrlSource,
)

__all__ = [
    "ContentRef",
    "Fetch",
    "FetchError",
    "FileMount",
    "FilePlacement",
    "LockedApp",
    "LockedComponent",
    "LockedDependency",
    "LockedFiles",
    "LockedTrigger",
    "LockedVariable",
    "ManifestComponent",
    "ManifestTrigger",
    "PackageSource",
    "SpinManifest",
    "TargetReference",
    "UrlSource",
    "bare_manifest",
    "load_builds",
    "load_lock",
    "load_spin_manifest",
    "lock_application",
    "parse_lock",
    "parse_spin_manifest",
]
