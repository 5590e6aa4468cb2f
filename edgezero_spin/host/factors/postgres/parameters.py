"""Parameters of statements: WIT values to PostgreSQL's binary format.

In: a ``parameter-value`` and the type that the server inferred for it. Out: the bytes to send.
A case fits some server types and no others, as in Spin: ``int32`` is not a ``bigint``.

Source: contract services.md, PG-30 to PG-44, PG-57, PG-58; the binary forms are those of the
``*_recv`` functions in ``src/backend/utils/adt``.
"""

import json
import re
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any

from edgezero_spin.host.factors.database_servers.sessions import Parameter
from edgezero_spin.host.factors.postgres.calendar import DAY_US, days_of_date, us_of_time
from edgezero_spin.host.factors.postgres.numeric import encode_numeric
from edgezero_spin.host.factors.postgres.types import PARAMETERS, Oid

__all__ = ["ParameterTypeError", "ParameterValueError", "encode_parameters", "fit_parameters"]

_INT2, _INT4, _INT8 = Struct("!h").pack, Struct("!i").pack, Struct("!q").pack
_INTERVAL = Struct("!qii").pack
_TIMESTAMP_MOST = 2**63 - 1

# Seconds from the start of 1970 to that of 2000.
_UNIX_S = 946_684_800

_UUID_HEX = r"[0-9a-fA-F]"
_UUID = re.compile(
    rf"(?:urn:uuid:)?({_UUID_HEX}{{8}})-?({_UUID_HEX}{{4}})-?({_UUID_HEX}{{4}})"
    rf"-?({_UUID_HEX}{{4}})-?({_UUID_HEX}{{12}})",
    re.ASCII,
)


class ParameterValueError(ValueError):
    """A parameter is not a value of its kind, such as the date 2023-02-29."""


class ParameterTypeError(ValueError):
    """Parameters do not fit a statement: their number, or the type of one."""


def encode_parameters(parameters: Sequence[Parameter]) -> list[bytes | None]:
    """Return the bytes of every parameter, whatever the server will infer.

    Raises:
        ParameterValueError: A value is not one of its kind.
    """
    return [_encoded(index, case, value) for index, (case, value) in enumerate(parameters)]


def fit_parameters(
    parameters: Sequence[Parameter],
    encoded: Sequence[bytes | None],
    oids: Sequence[int],
    name_of: Callable[[int], str],
) -> list[bytes | None]:
    """Return the bytes of every parameter as the inferred types have them.

    Args:
        parameters: Cases with their payloads.
        oids: The types that the server inferred.
        name_of: Returns the server's name of a type.

    Raises:
        ParameterTypeError: A case does not fit its type, or there are too many or few.
    """
    if len(encoded) != len(oids):
        raise ParameterTypeError(f"expected {len(oids)} parameters but got {len(encoded)}")
    fitting: list[bytes | None] = []
    for index, (data, oid) in enumerate(zip(encoded, oids, strict=True)):
        case = parameters[index][0]
        if data is not None:
            prefix = _prefix(case, oid, name_of)
            if prefix is None:
                raise ParameterTypeError(
                    f"error serializing parameter {index}: cannot convert a value of the case "
                    f"{case} to the Postgres type `{name_of(oid)}`"
                )
            data = prefix + data
            if oid in _ELEMENTS:
                data = data[:8] + _INT4(_ELEMENTS[oid]) + data[12:]
        fitting.append(data)
    return fitting


def _prefix(case: str, oid: int, name_of: Callable[[int], str]) -> bytes | None:
    """Return what comes before the bytes, ``None`` where the case does not fit the type."""
    if oid in _OIDS[case]:
        return b"\x01" if oid == Oid.JSONB else b""
    return _NAMED_TEXTS.get(name_of(oid)) if case == "str" else None


def _encoded(index: int, case: str, value: Any) -> bytes | None:
    try:
        return _ENCODERS[case](value)
    except ValueError as error:
        raise ParameterValueError(f"parameter {index}: {error}") from None


def _text(value: str) -> bytes:
    if "\0" in value:
        raise ValueError("a text of PostgreSQL contains no NUL")
    return value.encode()


def _date(value: tuple[int, int, int]) -> bytes:
    return _INT4(days_of_date(*value))


def _datetime(value: tuple[int, ...]) -> bytes:
    year, month, day, *time = value
    hour, minute, second, nanosecond = time
    microseconds = days_of_date(year, month, day) * DAY_US
    return _moment(microseconds + us_of_time(hour, minute, second, nanosecond))


def _timestamp(value: int) -> bytes:
    return _moment((value - _UNIX_S) * 1_000_000)


def _moment(microseconds: int) -> bytes:
    if abs(microseconds) > _TIMESTAMP_MOST:
        raise ValueError("the time is too far away")
    return _INT8(microseconds)


def _uuid(value: str) -> bytes:
    text = value[1:-1] if value.startswith("{") and value.endswith("}") else value
    found = _UUID.fullmatch(text)
    if found is None:
        raise ValueError("invalid UUID")
    return bytes.fromhex("".join(found.groups()))


def _json(value: bytes) -> bytes:
    try:
        json.loads(value.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ValueError("invalid JSON") from None
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _interval(value: dict[str, int]) -> bytes:
    return _INTERVAL(value["micros"], value["days"], value["months"])


def _range(encode: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    def encoder(value: Any) -> bytes:
        lower, upper = value
        flags, bounds = 0, b""
        for bound, inclusive, infinite in ((lower, 0x02, 0x08), (upper, 0x04, 0x10)):
            if bound is None:
                flags |= infinite
                continue
            number, kind = bound
            if kind == "inclusive":
                flags |= inclusive
            data = encode(number)
            bounds += _INT4(len(data)) + data
        return bytes([flags]) + bounds

    return encoder


def _array(encode: Callable[[Any], bytes], element: int) -> Callable[[Any], bytes]:
    def encoder(values: Any) -> bytes:
        dimensions = _INT4(len(values)) + _INT4(1) if values else b""
        head = _INT4(1 if values else 0) + _INT4(None in values) + _INT4(element)
        parts = [head, dimensions]
        for value in values:
            data = None if value is None else encode(value)
            parts.append(_INT4(-1) if data is None else _INT4(len(data)) + data)
        return b"".join(parts)

    return encoder


_ENCODERS: dict[str, Callable[[Any], bytes | None]] = {
    "boolean": lambda value: b"\x01" if value else b"\x00",
    "int8": Struct("!b").pack,
    "int16": _INT2,
    "int32": _INT4,
    "int64": _INT8,
    "floating32": Struct("!f").pack,
    "floating64": Struct("!d").pack,
    "str": _text,
    "binary": bytes,
    "date": _date,
    "time": lambda value: _INT8(us_of_time(*value)),
    "datetime": _datetime,
    "timestamp": _timestamp,
    "uuid": _uuid,
    "jsonb": _json,
    "decimal": encode_numeric,
    "range-int32": _range(_INT4),
    "range-int64": _range(_INT8),
    "range-decimal": _range(encode_numeric),
    "array-int32": _array(_INT4, Oid.INT4),
    "array-int64": _array(_INT8, Oid.INT8),
    "array-decimal": _array(encode_numeric, Oid.NUMERIC),
    "array-str": _array(_text, Oid.TEXT),
    "interval": _interval,
    "db-null": lambda value: None,
}

_NO_OIDS: frozenset[int] = frozenset()
_OIDS: dict[str, frozenset[int]] = dict.fromkeys(_ENCODERS, _NO_OIDS) | {
    case: frozenset(oid for oid, fitting in PARAMETERS.items() if fitting == case)
    for case in PARAMETERS.values()
}

# An array names the type of its elements, which has to be the very one.
_ELEMENTS: dict[int, Oid] = {
    Oid.VARCHAR_ARRAY: Oid.VARCHAR,
    Oid.BPCHAR_ARRAY: Oid.BPCHAR,
    Oid.NAME_ARRAY: Oid.NAME,
}

# Types of extensions, whose numbers differ between servers, and what their texts begin with.
_NAMED_TEXTS = {"citext": b"", "ltree": b"\x01", "lquery": b"\x01", "ltxtquery": b"\x01"}
