"""Operations: what one route takes and answers, from the signature of its handler.

In: a route, the schemas of the document. Out: its operation object.

Source: OpenAPI 3.1.0, Operation Object.
"""

from typing import Any

from edgezero_spin.core.openapi.declarations import OperationNotes, notes_of
from edgezero_spin.core.openapi.parameters import SignatureReader
from edgezero_spin.core.openapi.responses import responses_of
from edgezero_spin.core.openapi.schemas import Schema, Schemas, doc_of
from edgezero_spin.core.route_table import Route

__all__ = ["operation_of"]


def operation_of(route: Route, schemas: Schemas) -> Schema | None:
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
