"""JSON text in and out, as the stores keep it and the app answers it.

``decode`` reads strictly: UTF-8 without a byte order mark, one value, no ``NaN``, no number
beyond a float, at most 128 levels. ``encode`` writes compactly and reproducibly: dynamic
mappings sorted by key, attrs classes and dataclasses in field order, floats with the fewest
digits that read back the same.

Which Python type a decoded value becomes is the business of ``structuring``.

Source: contract edgezero.md, GEN-5 to GEN-7 and EXT-1.
"""

import dataclasses
import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum
from itertools import accumulate
from json.encoder import encode_basestring
from operator import attrgetter
from typing import Any, Final, NoReturn

import attrs

from edgezero_spin.errors import EdgeZeroError
from edgezero_spin.stores.aliases import outside_names
from edgezero_spin.stores.converting import converter
from edgezero_spin.stores.text_values import text_form

__all__ = [
    "MAX_DEPTH",
    "JsonValueError",
    "ModelRuleError",
    "decode",
    "encode",
    "encode_text",
    "float_text",
    "writer_of",
]

MAX_DEPTH: Final = 128
"""Levels of arrays and objects inside each other that a text may have."""

_BLANKS: Final = " \t\n\r"
_NO_BRACKETS: Final = bytes(sorted(set(range(256)) - set(b"[]{}")))
_BRACKET_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_STRINGS: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)

Writer = Callable[[Any], str]


class JsonValueError(EdgeZeroError, ValueError):
    """A text is not JSON, or a value and its type or JSON form do not go together.

    Attributes:
        problems: What is wrong, one line each, with the place after ``@`` where there is one:
            ``expected a string, got a number @ $.title``.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems

    @property
    def rules_only(self) -> bool:
        """Whether the value has the shape of its type, and only breaks rules of its classes."""
        return False

    def __str__(self) -> str:
        return "; ".join(self.problems)


class ModelRuleError(JsonValueError):
    """A value has the shape of its class, but a validator or converter of the class refuses it.

    Everything in ``problems`` is of this sort; a mixture is a plain ``JsonValueError``.
    """

    @property
    def rules_only(self) -> bool:
        """Whether the value has the shape of its type, and only breaks rules of its classes."""
        return True


def decode(data: bytes | str) -> Any:
    """Return the value of one JSON text.

    Raises:
        JsonValueError: The text is not strict JSON.
    """
    try:
        text = data if isinstance(data, str) else data.decode()
        text = text.strip(_BLANKS)
        # Shorter texts cannot open and close that many brackets.
        if len(text) > 2 * MAX_DEPTH:
            _check_depth(text)
        value, end = _scan(text, 0)
        if end != len(text):
            raise JsonValueError(f"unexpected text after the value at character {end}")
        if "\\u" in text:
            # An escaped half of a surrogate pair has no UTF-8 form.
            _check_text(value)
    except JsonValueError:
        raise
    except UnicodeError:
        raise JsonValueError("not valid UTF-8 text") from None
    except StopIteration as stop:
        error = json.JSONDecodeError("Expecting value", text, stop.value)
        raise JsonValueError(_syntax_problem(error)) from None
    except json.JSONDecodeError as error:
        raise JsonValueError(_syntax_problem(error)) from None
    except ValueError:
        # The interpreter's own limit on digits is all that is left.
        raise JsonValueError("number out of range: too many digits") from None
    return value


_SYNTAX_PROBLEMS: Final = (
    ("Expecting value", "expected a value"),
    ("Expecting property name", "expected a member name in double quotes"),
    ("Expecting ':'", "expected ':' after a member name"),
    ("Expecting ','", "expected ',' or the end of the array or object"),
    ("Illegal trailing comma", "a comma before the end of an array or object"),
    ("Unterminated string", "a string without an end"),
    ("Invalid control character", "a control character inside a string"),
    ("Invalid \\u", "an invalid \\u escape"),
    ("Invalid \\", "an invalid escape"),
)


def _syntax_problem(error: json.JSONDecodeError) -> str:
    known = (text for start, text in _SYNTAX_PROBLEMS if error.msg.startswith(start))
    return f"{next(known, 'not JSON')} at line {error.lineno} column {error.colno}"


def encode(value: Any) -> bytes:
    """Return the compact JSON of a value as UTF-8.

    Raises:
        JsonValueError: The value, or something in it, has no JSON form.
    """
    try:
        kind = type(value)
        return (_WRITERS.get(kind) or writer_of(kind))(value).encode()
    except UnicodeEncodeError:
        raise JsonValueError("a text holds half of a surrogate pair") from None
    except RecursionError:
        raise JsonValueError("the value nests too deeply or contains itself") from None


def encode_text(value: Any) -> str:
    """Return the compact JSON of a value."""
    kind = type(value)
    return (_WRITERS.get(kind) or writer_of(kind))(value)


def writer_of(kind: type) -> Writer:
    """Return what writes the instances of a class, chosen once.

    Asking for it while a component is built spares the first request the choice.

    Raises:
        JsonValueError: They have no JSON form.
    """
    writer = _WRITERS.get(kind)
    if writer is None:
        writer = _WRITERS[kind] = _chosen_writer(kind)
    return writer


def float_text(value: float) -> str:
    """Return the shortest text that reads back as this float; ``null`` when not finite.

    Plain notation from 1e-5 to below 1e16, otherwise an exponent without padding.
    """
    text = float.__repr__(value)
    if "n" in text:  # nan, inf, -inf
        return "null"
    if "e-0" in text:
        # repr() turns to exponents below 1e-4 and pads them to two digits.
        digits, exponent = text.split("e-0")
        if exponent != "5":
            return f"{digits}e-{exponent}"
        sign = "-" if value < 0 else ""
        return f"{sign}0.0000{digits.lstrip('-').replace('.', '')}"
    return text


def _finite(text: str) -> float:
    value = float(text)
    if value - value != 0.0:
        raise JsonValueError(f"number out of range: {text[:40]}")
    return value


def _no_constant(name: str) -> NoReturn:
    raise JsonValueError(f"{name} is not JSON")


# What raw_decode() calls, one call of Python less.
_scan: Final[Callable[[str, int], tuple[Any, int]]] = json.JSONDecoder(
    parse_float=_finite, parse_constant=_no_constant
).scan_once  # type: ignore[attr-defined]  # public in json.scanner, unknown to typeshed


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    # Strings first, since they may hold brackets; the closing quote is optional so that an
    # open string is passed over once and not retried from every escaped quote in it.
    brackets = _STRINGS.sub("", text).encode("utf-8", "surrogatepass")
    steps = memoryview(brackets.translate(_BRACKET_STEPS, _NO_BRACKETS)).cast("b")
    if max(accumulate(steps), default=0) > MAX_DEPTH:
        raise JsonValueError(f"more than {MAX_DEPTH} levels deep")


def _check_text(value: Any) -> None:
    try:
        encode_text(value).encode()
    except UnicodeEncodeError:
        raise JsonValueError("a text holds half of a surrogate pair") from None


def _write_list(value: Any) -> str:
    # No map() here: through C, some 200 levels overflow the stack of a component, which ends
    # it, while calls from Python to Python end in a RecursionError.
    members = [encode_text(member) for member in value]
    return f"[{','.join(members)}]"


def _write_set(value: Any) -> str:
    try:
        return _write_list(sorted(value))
    except TypeError:
        return f"[{','.join(sorted([encode_text(member) for member in value]))}]"


def _write_mapping(value: Mapping[Any, Any]) -> str:
    for key in value:
        if type(key) is not str:
            value = _with_text_keys(value)
            break
    members = [f"{encode_basestring(key)}:{encode_text(value[key])}" for key in sorted(value)]
    return f"{{{','.join(members)}}}"


def _with_text_keys(value: Mapping[Any, Any]) -> dict[str, Any]:
    members = {}
    for key, member in value.items():
        name = key.value if isinstance(key, Enum) else key
        if isinstance(name, bool):
            name = "true" if name else "false"
        elif isinstance(name, int):
            name = int.__repr__(name)
        elif not isinstance(name, str):
            raise JsonValueError(f"a {type(key).__name__} cannot be the key of an object")
        if name in members:
            raise JsonValueError(f"two keys of an object are both written as {name!r}")
        members[str.__str__(name)] = member
    return members


def _write_value_of(value: Enum) -> str:
    return encode_text(value.value)


def _model_writer(kind: type, names: list[str]) -> Writer:
    try:
        outside = outside_names(kind)
    except TypeError:
        # An annotation that only type checkers can resolve; nothing is renamed then.
        outside = {}
    heads = [
        f"{',' if place else '{'}{encode_basestring(outside.get(name, name))}:"
        for place, name in enumerate(names)
    ]

    if not heads:
        return lambda value: "{}"
    members_of = attrgetter(*names) if len(names) > 1 else _single(names[0])
    writer = _WRITERS.get

    def write(value: Any) -> str:
        text = ""
        for head, member in zip(heads, members_of(value), strict=True):
            kind = type(member)
            text += head + (writer(kind) or writer_of(kind))(member)
        return text + "}"

    return write


def _single(name: str) -> Callable[[Any], tuple[Any]]:
    return lambda value: (getattr(value, name),)


def _chosen_writer(kind: type) -> Writer:
    own = converter.written.get(kind)
    if own is not None:
        return lambda value: encode_text(own(value))
    if attrs.has(kind):
        return _model_writer(kind, [field.name for field in attrs.fields(kind)])
    if dataclasses.is_dataclass(kind):
        return _model_writer(kind, [field.name for field in dataclasses.fields(kind)])
    if issubclass(kind, Enum):
        return _write_value_of
    for base, write in _WRITERS_OF_SUBCLASSES:
        if issubclass(kind, base):
            return write
    form = text_form(kind)
    if form is not None:
        return lambda value: encode_basestring(form.write(value))
    if issubclass(kind, bytes | bytearray | memoryview):
        raise JsonValueError("bytes have no JSON form; write .decode() or put_bytes(...)")
    if hasattr(kind, "__await__"):
        raise JsonValueError(f"a {kind.__qualname__} has no JSON form; an `await` is missing")
    raise JsonValueError(f"a {kind.__qualname__} has no JSON form")


_WRITERS: Final[dict[type, Writer]] = {
    str: encode_basestring,
    int: int.__repr__,
    float: float_text,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _: "null",
    list: _write_list,
    tuple: _write_list,
    dict: _write_mapping,
    set: _write_set,
    frozenset: _write_set,
}
_WRITERS_OF_SUBCLASSES: Final[list[tuple[type, Writer]]] = [
    (str, encode_basestring),
    (int, int.__repr__),
    (float, float_text),
    (list, _write_list),
    (tuple, _write_list),
    (set, _write_set),
    (frozenset, _write_set),
    (deque, _write_list),
    (Mapping, _write_mapping),
]


def _forget_chosen_writers() -> None:
    for kind in [kind for kind in _WRITERS if kind not in _OF_JSON]:
        del _WRITERS[kind]


_OF_JSON: Final = tuple(_WRITERS)
converter.changed.append(_forget_chosen_writers)
