"""JSON schemas of the types that bodies, parameters and answers are made of.

In: a type, as a handler names it. Out: its schema. Classes become components, once each, which
others refer to. The schema says what ``structurer`` takes and what an answer looks like; a type
that only the program's own hooks read is ``{}``, anything, unless ``register_schema`` says more.

Source: JSON Schema 2020-12 in OpenAPI 3.1.0; the kinds are those of ``stores.structure_hooks``.
"""

import inspect
import re
import typing
from collections.abc import Iterable, Mapping
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

import attrs

from edgezero_spin.core.openapi.bounds import json_value, keywords_of_extras, keywords_of_validator
from edgezero_spin.stores.aliases import outside_names, resolved_hints
from edgezero_spin.stores.structure_hooks import is_model, supertype
from edgezero_spin.stores.text_values import text_form

__all__ = ["Schema", "Schemas", "doc_of", "register_schema"]

Schema = dict[str, Any]

_PLAIN: Final[dict[Any, Schema]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    None: {"type": "null"},
    NoneType: {"type": "null"},
    Any: {},
    object: {},
}
_FORMATS: Final = {
    "UUID": "uuid",
    "Decimal": "decimal",
    "timedelta": "duration",
    "date": "date",
    "datetime": "date-time",
    "time": "time",
    "IPv4Address": "ipv4",
    "IPv6Address": "ipv6",
}
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9.\-_]+")
# What comes behind the prose of a docstring is for programmers.
_SECTION: Final = re.compile(
    r"^(?:Args|Attributes|Example|Examples|Raises|Returns|Source|Yields):", re.MULTILINE
)
_PREFIX: Final = "#/components/schemas/"

_registered: dict[Any, Schema] = {}


def register_schema(kind: Any, schema: Mapping[str, Any]) -> None:
    """Say what the JSON of a type of the program's own looks like.

    Args:
        kind: A class that ``converter.register_structure_hook`` knows.
        schema: Its schema, ``{"type": "string", "pattern": "^#[0-9a-f]{6}$"}``.
    """
    _registered[kind] = dict(schema)


class Schemas:
    """The schemas of one document.

    Attributes:
        components: Those of classes, by name.
    """

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}
        self._names: dict[Any, str] = {}

    def of(self, hint: Any) -> Schema:
        """Return the schema of a type, a reference where it is a class."""
        if get_origin(hint) is Annotated:
            inner, *extras = get_args(hint)
            schema = self.of(inner)
            added = keywords_of_extras(extras, self._resolved(schema))
            return _with(schema, added)
        try:
            if hint in _registered:
                return dict(_registered[hint])
            if hint in _PLAIN:
                return dict(_PLAIN[hint])
        except TypeError:
            pass
        if get_origin(hint) in (Union, UnionType):
            return self._union(hint)
        if get_origin(hint) is Literal:
            return _choices([o.value if isinstance(o, Enum) else o for o in get_args(hint)])
        if isinstance(hint, TypeVar):
            return self.of(supertype(hint))
        if hasattr(hint, "__supertype__"):
            return self.of(hint.__supertype__)
        named = supertype(hint)
        if named is not None:
            return self.of(named)
        return self._of_class(hint)

    def _resolved(self, schema: Schema) -> Schema:
        reference = schema.get("$ref")
        return self.components[reference.removeprefix(_PREFIX)] if reference else schema

    def _of_class(self, hint: Any) -> Schema:
        kind = get_origin(hint) or hint
        if not isinstance(kind, type):
            return {}
        arguments = get_args(hint)
        if is_model(kind) or typing.is_typeddict(kind):
            return self._component(hint, kind)
        if issubclass(kind, Enum):
            return self._component(hint, kind)
        if text_form(kind) is not None:
            name = _FORMATS.get(kind.__name__)
            return {"type": "string", **({"format": name} if name else {})}
        if issubclass(kind, tuple):
            return self._tuple(kind, arguments)
        if issubclass(kind, str | int | float):
            return dict(_PLAIN[next(base for base in (str, int, float) if issubclass(kind, base))])
        if issubclass(kind, Mapping):
            return self._mapping(arguments)
        if hasattr(kind, "__iter__") and not issubclass(kind, bytes | bytearray | memoryview):
            item = self.of(arguments[0]) if arguments else {}
            unique = {"uniqueItems": True} if hasattr(kind, "isdisjoint") else {}
            return {"type": "array", "items": item, **unique}
        return {}

    def _mapping(self, arguments: tuple[Any, ...]) -> Schema:
        schema: Schema = {"type": "object"}
        if arguments:
            value = self.of(arguments[1])
            if value:
                schema["additionalProperties"] = value
            names = self.of(arguments[0])
            if "enum" in self._resolved(names):
                schema["propertyNames"] = names
        return schema

    def _tuple(self, kind: Any, arguments: tuple[Any, ...]) -> Schema:
        if hasattr(kind, "_fields"):
            hints = resolved_hints(kind)
            items = [_with(self.of(hints.get(name, Any)), {"title": name}) for name in kind._fields]
            return _array_of(items, len(items) - len(kind._field_defaults))
        if not arguments:
            return {"type": "array"}
        if arguments[1:] == (...,):
            return {"type": "array", "items": self.of(arguments[0])}
        return _array_of([self.of(item) for item in arguments], len(arguments))

    def _union(self, hint: Any) -> Schema:
        options = [self.of(option) for option in get_args(hint)]
        kinds = [option for option in get_args(hint) if option is not NoneType]
        if len(kinds) == 1 and set(options[0]) >= {"type"} and "$ref" not in options[0]:
            # ``str | None`` in the short form.
            schema = next(
                s for s, kind in zip(options, get_args(hint), strict=True) if kind in kinds
            )
            if (
                isinstance(schema.get("type"), str)
                and "enum" not in schema
                and "const" not in schema
            ):
                return {**schema, "type": [schema["type"], "null"]}
        schema = {"anyOf": _distinct(options)}
        tag = self._tag(options) if len(kinds) > 1 else None
        if tag is not None:
            schema = {"oneOf": schema["anyOf"], "discriminator": tag}
        return schema

    def _tag(self, options: list[Schema]) -> Schema | None:
        """Return the discriminator of classes that each have a value of their own in one field."""
        references = [option.get("$ref") for option in options]
        if None in references:
            return None
        fields = [self._constants(str(reference)) for reference in references]
        for name in fields[0]:
            if all(name in each for each in fields):
                values = [value for each in fields for value in each[name]]
                if len(set(values)) == len(values) and all(isinstance(v, str) for v in values):
                    mapping = {
                        value: reference
                        for each, reference in zip(fields, references, strict=True)
                        for value in each[name]
                    }
                    for reference in references:
                        self._require(str(reference), name)
                    return {"propertyName": name, "mapping": mapping}
        return None

    def _require(self, reference: str, name: str) -> None:
        """Note that the field that tells classes apart cannot be left out."""
        component = self._resolved({"$ref": reference})
        if name not in component.get("required", ()):
            component["required"] = [*component.get("required", ()), name]

    def _constants(self, reference: str) -> dict[str, list[Any]]:
        found = {}
        for name, schema in self._resolved({"$ref": reference}).get("properties", {}).items():
            if "const" in schema:
                found[name] = [schema["const"]]
            elif "enum" in schema:
                found[name] = schema["enum"]
        return found

    def _component(self, hint: Any, kind: Any) -> Schema:
        name = self._names.get(hint)
        if name is None:
            name = self._names[hint] = self._name(hint, kind)
            # There before it is made, for classes that name themselves.
            schema = self.components[name] = {}
            schema |= _enum(kind) if issubclass(kind, Enum) else self._object(hint, kind)
            text = doc_of(kind)
            if text:
                schema["description"] = text
        return {"$ref": _PREFIX + name}

    def _name(self, hint: Any, kind: Any) -> str:
        name = _short_name(hint)
        if name in self.components:
            name = _NOT_IN_A_NAME.sub("_", f"{kind.__module__}.{name}")
        while name in self.components:
            name += "_"
        return name

    def _object(self, hint: Any, kind: Any) -> Schema:
        hints = {
            name: _substituted(each, _parameters(hint, kind))
            for name, each in resolved_hints(kind).items()
        }
        outside = outside_names(kind)
        properties: Schema = {}
        required: list[str] = []
        for field in _fields(kind, hints):
            name = outside.get(field.name, field.name)
            schema = self.of(field.hint)
            if field.validator is not None:
                added = keywords_of_validator(
                    field.validator, _without_null(self._resolved(schema))
                )
                schema = _with(schema, added)
            if field.read_only:
                schema = _with(schema, {"readOnly": True})
            elif field.required:
                required.append(name)
            elif field.default is not _NO_VALUE:
                default = json_value(field.default)
                if default is not None or field.default is None:
                    schema = _with(schema, {"default": default})
            properties[name] = schema
        found: Schema = {"type": "object", "properties": properties}
        if required:
            found["required"] = required
        return found


_NO_VALUE: Any = object()


@attrs.frozen(kw_only=True)
class _Field:
    name: str
    hint: Any
    required: bool
    default: Any = _NO_VALUE
    validator: Any = None
    read_only: bool = False


def _fields(kind: Any, hints: Mapping[str, Any]) -> Iterable[_Field]:
    if attrs.has(kind):
        for field in attrs.fields(kind):
            default = field.default
            # A factory is called for no one but the instance that it makes a value for.
            plain = default if not isinstance(default, attrs.Factory) else _NO_VALUE  # type: ignore[arg-type]
            yield _Field(
                name=field.name,
                hint=hints.get(field.name, Any),
                required=default is attrs.NOTHING,
                default=_NO_VALUE if default is attrs.NOTHING else plain,
                validator=field.validator,
                read_only=not field.init,
            )
    elif hasattr(kind, "__dataclass_fields__"):
        for name, field in kind.__dataclass_fields__.items():
            yield _Field(
                name=name,
                hint=hints.get(name, Any),
                required=_is_missing(field.default) and _is_missing(field.default_factory),
                default=_NO_VALUE if _is_missing(field.default) else field.default,
                read_only=not field.init,
            )
    else:
        for name, hint in hints.items():
            yield _Field(name=name, hint=hint, required=name in kind.__required_keys__)


def _is_missing(value: Any) -> bool:
    return type(value).__name__ == "_MISSING_TYPE"


def _parameters(hint: Any, kind: Any) -> dict[Any, Any]:
    """Return what the variables of a generic class stand for."""
    return dict(zip(getattr(kind, "__parameters__", ()), get_args(hint), strict=False))


def _substituted(hint: Any, values: Mapping[Any, Any]) -> Any:
    if not values:
        return hint
    if isinstance(hint, TypeVar):
        return values.get(hint, hint)
    parameters = getattr(hint, "__parameters__", ())
    if not parameters:
        return hint
    return hint[tuple(values.get(parameter, parameter) for parameter in parameters)]


def _enum(kind: Any) -> Schema:
    return _choices([member.value for member in kind])


def _choices(values: list[Any]) -> Schema:
    schema: Schema = {"const": values[0]} if len(values) == 1 else {"enum": values}
    names = {_PLAIN[type(value)]["type"] for value in values if type(value) in _PLAIN}
    if len(names) == 1 and all(type(value) in _PLAIN for value in values):
        schema = {"type": names.pop(), **schema}
    return schema


def _array_of(items: list[Schema], least: int) -> Schema:
    return {
        "type": "array",
        "prefixItems": items,
        "minItems": least,
        "maxItems": len(items),
    }


def _with(schema: Schema, keywords: Mapping[str, Any]) -> Schema:
    return {**schema, **keywords} if keywords else schema


def _without_null(schema: Schema) -> Schema:
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return {**schema, "type": kinds[0]}
    return schema


def _distinct(schemas: list[Schema]) -> list[Schema]:
    return [schema for index, schema in enumerate(schemas) if schema not in schemas[:index]]


def _short_name(hint: Any) -> str:
    kind = get_origin(hint) or hint
    name: str = getattr(kind, "__name__", str(kind))
    arguments = [_short_name(argument) for argument in get_args(hint) if argument is not ...]
    return _NOT_IN_A_NAME.sub("_", "_".join([name, *arguments]))


def doc_of(kind: Any) -> str | None:
    """Return the docstring of a class or function that a person wrote."""
    text = vars(kind).get("__doc__") if isinstance(kind, type) else getattr(kind, "__doc__", None)
    if not isinstance(text, str) or (
        # What dataclass and Enum write themselves.
        isinstance(kind, type) and text.startswith((f"{kind.__name__}(", "An enumeration."))
    ):
        return None
    return _SECTION.split(inspect.cleandoc(text), maxsplit=1)[0].strip() or None
