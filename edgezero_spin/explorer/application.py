"""Explored applications: what the explorer shows of one beside its requests.

In: a ``Host``. Out: an ``ExploredApplication``: routes, components, variables, and the stores that
may be looked into. Values of secrets do not leave here.

Source: our own; the masking follows ``secret`` in the variables of a manifest.
"""

import asyncio
import functools
import json
import weakref
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.errors import EdgeZeroError
from edgezero_spin.host.factors.sqlite.factor import Database
from edgezero_spin.host.factors.variables.resolver import VariableResolver
from edgezero_spin.host.host import Host
from edgezero_spin.host.http.messages import HttpRequest
from edgezero_spin.host.load.application import PublicRoute
from edgezero_spin.host.load.plan import ComponentPlan
from edgezero_spin.project.inspection import inspect_component
from edgezero_spin.stores.backend import KeyValueBackend

__all__ = [
    "MASK",
    "OPENAPI_PATH",
    "ExploredApplication",
    "explored_host",
    "shown_component",
    "shown_variables",
]

OPENAPI_PATH = "/openapi.json"
OPENAPI_TIMEOUT_S = 2.0
MOST_OPENAPI_BYTES = 16 * 1024 * 1024

MASK = "\u2022\u2022\u2022\u2022\u2022\u2022"
"""Stands for the value of a secret."""


@attrs.frozen(kw_only=True)
class ExploredApplication:
    """What there is of one application.

    Attributes:
        version: Its version; empty for none.
        url: Where it answers; ``None`` while it does not.
        describes_itself: Tells whether it has an OpenAPI document. That may take a while.
        routes: Public routes in the order in which they are tried.
        components: As ``shown_component`` gives them.
        variables: As ``shown_variables`` gives them.
        key_value: Stores by label.
        databases: SQLite databases by label.
    """

    name: str
    version: str = ""
    url: str | None
    describes_itself: Callable[[], bool]
    routes: tuple[PublicRoute, ...]
    components: tuple[Mapping[str, Any], ...]
    variables: tuple[Mapping[str, Any], ...]
    key_value: Mapping[str, KeyValueBackend]
    databases: Mapping[str, Database]

    def overview(self) -> dict[str, Any]:
        """Return all but the content of stores, as JSON takes it."""
        return {
            "name": self.name,
            "version": self.version,
            "url": self.url,
            "openapi": [OPENAPI_PATH, "/docs"] if self.describes_itself() else [],
            "routes": [
                {
                    "component": route.id,
                    "path": route.path,
                    "wildcard": route.wildcard,
                    "description": route.description,
                }
                for route in self.routes
            ],
            "components": list(self.components),
            "variables": list(self.variables),
            "key_value": sorted(self.key_value),
            "databases": sorted(self.databases),
        }


async def _describes_itself(host: Host) -> bool:
    """Whether an app answers with an OpenAPI document; it is asked without being observed."""
    request = HttpRequest(target=OPENAPI_PATH)
    try:
        async with (
            asyncio.timeout(OPENAPI_TIMEOUT_S),
            await host.handle(request, observed=False) as response,
        ):
            media_type = (response.header("content-type") or "").partition(";")[0].strip()
            if response.status != 200 or not media_type.endswith("json"):
                return False
            # An app may answer every path, also by what never ends.
            content = bytearray()
            async for piece in response.iter_bytes():
                content += piece
                if len(content) > MOST_OPENAPI_BYTES:
                    return False
            return "openapi" in json.loads(content)
    except (EdgeZeroError, ValueError, TypeError, RecursionError):
        return False


_described: "weakref.WeakKeyDictionary[Host, bool]" = weakref.WeakKeyDictionary()


def _asked_once(host: Host) -> bool:
    """Whether an app describes itself: what it is made of stays, and so does the answer."""
    found = _described.get(host)
    if found is None:
        try:
            found = _described[host] = asyncio.run(_describes_itself(host))
        except TimeoutError:
            return False
    return found


def explored_host(host: Host) -> ExploredApplication:
    """Return what there is of the application of a host."""
    plan = host.application.plan
    granted = {id: served.grants for (_, id), served in host.application.served.items()}
    key_value: dict[str, KeyValueBackend] = {}
    databases: dict[str, Database] = {}
    variables: list[Mapping[str, Any]] = []
    for id, grants in granted.items():
        key_value.update(grants.key_value)
        databases.update(grants.databases)
        if grants.variables is not None:
            variables += shown_variables(id, grants.variables)
    return ExploredApplication(
        name=plan.name,
        version=plan.version,
        url=host.origin,
        describes_itself=lambda: _asked_once(host),
        routes=host.routes,
        components=tuple(shown_component(part) for part in plan.components),
        variables=tuple(variables),
        key_value=key_value,
        databases=databases,
    )


def shown_component(part: ComponentPlan) -> dict[str, Any]:
    """Return what is shown of a component: its size, what it imports, and what it is granted."""
    size, imports, problem = _read(part.source)
    return {
        "id": part.id,
        "description": part.description,
        "source": part.source.name,
        "bytes": size,
        "imports": imports,
        "problem": problem,
        "key_value_stores": list(part.key_value_stores),
        "sqlite_databases": list(part.sqlite_databases),
        "ai_models": list(part.ai_models),
        "allowed_outbound_hosts": list(part.allowed_outbound_hosts),
        "environment": sorted(part.environment),
    }


def _read(path: Path) -> tuple[int | None, list[str], str | None]:
    try:
        about = path.stat()
    except OSError:
        return None, [], f"{path.name} is not there any more"
    return _inspected(path, about.st_mtime_ns, about.st_size)


@functools.lru_cache(maxsize=64)
def _inspected(path: Path, changed_ns: int, size: int) -> tuple[int | None, list[str], str | None]:
    try:
        found = inspect_component(path)
    except EdgeZeroError as error:
        return size, [], str(error)
    return found.size_bytes, list(found.imports), None


def shown_variables(component_id: str, resolver: VariableResolver) -> Iterable[dict[str, Any]]:
    """Return the variables of a component; one that a secret is part of has no value."""
    for described in resolver.describe(component_id):
        yield {
            "component": component_id,
            "name": described.name,
            "secret": described.secret,
            "value": MASK if described.secret and described.value else described.value,
            "problem": described.problem,
        }
