"""Manifests: text and files in, checked values out. Nothing here runs wasm.

``app_manifest`` reads ``edgezero.toml`` and is what this package offers: an app that calls
``App.from_manifest`` carries it into its component. ``manifest.spin`` reads ``spin.toml`` and
``spin.lock``, and is imported by that name. Both need the standard library and attrs only.

A host reads no ``edgezero.toml``, so what does is imported at the first use of its name: with the
stores and cattrs behind it, that is a tenth of the time in which a host starts.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from edgezero_spin.manifest.errors import InvalidManifestError, ManifestUnreadableError, Problem

if TYPE_CHECKING:
    from edgezero_spin.manifest.app_manifest import (
        AppManifest,
        load_app_manifest,
        manifest_json,
        read_app_manifest,
    )
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

_HOMES = {
    "AppManifest": "app_manifest",
    "HttpTrigger": "http_triggers",
    "load_app_manifest": "app_manifest",
    "manifest_json": "app_manifest",
    "parse_handler": "http_triggers",
    "read_app_manifest": "app_manifest",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
