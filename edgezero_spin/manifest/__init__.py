"""Manifests: text and files in, checked values out. Nothing here runs wasm.

``app_manifest`` reads ``edgezero.toml`` and is what this package offers: an app that calls
``App.from_manifest`` carries it into its component. ``manifest.spin`` reads ``spin.toml`` and
``spin.lock``, and is imported by that name. Both need the standard library and attrs only.
"""

from edgezero_spin.manifest.app_manifest import (
    AppManifest,
    load_app_manifest,
    manifest_json,
    read_app_manifest,
)
from edgezero_spin.manifest.errors import InvalidManifestError, ManifestUnreadableError, Problem
from edgezero_spin.manifest.http_triggers import HttpTrigger, parse_handler

__all__ = [
    "AppManifest",
    "HttpTrigger",
    "InvalidManifestError",
    "ManifestUnreadableError",
    "Problem",
    "load_app_manifest",
    "manifest_json",
    "parse_handler",
    "read_app_manifest",
]
