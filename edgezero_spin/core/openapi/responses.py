"""Responses: what an operation answers.

In: a route, what its handler declares and what is read of a request. Out: response objects by
status. They are those of the return annotation, of ``@operation(responses=...)``, and the errors
that reading a request may end with.

Source: OpenAPI 3.1.0, Responses Object.
"""

import inspect
from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from edgezero_spin.core.callables import hints_of
from edgezero_spin.core.openapi.bounds import json_value
from edgezero_spin.core.openapi.declarations import Answer, OperationNotes
from edgezero_spin.core.openapi.parameters import SignatureReader
from edgezero_spin.core.openapi.schemas import Schema, Schemas, doc_of
from edgezero_spin.core.response import Response
from edgezero_spin.core.route_table import Route
from edgezero_spin.errors import EdgeZeroError

__all__ = ["ERROR", "responses_of"]

ERROR: Final = "Error"
"""The component that every error is an instance of."""

_MISSING: Any = inspect.Parameter.empty
_JSON: Final = "application/json"
_TEXT: Final = "text/plain"
# Not those of ``http``, whose enumeration would be 0.1 MB of a component.
_PHRASES: Final = {
    "2XX": "Success",
    "200": "OK",
    "201": "Created",
    "202": "Accepted",
    "203": "Non-Authoritative Information",
    "204": "No Content",
    "205": "Reset Content",
    "206": "Partial Content",
    "301": "Moved Permanently",
    "302": "Found",
    "303": "See Other",
    "304": "Not Modified",
    "307": "Temporary Redirect",
    "308": "Permanent Redirect",
    "400": "Bad Request",
    "401": "Unauthorized",
    "403": "Forbidden",
    "404": "Not Found",
    "405": "Method Not Allowed",
    "409": "Conflict",
    "410": "Gone",
    "412": "Precondition Failed",
    "413": "Content Too Large",
    "415": "Unsupported Media Type",
    "422": "Unprocessable Content",
    "429": "Too Many Requests",
    "500": "Internal Server Error",
    "501": "Not Implemented",
    "502": "Bad Gateway",
    "503": "Service Unavailable",
    "504": "Gateway Timeout",
}


def responses_of(
    route: Route, notes: OperationNotes, reader: SignatureReader, schemas: Schemas
) -> dict[str, Schema]:
    """Return the responses of a route by status, in order.

    Args:
        notes: What ``@operation`` says of its handler.
        reader: What has read its signature.
        schemas: The schemas of the document.
    """
    found: dict[str, Schema] = {}
    returned = hints_of(route.handler).get("return", _MISSING)
    for status, hint in _statuses(returned):
        found.setdefault(status, _answer(status, hint, schemas))
    errors: dict[int, Any] = {}
    if reader.may_refuse:
        errors[400] = "The request cannot be read."
        errors[422] = "A value breaks a rule."
    if reader.configured:
        errors[503] = "The configuration is not deployed yet."
    for status_code, said in {**errors, **reader.responses, **notes.responses}.items():
        found[str(status_code)] = _declared(status_code, said, schemas)
    if notes.responses and _only_unknown(found):
        found.pop("2XX", None)
    return dict(sorted(found.items()))


def _only_unknown(found: Mapping[str, Schema]) -> bool:
    return "2XX" in found and any(status[:1] == "2" and status != "2XX" for status in found)


def _statuses(returned: Any) -> Iterator[tuple[str, Any]]:
    """Yield each status that an annotation tells of, and what is in the body."""
    origin, arguments = get_origin(returned), get_args(returned)
    if origin in (Union, UnionType):
        bodies = [hint for hint in arguments if not _is_special(hint)]
        rest = [hint for hint in arguments if _is_special(hint)]
        if bodies:
            yield "200", Union[tuple(bodies)]  # noqa: UP007
        for hint in rest:
            yield from _statuses(hint)
    elif origin is tuple and len(arguments) in (2, 3) and _is_status(arguments[0]):
        body = arguments[1]
        for code in get_args(arguments[0]) or ("2XX",):
            yield str(code), body
    elif returned in (None, NoneType):
        yield "204", None
    else:
        yield "200", returned


def _is_special(hint: Any) -> bool:
    return (
        hint in (None, NoneType)
        or get_origin(hint) is tuple
        or (isinstance(hint, type) and issubclass(hint, (Response, EdgeZeroError)))
    )


def _is_status(hint: Any) -> bool:
    return (isinstance(hint, type) and issubclass(hint, int)) or get_origin(hint) is Literal


def _answer(status: str, hint: Any, schemas: Schemas) -> Schema:
    answer: Schema = {"description": _phrase(status)}
    content = _content(hint, schemas)
    if content:
        answer["content"] = content
    return answer


def _content(hint: Any, schemas: Schemas) -> Schema:
    if hint in (_MISSING, None, NoneType):
        return {}
    kind = get_origin(hint) or hint
    if isinstance(kind, type):
        if issubclass(kind, Response):
            return {}
        if issubclass(kind, EdgeZeroError):
            return {_JSON: {"schema": _error(schemas)}}
        if issubclass(kind, str) or issubclass(kind, bytes | bytearray | memoryview):
            return {_TEXT: {"schema": {"type": "string"}}}
        if kind.__name__ in ("Iterator", "AsyncIterator", "Generator", "AsyncGenerator"):
            return {"application/octet-stream": {}}
    return {_JSON: {"schema": schemas.of(hint)}}


def _declared(status: int, said: Any, schemas: Schemas) -> Schema:
    if isinstance(said, str):
        answer = Answer(description=said)
        return _with_body(status, answer, _error(schemas) if status >= 400 else None)
    if isinstance(said, Answer):
        kind = said.type
        return _with_body(status, said, None if kind is None else schemas.of(kind))
    if isinstance(said, type) and issubclass(said, Exception):
        text = doc_of(said)
        description = text.partition("\n\n")[0] if text else None
        return _with_body(status, Answer(description=description), _error(schemas))
    return _answer(str(status), said, schemas)


def _with_body(status: int, answer: Answer, schema: Schema | None) -> Schema:
    found: Schema = {"description": answer.description or _phrase(str(status))}
    if schema is not None:
        body: Schema = {"schema": schema}
        if answer.example is not None:
            body["example"] = json_value(answer.example)
        found["content"] = {answer.content_type: body}
    return found


def _error(schemas: Schemas) -> Schema:
    schemas.components.setdefault(
        ERROR,
        {
            "type": "object",
            "required": ["error"],
            "properties": {
                "error": {
                    "type": "object",
                    "required": ["message", "status", "kind"],
                    "properties": {
                        "message": {"type": "string"},
                        "status": {"type": "integer", "minimum": 400, "maximum": 599},
                        "kind": {"type": "string"},
                        "field_path": {"type": "string"},
                    },
                }
            },
        },
    )
    return {"$ref": f"#/components/schemas/{ERROR}"}


def _phrase(status: str) -> str:
    return _PHRASES.get(status, f"Status {status}")
