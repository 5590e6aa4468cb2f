"""JSON text in and out: the rules of GEN-5 to GEN-7 and the strictness of EXT-1."""

import dataclasses
import datetime
import enum
import json
import math
import struct
import uuid
from collections import OrderedDict
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgezero_spin.stores.json_values import JsonValueError, decode, encode, encode_text, float_text


class Colour(enum.Enum):
    """An enum with a text as value."""

    RED = "red"


class Level(enum.IntEnum):
    """An enum whose members are numbers as well."""

    HIGH = 3


@attrs.frozen
class Point:
    """Fields that are not in alphabetical order."""

    y: float
    x: float
    names: dict[str, "Point"] = attrs.Factory(dict)


@dataclasses.dataclass
class Line:
    """A dataclass that holds others."""

    start: Point
    end: Point | None = None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-(10**30), "-1000000000000000000000000000000"),
        ("", '""'),
        ([], "[]"),
        ((1, "a"), '[1,"a"]'),
        ({}, "{}"),
        ({"b": [1, {"d": 2, "c": 3}], "a": None}, '{"a":null,"b":[1,{"c":3,"d":2}]}'),
        ({"Z": 1, "a": 2, "é": 3, "\ufffd": 4, "\U00010000": 5}, None),
        (OrderedDict(b=1, a=2), '{"a":2,"b":1}'),
        (MappingProxyType({"b": 1, "a": 2}), '{"a":2,"b":1}'),
        ({10: "ten", 9: "nine", True: "yes"}, '{"10":"ten","9":"nine","true":"yes"}'),
        ({Colour.RED: 1}, '{"red":1}'),
        ({3, 1, 2}, "[1,2,3]"),
        (frozenset({"b", "a"}), '["a","b"]'),
        ({1, "1"}, '["1",1]'),
        (Colour.RED, '"red"'),
        (Level.HIGH, "3"),
        (Point(1.0, 2.5), '{"y":1.0,"x":2.5,"names":{}}'),
        (
            Line(Point(0.0, 0.0, {"b": Point(1.0, 1.0), "a": Point(2.0, 2.0)})),
            '{"start":{"y":0.0,"x":0.0,"names":{"a":{"y":2.0,"x":2.0,"names":{}},'
            '"b":{"y":1.0,"x":1.0,"names":{}}}},"end":null}',
        ),
        (datetime.date(2024, 2, 29), '"2024-02-29"'),
        (datetime.datetime(2024, 2, 29, 1, 2, 3), '"2024-02-29T01:02:03"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
    ],
)
def test_values_are_written_compactly(value: object, text: str | None) -> None:
    """Dynamic mappings are sorted by the bytes of their keys, models keep their field order."""
    if text is None:
        text = '{"Z":1,"a":2,"é":3,"\ufffd":4,"\U00010000":5}'
    assert encode(value) == text.encode()  # GEN-5, GEN-6


def test_escapes_are_the_short_ones() -> None:
    """Only quotes, backslashes and C0 are escaped; slashes, DEL and letters are not."""  # GEN-5
    text = "".join(map(chr, range(0x20))) + '"\\/\x7f\x80é\u2028'
    expected = (
        '"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\\n\\u000b\\f\\r'
        "\\u000e\\u000f\\u0010\\u0011\\u0012\\u0013\\u0014\\u0015\\u0016\\u0017\\u0018\\u0019"
        '\\u001a\\u001b\\u001c\\u001d\\u001e\\u001f\\"\\\\/\x7f\x80é\u2028"'
    )
    assert encode(text) == expected.encode()


class Text(str):
    """A text of another class."""


class Number(float):
    """A float of another class, with a misleading text."""

    def __repr__(self) -> str:
        return "a number"


def test_subclasses_of_json_types_are_written_as_those() -> None:
    """What their classes print does not matter."""
    assert encode_text([Text("a"), Number(1.5), Level.HIGH]) == '["a",1.5,3]'
    assert encode_text({Text("a"): 1}) == '{"a":1}'


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (object(), "a object has no JSON form"),
        ({"a": [b"x"]}, "bytes have no JSON form; write .decode()"),
        (Fraction(1), "a Fraction has no JSON form"),
        ({None: 1}, "a NoneType cannot be the key of an object"),
        ({1.5: 1}, "a float cannot be the key of an object"),
        ({1: 1, "1": 2}, "two keys of an object are both written as '1'"),
        ("\ud800", "half of a surrogate pair"),
        (Point, "has no JSON form"),
    ],
)
def test_what_has_no_json_form_is_refused(value: object, problem: str) -> None:
    """With a word about what it was."""
    with pytest.raises(JsonValueError, match=problem):
        encode(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    """Instead of ending the program."""
    value: list[Any] = []
    value.append(value)
    with pytest.raises(JsonValueError, match="contains itself"):
        encode(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (100.0, "100.0"),
        (0.1, "0.1"),
        (1e15, "1000000000000000.0"),
        (9999999999999998.0, "9999999999999998.0"),
        (1e16, "1e+16"),
        (1.5e16, "1.5e+16"),
        (1e100, "1e+100"),
        (1e-4, "0.0001"),
        (1e-5, "0.00001"),
        (-1.25e-5, "-0.0000125"),
        (9.999e-6, "9.999e-6"),
        (1e-6, "1e-6"),
        (1.5e-7, "1.5e-7"),
        (-2e-9, "-2e-9"),
        (1e-10, "1e-10"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (math.nan, "null"),
        (math.inf, "null"),
        (-math.inf, "null"),
    ],
)
def test_float_text(value: float, text: str) -> None:
    """Plain notation for ordinary sizes, exponents without padding for others."""  # GEN-7
    assert float_text(value) == text
    assert encode(value) == text.encode()


def gen7(value: float) -> str:
    """Write a finite float by the words of GEN-7, from its exact shortest digits."""
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)
    figures = "".join(map(str, digits)).rstrip("0") or "0"
    exponent += len(digits) - len(figures)
    minus = "-" if sign else ""
    if value == 0 or 1e-5 <= abs(value) < 1e16:
        if exponent >= 0:
            return f"{minus}{figures}{'0' * exponent}.0" if value else f"{minus}0.0"
        figures = figures.rjust(1 - exponent, "0")
        return f"{minus}{figures[:exponent]}.{figures[exponent:]}"
    power = exponent + len(figures) - 1
    fraction = f".{figures[1:]}" if len(figures) > 1 else ""
    return f"{minus}{figures[0]}{fraction}e{'+' if power > 0 else '-'}{abs(power)}"


FLOATS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(1e-12, 1e-3),
    st.floats(1e14, 1e18),
    st.binary(min_size=8, max_size=8).map(lambda raw: struct.unpack("<d", raw)[0]),
)


@given(FLOATS)
@example(1e-5)
@example(9.9999999999999e-6)
@example(1.2345e-5)
@example(123456789012345680.0)
def test_float_text_agrees_with_the_rule_and_reads_back(value: float) -> None:
    """Every finite float has the text of GEN-7, and that text is the same float."""
    if not math.isfinite(value):
        assert float_text(value) == "null"
        return
    text = float_text(value)
    assert text == gen7(value)
    assert struct.pack("<d", float(text)) == struct.pack("<d", value)
    assert decode(text) == value


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
)


@given(JSON)
def test_json_round_trips(value: Any) -> None:
    """Any JSON value reads back equal, and the standard library reads the same."""
    text = encode_text(value)
    assert decode(text) == value
    assert decode(text.encode()) == value
    assert json.loads(text) == value


@given(JSON)
def test_json_is_that_of_the_standard_library_but_for_floats(value: Any) -> None:
    """With the floats taken out, both write the same text."""

    def without_floats(value: Any) -> Any:
        if isinstance(value, float):
            return None
        if isinstance(value, list):
            return [without_floats(member) for member in value]
        if isinstance(value, dict):
            return {name: without_floats(member) for name, member in value.items()}
        return value

    plain = without_floats(value)
    expected = json.dumps(plain, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    assert encode_text(plain) == expected


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "expected a value at line 1 column 1"),
        (b"not json", "expected a value"),
        (b"{", "expected a member name"),
        (b'{"a" 1}', "expected ':'"),
        (b"[1 2]", "expected ',' or the end"),
        (b'"a', "a string without an end"),
        (b'"\\u12"', "an invalid \\u escape"),
        (b"[1,]", ""),
        (b"{'a':1}", ""),
        (b'{"a":1}}', "unexpected text after the value at character 7"),
        (b"1 2", "unexpected text"),
        (b"\xef\xbb\xbf1", ""),
        (b'"\xe9"', "not valid UTF-8"),
        (b'"\xed\xa0\x80"', "not valid UTF-8"),
        ("1".encode("utf-16"), ""),
        ("[1]".encode("utf-32-le"), ""),
        (b"NaN", "NaN is not JSON"),
        (b"[Infinity]", "Infinity is not JSON"),
        (b"-Infinity", "-Infinity is not JSON"),
        (b"1e400", "number out of range"),
        (b"-1" + b"0" * 400 + b".0", "number out of range"),
        (b"01", ""),
        (b"1.", ""),
        (b"+1", ""),
        (b".5", ""),
        (b'"\t"', "control character"),
        (b'"\\x"', ""),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\udc00":1}', "surrogate"),
        (b"\x0b1", ""),
        ("\u00a01".encode(), ""),
        (b"9" * 5000, ""),
    ],
)
def test_bad_json_is_refused(data: bytes, problem: str) -> None:
    """What serde_json refuses is refused, whatever Python's json would let pass."""  # EXT-1
    with pytest.raises(JsonValueError) as raised:
        decode(data)
    assert problem in str(raised.value)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b" \t\r\n1\n ", 1),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        ('"é\u2028"'.encode(), "é\u2028"),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b"1e-400", 0.0),
        (b"-0", 0),
        (b"1E5", 100000.0),
        ('"\ufeff"'.encode(), "\ufeff"),
        (b"18446744073709551616", 2**64),
    ],
)
def test_unusual_json_is_read(data: bytes, value: object) -> None:
    """Blanks, pairs of escapes and large numbers are JSON."""
    assert decode(data) == value


def nested(depth: int, opening: str, leaf: str = "") -> str:
    """Return a text with brackets inside each other, the kinds taking turns."""
    closing = {"[": "]", '{"a":': "}"}
    parts = [opening if i % 2 else "[" for i in range(depth)]
    return "".join(parts) + (leaf or "1") + "".join(closing[part] for part in reversed(parts))


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_depth_is_limited(opening: str) -> None:
    """128 levels are read, 129 and a hundred thousand are not."""  # EXT-1
    decode(nested(128, opening))
    for depth in (129, 200, 100_000):
        with pytest.raises(JsonValueError, match="128 levels"):
            decode(nested(depth, opening))


def test_depth_counts_no_brackets_in_strings() -> None:
    """Neither can a string feign depth nor hide it."""
    assert decode(encode_text(["[" * 500, '{"' * 500])) == ["[" * 500, '{"' * 500]
    assert decode("[" + "[]," * 500 + "[]]") == [[]] * 501
    hidden = '["]","\\"]",' * 150 + "1" + "]" * 150
    with pytest.raises(JsonValueError, match="128 levels"):
        decode(hidden)


def test_depth_is_found_in_linear_time() -> None:
    """An open string with many escaped quotes, and many open brackets, are passed over once."""
    for text in ('["' + '\\"' * 300_000, "[" * 1_000_000, "[]" * 500_000):
        with pytest.raises(JsonValueError):
            decode(text)


def test_deep_values_are_written_or_refused() -> None:
    """What can be read can be written inside other values; endless nesting ends in an error.

    Inside a component the second must not come near the end of the machine stack.
    """
    value: Any = decode(nested(128, '{"a":'))
    for _ in range(20):
        value = [{"b": value}]
    assert encode_text(value).count("[") == 64 + 20
    for _ in range(2000):
        value = [value]
    with pytest.raises(JsonValueError, match="nests too deeply"):
        encode(value)
