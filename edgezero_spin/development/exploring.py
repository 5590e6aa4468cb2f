"""Native applications as the explorer shows them.

In: a ``NativeApplication``. Out: an ``ExploredApplication``. Sizes and imports are those of
components; a native app has neither.
"""

from edgezero_spin.development.application import NativeApplication
from edgezero_spin.explorer.application import OPENAPI_PATH, ExploredApplication, shown_variables
from edgezero_spin.host.http.gateway import RequestHead
from edgezero_spin.host.load.application import PublicRoute

__all__ = ["explored_native"]


def explored_native(native: NativeApplication, url: str | None) -> ExploredApplication:
    """Return what the explorer shows of an app."""
    part = native.part
    component = {
        "id": part.id,
        "description": part.description,
        "source": native.place.target,
        "bytes": None,
        "imports": [],
        "problem": None,
        "key_value_stores": list(part.key_value_stores),
        "sqlite_databases": list(part.sqlite_databases),
        "ai_models": list(part.ai_models),
        "allowed_outbound_hosts": list(part.allowed_outbound_hosts),
        "environment": sorted(part.environment),
    }
    return ExploredApplication(
        name=native.gateway.application,
        url=url,
        describes_itself=lambda: _describes_itself(native),
        routes=tuple(
            PublicRoute(part.id, route.path, False, route.method) for route in native.app.routes
        ),
        components=(component,),
        variables=tuple(shown_variables(part.id, native.variables)),
        key_value=native.stores,
        databases={},
    )


def _describes_itself(native: NativeApplication) -> bool:
    component_id, _ = native.gateway.matched(RequestHead("GET", OPENAPI_PATH, None, ()))
    has_route = any(route.path == OPENAPI_PATH for route in native.app.routes)
    return has_route and component_id == native.part.id
