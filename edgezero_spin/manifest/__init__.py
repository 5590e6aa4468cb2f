"""Manifests: text and files in, checked values out. Nothing here runs wasm.

``app_manifest`` reads ``edgezero.toml``; ``spin`` reads ``spin.toml`` and ``spin.lock``. The
standard library and attrs are all they need, so both can be loaded in a component.
"""

from edgezero_spin.manifest.app_manifest import AppManifest, load_app_manifest
from edgezero_spin.manifest.errors import InvalidManifestError, ManifestUnreadableError, Problem
from edgezero_spin.manifest.http_triggers import HttpTrigger, parse_handler
from edgezero_spin.manifest.spin import (
    Component,
    LockedApp,
    LockedComponent,
    LockedTrigger,
    SpinManifest,
    load_lock,
    load_spin_manifest,
    lock_application,
)

__all__ = [
    "AppManifest",
    "Component",
    "HttpTrigger",
    "InvalidManifestError",
    "LockedApp",
    "LockedComponent",
    "LockedTrigger",
    "ManifestUnreadableError",
    "Problem",
    "SpinManifest",
    "load_app_manifest",
    "load_lock",
    "load_spin_manifest",
    "lock_application",
    "parse_handler",
]
