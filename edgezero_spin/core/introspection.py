"""Introspection handlers: what routes, manifest and configuration an app has.

Bound like any handler, under a path that the app chooses; none is there unasked, and none asks who
the client is:

```python
app.get("/_shop/routes")(introspection.routes)
```

In ``edgezero.toml`` they are ``edgezero_spin.core.introspection:routes``.

Source: contract edgezero.md, INT-1, INT-2, EXT-13.
"""

from typing import Any

import attrs

from edgezero_spin.core.annotations import State
from edgezero_spin.core.errors import Internal, NotFound
from edgezero_spin.core.request import Request
from edgezero_spin.core.response import Response
from edgezero_spin.core.route_table import RouteTable

__all__ = ["ManifestJson", "config", "manifest", "routes"]


@attrs.frozen
class ManifestJson:
    """The manifest that the app was made from, for a parameter ``State[ManifestJson]``.

    Attributes:
        text: As JSON, without the values of secrets; ``None`` when the app has no manifest.
    """

    text: str | None = None


def routes(table: State[RouteTable]) -> list[dict[str, str]]:
    """Answer with every route: ``[{"method": "GET", "path": "/"}]``."""
    return [{"method": route.method, "path": route.path} for route in table.routes]


def manifest(found: State[ManifestJson]) -> Response:
    """Answer with the manifest.

    Raises:
        Internal: The app was not made by ``App.from_manifest``.
    """
    if found.text is None:
        raise Internal("manifest introspection data not available")
    return Response(found.text, content_type="application/json")


async def config(request: Request) -> dict[str, Any]:
    """Answer with the configuration in the default config store, secrets by their names.

    Raises:
        NotFound: The app has no config store, or the store no configuration in one entry.
        ConfigStoreError: The store failed, or the entry was damaged.
    """
    store = request.config_store_default
    if store is None:
        raise NotFound("no default config store registered")
    found = await store.whole()
    if found is None:
        raise NotFound("no config blob in default store")
    return found
