"""Parameters and request bodies: what an operation takes, from the signature of its handler.

In: a handler and the parameters of its route. Out: parameter objects and a request body object.
They are found as ``core.signatures`` finds them, those of dependencies included.

Source: OpenAPI 3.1.0, Parameter and Request Body Object.
"""

import inspect
from collections.abc import Callable, Iterable
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from edgezero_spin.core.annotations import Depends, Marker
from edgezero_spin.core.callables import hints_of
from edgezero_spin.core.models import BAD_QUERY, field_of
from edgezero_spin.core.openapi.bounds import json_value
from edgezero_spin.core.openapi.declarations import notes_of
from edgezero_spin.core.openapi.schemas import Schema, Schemas
from edgezero_spin.stores.aliases import alias_of, resolved_hints

__all__ = ["SignatureReader"]

_MISSING: Any = inspect.Parameter.empty
_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_IN: Final = {"query": "query", "header": "header", "cookie": "cookie", "path": "path"}
_ORDER: Final = ("path", "query", "header", "cookie")


class SignatureReader:
    """Collects what a handler and its dependencies read from a request.

    Attributes:
        security: The names of the schemes that dependencies ask for; ``None`` for none.
        responses: What dependencies declare that they answer, by status.
        configured: Whether the configuration of the app is read.
    """

    def __init__(self, names: tuple[str, ...], schemas: Schemas) -> None:
        """Begin with the parameters of a path.

        Args:
            names: The path parameters, in order.
            schemas: The schemas of the document.
        """
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
            self.depend(depends.call or _argument(hint))
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

    def depend(self, call: Callable[..., Any]) -> None:
        """Read what a dependency says of itself, and its signature."""
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
