"""Operations: what one route takes and answers, from the signature of its handler.

In: a route, the schemas of the document. Out: its operation object. Parameters are found as
``core.signatures`` finds them, those of dependencies included; answers are those of the return
annotation, of ``@operation(responses=...)``, and the errors that reading a request may end with.

Source: OpenAPI 3.1.0, Operation, Parameter, Request Body and Responses Object.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from edgezero_spin.core.annotations import Depends, Marker
from edgezero_spin.core.models import BAD_QUERY, field_of
from edgezero_spin.core.openapi.bounds import json_value
from edgezero_spin.core.openapi.declarations import Answer, OperationNotes, notes_of
from edgezero_spin.core.openapi.schemas import Schema, Schemas, doc_of
from edgezero_spin.core.response import Response
from edgezero_spin.core.route_table import Route
from edgezero_spin.core.signatures import hints_of
from edgezero_spin.errors import EdgeZeroError
from edgezero_spin.stores.aliases import alias_of, resolved_hints

__all__ = ["ERROR", "operation_of"]

ERROR: Final = "Error"
"""The component that every error is an instance of."""

_MISSING: Any = inspect.Parameter.empty
_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_TEXT: Final = "text/plain"
_IN: Final = {"query": "query", "header": "header", "cookie": "cookie", "path": "path"}
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
_ORDER: Final = ("path", "query", "header", "cookie")


def operation_of(route: Route, schemas: Schemas) -> Schema | None:
    """Return the operation of a route; ``None`` for one that is not to be described."""
    notes = notes_of(route.handler)
    if notes.hidden:
        return None
    reader = _Reader(route.names, schemas)
    reader.read(route.handler)
    summary, description = _prose(route.handler, notes)
    found: Schema = {
        "tags": list(dict.fromkeys((*route.tags, *notes.tags))),
        "summary": summary,
        "description": description,
        "operationId": notes.operation_id,
        "parameters": reader.parameters(),
        "requestBody": reader.body(notes.example),
        "responses": _responses(route, notes, reader, schemas),
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


class _Reader:
    """Collects what a handler and its dependencies read from a request."""

    def __init__(self, names: tuple[str, ...], schemas: Schemas) -> None:
        self._names = names
        self._schemas = schemas
        self._parameters: dict[tuple[str, str], Schema] = {}
        self._bodies: dict[str, tuple[Any, bool]] = {}
        self._seen: list[Any] = []
        self.security: tuple[str, ...] | None = None
        self.responses: dict[int, Any] = {}
        self.configured = False
        for name in names:
            self._add("path", name, str, _MISSING)

    def read(self, function: Callable[..., Any]) -> None:
        """Read the signature of a handler or a dependency."""
        self._seen.append(function)
        hints = hints_of(function)
        for parameter in inspect.signature(function).parameters.values():
            self._read(parameter, hints.get(parameter.name, _MISSING))

    def _read(self, parameter: inspect.Parameter, hint: Any) -> None:
        depends = _extra(parameter.default, hint, Depends)
        if depends is not None:
            self._depend(depends.call)
            return
        marker = _extra(None, hint, Marker)
        name, default = parameter.name, parameter.default
        if name in self._names and marker is None:
            self._add("path", name, str if hint is _MISSING else hint, default)
        elif marker is None:
            if hint is not _MISSING and field_of(name, hint, default, BAD_QUERY) is not None:
                self._add("query", alias_of(hint) or name, hint, default)
        elif marker.source == "app_config":
            self.configured = True
        elif marker.source in ("json", "form"):
            content_type = _JSON if marker.source == "json" else _FORM
            self._bodies[content_type] = _argument(hint), _is_required(hint, default)
        elif marker.source in _IN:
            self._add_marked(marker.source, parameter, hint)

    def _depend(self, call: Callable[..., Any]) -> None:
        notes = notes_of(call)
        if notes.security is not None:
            self.security = (*(self.security or ()), *notes.security)
        self.responses.update(notes.responses)
        if call not in self._seen:
            self.read(call)

    def _add_marked(self, source: str, parameter: inspect.Parameter, hint: Any) -> None:
        inner = _argument(hint)
        default = parameter.default
        if source != "path" and field_of(parameter.name, hint, default, BAD_QUERY) is not None:
            name = alias_of(hint) or alias_of(inner) or parameter.name
            if source == "header" and not (alias_of(hint) or alias_of(inner)):
                name = name.replace("_", "-")
            self._add(source, name, _unmarked(hint), default)
        else:
            for name, field, missing in _fields_of(inner):
                self._add(source, name, field, missing)

    def _add(self, source: str, name: str, hint: Any, default: Any) -> None:
        schema = _without_null(self._schemas.of(hint))
        value = None if default in (_MISSING, None) else json_value(default)
        if value is not None:
            schema = {**schema, "default": value}
        found: Schema = {"name": name, "in": source, "schema": schema}
        if source == "path" or _is_required(hint, default):
            found["required"] = True
        if "description" in schema:
            # Said of the parameter, where tools look for it.
            found["description"] = schema["description"]
        self._parameters[source, name] = found

    def parameters(self) -> list[Schema]:
        """Return the parameters, those of the path first."""
        places = list(self._parameters.values())
        return sorted(places, key=lambda parameter: _ORDER.index(parameter["in"]))

    def body(self, example: Any) -> Schema | None:
        """Return the request body, if one is read."""
        if not self._bodies:
            return None
        content: Schema = {}
        for content_type, (model, _) in self._bodies.items():
            content[content_type] = {"schema": self._schemas.of(model)}
            if example is not None:
                content[content_type]["example"] = json_value(example)
        return {"content": content, "required": all(need for _, need in self._bodies.values())}

    @property
    def may_refuse(self) -> bool:
        """Whether a request can be read wrongly."""
        plain = [parameter["schema"] == {"type": "string"} for parameter in self.parameters()]
        required = any(
            parameter["in"] != "path" and parameter.get("required")
            for parameter in self.parameters()
        )
        return bool(self._bodies) or required or not all(plain)


# What is answered


def _responses(
    route: Route, notes: OperationNotes, reader: _Reader, schemas: Schemas
) -> dict[str, Schema]:
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


# Annotations


def _extra(default: Any, hint: Any, kind: type) -> Any:
    if isinstance(default, kind):
        return default
    for part in (hint, *(get_args(hint) if get_origin(hint) in (Union, UnionType) else ())):
        if get_origin(part) is Annotated:
            for extra in get_args(part)[1:]:
                if isinstance(extra, kind):
                    return extra
    return None


def _argument(hint: Any) -> Any:
    """Return the type inside a marker."""
    if get_origin(hint) in (Union, UnionType):
        hint = next(part for part in get_args(hint) if part is not NoneType)
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _unmarked(hint: Any) -> Any:
    """Return an annotation without its marker, bounds and all else kept."""
    if get_origin(hint) is not Annotated:
        return hint
    inner, *extras = get_args(hint)
    kept = [extra for extra in extras if not isinstance(extra, Marker)]
    return Annotated[(inner, *kept)] if kept else inner


def _without_null(schema: Schema) -> Schema:
    """Return the schema of a value that is there: a text is never null."""
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return {**schema, "type": next(kind for kind in kinds if kind != "null")}
    options = [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        return {**{k: v for k, v in schema.items() if k != "anyOf"}, **options[0]}
    return schema


def _is_required(hint: Any, default: Any) -> bool:
    if default is not _MISSING:
        return False
    bare = _unmarked(hint)
    inner = get_args(bare)[0] if get_origin(bare) is Annotated else bare
    if get_origin(inner) in (Union, UnionType):
        return NoneType not in get_args(inner)
    # A list that no field is of is empty.
    return get_origin(inner) not in (list, set, frozenset, tuple)


def _fields_of(model: Any) -> Iterable[tuple[str, Any, Any]]:
    """Yield name, annotation and default of each field of a model of text fields."""
    if not isinstance(model, type) or model.__module__ == "builtins":
        return
    hints = resolved_hints(model)
    aliases = {field.alias: field.name for field in getattr(model, "__attrs_attrs__", ())}
    for parameter in inspect.signature(model).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        hint = hints.get(aliases.get(parameter.name, parameter.name), str)
        default = parameter.default
        if type(default).__name__ in ("Factory", "_Nothing"):
            default = None
        yield alias_of(hint) or parameter.name, hint, default
