"""``spin.toml`` and ``spin.lock``: read, check, lock."""

from edgezero_spin.manifest.spin.loading import (
    bare_manifest,
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
    Build,
    Component,
    ComponentDependency,
    Dependency,
    FileMount,
    FilePlacement,
    LocalDependency,
    PackageDependency,
    PackageSource,
    Source,
    SpinManifest,
    Trigger,
    UrlDependency,
    UrlSource,
    Variable,
)

__all__ = [
    "Build",
    "Component",
    "ComponentDependency",
    "ContentRef",
    "Dependency",
    "Fetch",
    "FetchError",
    "FileMount",
    "FilePlacement",
    "LocalDependency",
    "LockedApp",
    "LockedComponent",
    "LockedDependency",
    "LockedFiles",
    "LockedTrigger",
    "LockedVariable",
    "PackageDependency",
    "PackageSource",
    "Source",
    "SpinManifest",
    "Trigger",
    "UrlDependency",
    "UrlSource",
    "Variable",
    "bare_manifest",
    "load_lock",
    "load_spin_manifest",
    "lock_application",
    "parse_lock",
    "parse_spin_manifest",
]
