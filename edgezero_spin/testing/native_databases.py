"""Databases of an app under test in this process, as the embedded host gives them to components.

SQLite databases are those of the client, recorded and failing on request; servers are real ones.
What the manifest does not grant is refused as on a host. Without a manifest everything is granted.

Source: contract spin-host.md, DB-1 to DB-4, TEST-30; services.md, sections 1 and 2.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from edgezero_spin.stores.backend import BackendError
from edgezero_spin.stores.databases import DatabaseFailure
from edgezero_spin.stores.declaration import DatabaseKind
from edgezero_spin.testing.databases import DatabaseViews
from edgezero_spin.testing.grants import AppGrants, ComponentGrants
from edgezero_spin.testing.on_demand import OnDemand
from edgezero_spin.testing.store_control import StoreControl

if TYPE_CHECKING:
    from edgezero_spin.host.factors.instance import Grants
    from edgezero_spin.host.factors.sqlite.factor import Database

__all__ = ["NativeDatabases"]


@attrs.define(eq=False)
class NativeDatabases:
    """The ``DatabasePlatform`` of one app under test. ``close`` it.

    Args:
        own: What the manifest grants the component; ``None`` without a manifest.
        app: What the application has; likewise.
        views: The SQLite databases of the test.
        stores: Records, and fails on request.
        variables: Variables of the application, as the test sets them.
    """

    _own: ComponentGrants | None
    _app: AppGrants | None
    _views: DatabaseViews
    _stores: StoreControl
    _variables: Mapping[str, str]
    _grants: "Grants | None" = attrs.field(default=None, init=False)

    async def open_database(self, kind: DatabaseKind, target: str) -> Any:
        """Connect; see ``DatabasePlatform``."""
        try:
            # The host is there where it is used: an app without databases needs none.
            from edgezero_spin.host.factors.outbound_http.interface import OutboundHosts
            from edgezero_spin.host.load.in_process import InProcessDatabases
        except ImportError as error:
            raise DatabaseFailure(
                "other",
                f"databases are opened by the embedded host, which misses {error.name}: "
                "pip install 'edgezero-spin[tools]'",
            ) from error
        if self._grants is None:
            self._grants = self._made()
        components = () if self._app is None else tuple(self._app.components)
        hosts = OutboundHosts(self._outbound(), component_ids=components)
        grants = attrs.evolve(self._grants, outbound=hosts)
        return await InProcessDatabases(grants).open_database(kind, target)

    def _made(self) -> "Grants":
        from edgezero_spin.host.factors.database_servers.pools import ConnectionPools
        from edgezero_spin.host.factors.instance import Grants
        from edgezero_spin.host.factors.logs import Logs
        from edgezero_spin.host.factors.postgres.factor import PostgresConnections

        id = "" if self._own is None else self._own.id
        return Grants(
            component_id=id,
            databases=OnDemand(self._open_recorded, lambda: self._views),
            postgres=PostgresConnections(),
            mysql=ConnectionPools(),
            log=Logs(None).of(id),
        )

    def _open_recorded(self, label: str) -> "Database | None":
        from edgezero_spin.testing.hosting.databases import open_recorded

        granted = self._views if self._own is None else self._own.databases
        return open_recorded(label, granted, self._views, self._stores)

    def _outbound(self) -> list[str]:
        """Return where the component may connect to, templates filled in."""
        if self._own is None or self._app is None:
            return ["*://*:*"]
        try:
            return [self._app.render(text, self._variables) for text in self._own.outbound]
        except BackendError as error:
            raise DatabaseFailure("other", error.message) from error

    def close(self) -> None:
        """Close the connections to servers. Twice is harmless."""
        grants, self._grants = self._grants, None
        if grants is not None:
            grants.postgres.close()
            grants.mysql.close()
