"""Explored applications: what the explorer shows of one beside its requests.

In: a ``Host``. Out: an ``ExploredApplication``: routes, components, variables, and the stores that
may be looked into. Values of secrets do not leave here.

Source: our own; the masking follows ``secret`` in the variables of a manifest.
"""

import functools
import http.client
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs

from edgezero_spin.errors import EdgeZeroError
from edgezero_spin.explorer.recorder import OWN_FIELD
from edgezero_spin.host.factors.sqlite.database import Database
from edgezero_spin.host.factors.variables import VariableResolver
from edgezero_spin.host.host import Host
from edgezero_spin.host.load.application import PublicRoute
from edgezero_spin.host.load.plan import ComponentPlan
from edgezero_spin.project.inspection import inspect_component
from edgezero_spin.stores.backend import KeyValueBackend

__all__ = ["MASK", "ExploredApplication", "explored_host", "shown_component", "shown_variables"]

OPENAPI_TIMEOUT_S = 2.0
MOST_OPENAPI_BYTES = 16 * 1024 * 1024

MASK = "\u2022\u2022\u2022\u2022\u2022\u2022"
"""Stands for the value of a secret."""


@attrs.frozen(kw_only=True)
class ExploredApplication:
    """What there is of one application.

    Attributes:
        name: Its name.
        version: Its version; empty for none.
        url: Where it answers; ``None`` while it does not.
        routes: Public routes in the order in which they are tried.
        components: As ``shown_component`` gives them.
        variables: As ``shown_variables`` gives them.
        key_value: Stores by label.
        databases: SQLite databases by label.
    """

    name: str
    version: str = ""
    url: str | None
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
            "openapi": [] if self.url is None else _openapi_paths(self.url),
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


def _openapi_paths(url: str) -> list[str]:
    """Return where an app describes itself; nothing where it does not."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname is None:
        return []
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=OPENAPI_TIMEOUT_S)
    try:
        connection.request("GET", "/openapi.json", headers={OWN_FIELD.decode(): "1"})
        answer = connection.getresponse()
        # An app may answer every path, also by what never ends: no more is read than says so.
        media_type = answer.headers.get_content_type()
        is_json = answer.status == 200 and media_type.endswith("json")
        is_one = is_json and "openapi" in json.loads(answer.read(MOST_OPENAPI_BYTES))
    except (OSError, ValueError, TypeError, RecursionError, http.client.HTTPException):
        return []
    finally:
        connection.close()
    return ["/openapi.json", "/docs"] if is_one else []


def explored_host(host: Host) -> ExploredApplication:
    """Return what there is of the application of a host."""
    plan = host.application.plan
    served = host.application.components
    key_value: dict[str, KeyValueBackend] = {}
    databases: dict[str, Database] = {}
    variables: list[Mapping[str, Any]] = []
    for id, component in served.items():
        grants = component.grants
        key_value.update(grants.key_value)
        databases.update(grants.databases)
        if grants.variables is not None:
            variables += shown_variables(id, grants.variables)
    return ExploredApplication(
        name=plan.name,
        version=plan.version,
        url=host.origin,
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
