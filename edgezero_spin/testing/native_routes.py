"""Routes of components and the headers that tell of them, natively.

Most applications have one route, ``/...``, and are answered without further ado. Where a
manifest has others they are matched as the host matches them.

Source: contract spin-host.md, ROUTE-1 to ROUTE-13, HDR-1 to HDR-8.
"""

from typing import TYPE_CHECKING

from edgezero_spin.manifest.spin.schema import SpinManifest
from edgezero_spin.testing.native_messages import added_headers
from edgezero_spin.testing.requests import KitRequest

if TYPE_CHECKING:
    from edgezero_spin.host.http.routes import TriggerRouteTable

__all__ = ["NativeRoutes"]

CLIENT_ADDR = "127.0.0.1:0"

Pair = tuple[str, bytes]


class NativeRoutes:
    """The public routes of an application, as far as its app under test has any."""

    def __init__(self, manifest: SpinManifest | None, own: str) -> None:
        """Read the routes.

        Args:
            manifest: Of the application; ``None`` sends every path to the app under test.
            own: Id of the component of that. Where it has no public route, as when a test is
                about a private component alone, every path goes to it.
        """
        self.own = own
        self._table: TriggerRouteTable | None = None
        found = [] if manifest is None else _public(manifest)
        if any(id == own for _, id in found) and found != [("/...", own)]:
            self._table = _table(found)

    def find(self, request: KitRequest) -> tuple[str, list[Pair]] | None:
        """Return the id of the component that answers and the headers that the host adds.

        ``None`` where no route matches.
        """
        if self._table is None:
            return self.own, added_headers(request, client_addr=CLIENT_ADDR)
        from edgezero_spin.host.http.headers import host_headers

        match = self._table.match(request.path)
        if match is None:
            return None
        headers = host_headers(
            match,
            scheme=request.scheme,
            host=request.authority,
            target=request.target,
            client_addr=CLIENT_ADDR,
        )
        return match.route.declaration.id, headers


def _public(manifest: SpinManifest) -> list[tuple[str, str]]:
    """Route and component, or the trigger where the answer is static."""
    found = []
    for trigger in manifest.triggers:
        route = trigger.config.get("route")
        if trigger.type == "http" and isinstance(route, str):
            component = trigger.component
            found.append((route, component if isinstance(component, str) else trigger.id))
    return found


def _table(routes: list[tuple[str, str]]) -> "TriggerRouteTable | None":
    try:
        from edgezero_spin.host.http.routes import RouteDeclaration, TriggerRouteTable
    except ImportError:
        # Without the extra `tools` there is no host, and every path goes to the app.
        return None
    return TriggerRouteTable(RouteDeclaration(route, id) for route, id in routes)
