"""Manifests: text and files in, checked values out. Nothing here runs wasm.

``app_manifest`` reads ``edgezero.toml`` and needs only the standard library and attrs, so
that it can be loaded while a component is built.
"""

from edgezero_spin.manifest.app_manifest import AppManifest, load_app_manifest
from edgezero_spin.manifest.errors import InvalidManifestError, ManifestUnreadableError, Problem
from edgezero_spin.manifest.http_triggers import HttpTrigger, parse_handler

__all__ = [
    "AppManifest",
    "HttpTrigger",
    "InvalidManifestError",
    "ManifestUnreadableError",
    "Problem",
    "load_app_manifest",
    "parse_handler",
]
