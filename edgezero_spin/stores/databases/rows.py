"""Typed rows: from the columns of a result to the type that a program names.

An attrs class or dataclass takes each column by the name of a field (or its ``Alias``); columns
that no field has are left out, and a field with a default may be missing. A tuple takes them in
order, ``dict`` all of them by name, every other type the only one. A column that does not fit is a
``RowError``.

What a database has no type for is read from what it keeps instead: ``bool`` from 0 and 1, dates,
``Decimal``, ``UUID`` and enums from text, models, dictionaries and lists from JSON.

Source: our own; the types within a column are those of ``structuring``.
"""

import dataclasses
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    is_typeddict,
)
from uuid import UUID

import attrs

from edgezero_spin.stores.aliases import outside_names, resolved_hints
from edgezero_spin.stores.constraints import rule_of
from edgezero_spin.stores.databases.errors import RowError
from edgezero_spin.stores.databases.postgres_types import Interval, Range
from edgezero_spin.stores.json_values import JsonValueError, decode
from edgezero_spin.stores.structure_hooks import is_model
from edgezero_spin.stores.structuring import structurer

__all__ = ["RowReader", "row_reader"]

RowReader = Callable[[Sequence[Any]], Any]
"""Makes an object of one row."""

_ColumnReader = Callable[[Any], Any]


class _MisfitError(Exception):
    """A value does not fit; its text says what it is."""


@attrs.frozen
class _Field:
    column: str
    argument: str
    hint: Any
    required: bool
    read: _ColumnReader


_FIELDS: dict[Any, tuple[_Field, ...]] = {}


def row_reader(to: Any, columns: Sequence[str], database: str) -> RowReader:
    """Return what makes objects of rows.

    Args:
        to: The type.
        columns: Names of the columns.
        database: Of which database, for messages.

    Raises:
        RowError: A column is missing, or their number is wrong.
        TypeError: The type cannot be made of a row.
    """
    if get_origin(to) is tuple or to is tuple:
        return _tuple_reader(to, columns, database)
    if to is dict or get_origin(to) is dict:
        names = tuple(columns)
        return lambda row: dict(zip(names, row, strict=True))
    if _is_record(to):
        return _model_reader(to, columns, database)
    if len(columns) != 1:
        raise RowError(
            database,
            "",
            f"one column for {_spell(to)}",
            f"{len(columns)}{_listed(columns)}",
            columns,
        )
    read = _column_reader(to)
    name = columns[0]

    def single(row: Sequence[Any]) -> Any:
        try:
            return read(row[0])
        except _MisfitError as error:
            raise RowError(database, name, _spell(to), str(error), columns) from None

    return single


def _is_record(to: Any) -> bool:
    """Whether a type has fields that are columns, or members of a JSON object."""
    is_value = to is Interval or (get_origin(to) or to) is Range
    return (is_model(to) and not is_value) or is_typeddict(to)


def _tuple_reader(to: Any, columns: Sequence[str], database: str) -> RowReader:
    hints = get_args(to)
    if not hints:
        return tuple
    if len(hints) == 2 and hints[1] is ...:
        hints = (hints[0],) * len(columns)
    if len(hints) != len(columns):
        raise RowError(
            database,
            "",
            f"{len(hints)} columns for {_spell(to)}",
            f"{len(columns)}{_listed(columns)}",
            columns,
        )
    reads = tuple(map(_column_reader, hints))

    def build(row: Sequence[Any]) -> Any:
        values = []
        for index, read in enumerate(reads):
            try:
                values.append(read(row[index]))
            except _MisfitError as error:
                expected = _spell(hints[index])
                raise RowError(database, columns[index], expected, str(error), columns) from None
        return tuple(values)

    return build


def _model_reader(to: Any, columns: Sequence[str], database: str) -> RowReader:
    fields = _FIELDS.get(to)
    if fields is None:
        fields = _FIELDS[to] = tuple(_fields_of(to))
    places = {name: index for index, name in enumerate(columns)}
    plan = []
    for field in fields:
        if field.column in places:
            plan.append((places[field.column], field.argument, field.read, field))
        elif field.required:
            found = f"no such column{_listed(columns)}"
            raise RowError(database, field.column, _spell(field.hint), found, columns)

    def build(row: Sequence[Any]) -> Any:
        values = {}
        for index, argument, read, field in plan:
            try:
                values[argument] = read(row[index])
            except _MisfitError as error:
                expected = f"{_spell(field.hint)} for {_spell(to)}.{argument}"
                raise RowError(database, field.column, expected, str(error), columns) from None
        try:
            return to(**values)
        except (TypeError, ValueError) as error:
            raise RowError(
                database, "", _spell(to), f"a row that breaks its rules: {error}", columns
            ) from error

    return build


def _fields_of(to: Any) -> list[_Field]:
    base = get_origin(to) or to
    hints = resolved_hints(base)
    names = outside_names(base)
    found = []
    if attrs.has(base):
        parts = [
            (field.name, field.alias or field.name, field.default is attrs.NOTHING)
            for field in attrs.fields(base)
            if field.init
        ]
    elif is_typeddict(base):
        parts = [(name, name, name in base.__required_keys__) for name in hints]
    else:
        missing = dataclasses.MISSING
        parts = [
            (field.name, field.name, field.default is missing and field.default_factory is missing)
            for field in dataclasses.fields(base)
            if field.init
        ]
    for name, argument, required in parts:
        hint = hints.get(name, Any)
        if get_origin(hint) in (Required, NotRequired):
            (hint,) = get_args(hint)
        found.append(
            _Field(names.get(name, argument), argument, hint, required, _column_reader(hint))
        )
    return found


def _column_reader(to: Any) -> _ColumnReader:
    """Return what makes a value of one column.

    Raises:
        TypeError: No column can become that type.
    """
    if get_origin(to) is Annotated:
        read, rule = _column_reader(get_args(to)[0]), rule_of(to)
        return read if rule is None else _ruled(read, rule)
    if get_origin(to) in (Union, UnionType):
        rest = tuple(part for part in get_args(to) if part is not NoneType)
        if len(rest) == 1:
            inner = _column_reader(rest[0])
            return lambda value: None if value is None else inner(value)
    if to is Any or to is object:
        return lambda value: value
    if to in _DIRECT:
        read = _DIRECT[to]
    elif get_origin(to) is list:
        read = _list_reader(to)
    elif to in (list, dict) or get_origin(to) in (dict, tuple) or _is_record(to):
        read = _json_reader(to)
    elif get_origin(to) is Literal or (isinstance(to, type) and issubclass(to, Enum)):
        read = _structured(structurer(to))
    elif to is Interval or (get_origin(to) or to) is Range:
        read = _instance(get_origin(to) or to)
    else:
        read = _structured(structurer(to))
    return lambda value: _not_null(read, value)


def _not_null(read: _ColumnReader, value: Any) -> Any:
    if value is None:
        raise _MisfitError("NULL")
    return read(value)


def _ruled(read: _ColumnReader, rule: Callable[[Any], str | None]) -> _ColumnReader:
    def checked(value: Any) -> Any:
        found = read(value)
        problem = None if found is None else rule(found)
        if problem is not None:
            raise _MisfitError(f"a value that breaks a rule: {problem}")
        return found

    return checked


def _integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _MisfitError(_shown(value))


def _float(value: Any) -> float:
    if isinstance(value, float | int | Decimal) and not isinstance(value, bool):
        return float(value)
    raise _MisfitError(_shown(value))


def _bool(value: Any) -> bool:
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    raise _MisfitError(_shown(value))


def _decimal(value: Any) -> Decimal:
    if isinstance(value, str):
        try:
            return Decimal(value)
        except InvalidOperation:
            raise _MisfitError("text that does not parse") from None
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        return Decimal(value)
    raise _MisfitError(_shown(value))


def _duration(value: Any) -> timedelta:
    if isinstance(value, Interval) and not value.months:
        return value.to_timedelta()
    raise _MisfitError(_shown(value))


def _datetime(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    found: datetime = _from_text(datetime.fromisoformat, value)
    return found


def _date(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    found: date = _from_text(date.fromisoformat, value)
    return found


def _text_or(type_: type, parse: Callable[[str], Any]) -> _ColumnReader:
    return lambda value: value if isinstance(value, type_) else _from_text(parse, value)


def _from_text(parse: Callable[[str], Any], value: Any) -> Any:
    if not isinstance(value, str):
        raise _MisfitError(_shown(value))
    try:
        return parse(value)
    except ValueError:
        raise _MisfitError("text that does not parse") from None


def _instance(type_: type) -> _ColumnReader:
    def read(value: Any) -> Any:
        if isinstance(value, type_):
            return value
        raise _MisfitError(_shown(value))

    return read


_DIRECT: dict[Any, _ColumnReader] = {
    int: _integer,
    float: _float,
    bool: _bool,
    str: _instance(str),
    bytes: _instance(bytes),
    Decimal: _decimal,
    date: _date,
    datetime: _datetime,
    time: _text_or(time, time.fromisoformat),
    timedelta: _duration,
    UUID: _text_or(UUID, UUID),
}


def _list_reader(to: Any) -> _ColumnReader:
    of_json = _json_reader(to)
    (hint,) = get_args(to)
    of_item = _column_reader(hint)

    def read(value: Any) -> Any:
        # A PostgreSQL array holds values of columns, a JSON text those of JSON.
        if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
            return [of_item(item) for item in value]
        return of_json(value)

    return read


def _json_reader(to: Any) -> _ColumnReader:
    read = _structured(structurer(to))

    def parse(value: Any) -> Any:
        if isinstance(value, str | bytes):
            try:
                value = decode(value if isinstance(value, bytes) else value.encode())
            except JsonValueError as error:
                raise _MisfitError(f"text that is not JSON: {error}") from None
        return read(value)

    return parse


def _structured(structure: Callable[[Any], Any]) -> _ColumnReader:
    def read(value: Any) -> Any:
        try:
            return structure(value)
        except JsonValueError as error:
            raise _MisfitError(str(error)) from None

    return read


def _shown(value: Any) -> str:
    """Say what a value is; the value itself may be a secret."""
    return type(value).__name__


def _listed(columns: Sequence[str]) -> str:
    return f" (columns: {', '.join(columns) or 'none'})"


def _spell(hint: Any) -> str:
    return hint.__qualname__ if isinstance(hint, type) and not get_args(hint) else str(hint)
