"""OpenAPI documents: everything that an app answers, as one JSON object.

In: an app and what is said of it. Out: an OpenAPI 3.1.0 document, the same one for the same app.

Source: OpenAPI 3.1.0, "OpenAPI Object" and "Operation Object".
"""

import re
from typing import TYPE_CHECKING, Any, Final

from edgezero_spin.core.openapi.declarations import (
    ApiDescription,
    ApiKey,
    Basic,
    OperationNotes,
    SecurityScheme,
    notes_of,
)
from edgezero_spin.core.openapi.parameters import SignatureReader
from edgezero_spin.core.openapi.responses import responses_of
from edgezero_spin.core.openapi.schemas import Schema, Schemas, doc_of
from edgezero_spin.core.route_table import Route

if TYPE_CHECKING:
    from edgezero_spin.core.app import App

__all__ = ["openapi_document"]

VERSION: Final = "3.1.0"
_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_REST: Final = re.compile(r"\{\*")
_NOT_IN_AN_ID: Final = re.compile(r"\W+")


def openapi_document(app: "App", description: ApiDescription | None = None) -> dict[str, Any]:
    """Return the OpenAPI document of an app.

    Args:
        app: The app; it is compiled.
        description: What is said of it; what ``app.openapi()`` was given, or its name.

    Raises:
        ValueError: An operation names a security scheme that is not described.
        TypeError: As ``App.compile``.
    """
    said = description or app.api_description or ApiDescription(title=app.name)
    schemas = Schemas()
    paths: dict[str, Schema] = {}
    operations: list[tuple[Route, Schema]] = []
    for route in app.routes:
        if route.method.lower() not in _METHODS or route.path in (
            said.openapi_path,
            said.docs_path,
        ):
            continue
        found = _operation_of(route, schemas)
        if found is not None:
            path = _REST.sub("{", route.path)
            paths.setdefault(path, {})[route.method.lower()] = found
            operations.append((route, found))
    _name_operations(operations)
    _check_security(operations, said)
    document: dict[str, Any] = {"openapi": VERSION, "info": _info(said)}
    if said.servers:
        document["servers"] = [{"url": url} for url in said.servers]
    document["paths"] = paths
    components: Schema = {}
    if schemas.components:
        components["schemas"] = dict(sorted(schemas.components.items()))
    if said.security_schemes:
        components["securitySchemes"] = {
            name: _scheme(scheme) for name, scheme in said.security_schemes.items()
        }
    if components:
        document["components"] = components
    if said.security:
        document["security"] = [{name: []} for name in said.security]
    tags = dict.fromkeys(tag for _, found in operations for tag in found.get("tags", ()))
    if tags or said.tags:
        document["tags"] = [
            {"name": tag, **({"description": said.tags[tag]} if tag in said.tags else {})}
            for tag in dict.fromkeys((*said.tags, *tags))
        ]
    return document


def _info(said: ApiDescription) -> Schema:
    info: Schema = {"title": said.title, "version": said.version}
    if said.description:
        info["description"] = said.description
    return info


def _name_operations(operations: "list[tuple[Route, Schema]]") -> None:
    """Give each operation an id of its own: the name of its handler, if that is unique."""
    taken = {found["operationId"] for _, found in operations if "operationId" in found}
    names = [route.name for route, found in operations if "operationId" not in found]
    for route, found in operations:
        if "operationId" in found:
            continue
        name = _NOT_IN_AN_ID.sub("_", route.name).strip("_")
        if not name or names.count(route.name) > 1 or name in taken:
            path = _NOT_IN_AN_ID.sub("_", route.path).strip("_")
            name = "_".join(part for part in (name, route.method.lower(), path) if part)
        while name in taken:
            name += "_"
        taken.add(name)
        found["operationId"] = name


def _check_security(operations: "list[tuple[Route, Schema]]", said: ApiDescription) -> None:
    asked = [(f"{r.method} {r.path}", s) for r, found in operations for s in _schemes(found)]
    for where, name in [*asked, *(("the app", name) for name in said.security)]:
        if name not in said.security_schemes:
            known = ", ".join(said.security_schemes) or "none"
            raise ValueError(
                f"{where} asks for the security scheme {name!r}, which is not described "
                f"(described: {known}); name it in app.openapi(security_schemes=...)"
            )


def _schemes(found: Schema) -> list[str]:
    return [name for each in found.get("security", ()) for name in each]


def _scheme(scheme: SecurityScheme) -> Schema:
    if isinstance(scheme, ApiKey):
        found: Schema = {"type": "apiKey", "name": scheme.name, "in": scheme.place}
    elif isinstance(scheme, Basic):
        found = {"type": "http", "scheme": "basic"}
    else:
        found = {"type": "http", "scheme": "bearer"}
        if scheme.token_format:
            found["bearerFormat"] = scheme.token_format
    if scheme.description:
        found["description"] = scheme.description
    return found


def _operation_of(route: Route, schemas: Schemas) -> Schema | None:
    """Return the operation of a route; ``None`` for one that is not to be described."""
    notes = notes_of(route.handler)
    if notes.hidden:
        return None
    reader = SignatureReader(route.names, schemas)
    for dependency in route.dependencies:
        if dependency.call is not None:
            reader.depend(dependency.call)
    reader.read(route.handler)
    summary, description = _prose(route.handler, notes)
    found: Schema = {
        "tags": list(dict.fromkeys((*route.tags, *notes.tags))),
        "summary": summary,
        "description": description,
        "operationId": notes.operation_id,
        "parameters": reader.parameters(),
        "requestBody": reader.body(notes.example),
        "responses": responses_of(route, notes, reader, schemas),
        "deprecated": notes.deprecated,
    }
    security = notes.security if notes.security is not None else reader.security
    kept = {name: value for name, value in found.items() if value}
    if security is not None:
        kept["security"] = [{name: []} for name in security]
    return kept


def _prose(handler: Any, notes: OperationNotes) -> tuple[str | None, str | None]:
    text = doc_of(handler) or ""
    first, _, rest = text.partition("\n\n")
    summary = notes.summary or " ".join(first.split()).removesuffix(".") or None
    return summary, notes.description or rest.strip() or None
