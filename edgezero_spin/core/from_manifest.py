"""Apps that an ``edgezero.toml`` describes: name, stores, middleware and routes.

In: the path of the manifest and the names of the calling module. Out: a ``DescribedApp``, whose
handlers and middleware are names that are looked up when the app is compiled. An app without a
manifest does not carry this module.

Source: contract edgezero.md, APP-7.
"""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.core.introspection import ManifestJson
from edgezero_spin.core.patterns import parse_pattern
from edgezero_spin.core.references import Reference, parse_reference
from edgezero_spin.core.router import Declaration
from edgezero_spin.errors import ManifestError
from edgezero_spin.manifest.app_manifest import load_app_manifest, manifest_json
from edgezero_spin.stores.declaration import StoreDeclaration

__all__ = ["DescribedApp", "read_described_app"]


@attrs.frozen(kw_only=True)
class DescribedApp:
    """What a manifest says of an app.

    Attributes:
        name: Its name; ``None`` when none is given.
        stores: The stores that it declares.
        middleware: The names of its layers, the outermost first.
        routes: Its routes, in order.
        manifest: The manifest itself, for ``introspection``.
    """

    name: str | None
    stores: StoreDeclaration
    middleware: tuple[Reference, ...]
    routes: tuple[Declaration, ...]
    manifest: ManifestJson


def read_described_app(path: "str | PathLike[str]", caller: Mapping[str, Any]) -> DescribedApp:
    """Read a manifest.

    Args:
        path: The manifest. A relative path is tried in the folder of the calling module first,
            then in the current folder.
        caller: The globals of the calling module.

    Raises:
        ManifestError: The manifest is missing or wrong.
    """
    beside = Path(caller.get("__file__") or "").parent / path
    found = beside if beside.is_file() else Path(path)
    manifest = load_app_manifest(found)
    module = caller.get("__name__", "")
    middleware = [
        parse_reference(text, f"{path}: app.middleware[{index}]", module)
        for index, text in enumerate(manifest.middleware)
    ]
    routes: list[Declaration] = []
    for index, trigger in enumerate(manifest.triggers):
        if trigger.handler is None:
            continue
        origin = f"{path}: triggers.http[{index}]"
        handler = parse_reference(trigger.handler, f"{origin}.handler", module)
        try:
            pattern = parse_pattern(trigger.path)
        except ValueError as error:
            raise ManifestError(f"{origin}.path: {error}") from None
        routes += [Declaration(method, pattern, handler) for method in trigger.methods]
    return DescribedApp(
        name=manifest.name,
        stores=manifest.stores,
        middleware=tuple(middleware),
        routes=tuple(routes),
        manifest=ManifestJson(manifest_json(found)),
    )
