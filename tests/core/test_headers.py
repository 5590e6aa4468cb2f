"""Header fields: look-ups, repeats, bytes, and what may be set."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.core import Headers, HttpError, MutableHeaders, Request, Response


def test_several_values_in_order() -> None:
    """Every value of a name is kept, in order, and names match in any case."""
    # EXT-5, SPN-1
    headers = Headers.received([("X-A", b"1"), ("b", b"2"), ("x-a", b"3")])
    assert headers["x-A"] == "1"
    assert headers.get_all("X-a") == ["1", "3"]
    assert headers.get_all_bytes("x-a") == [b"1", b"3"]
    assert headers.items() == [("x-a", "1"), ("b", "2"), ("x-a", "3")]
    assert headers.keys() == list(headers) == ["x-a", "b"]
    assert len(headers) == 3
    assert "B" in headers
    assert "c" not in headers
    assert headers.get("c") is None
    assert headers.get("c", "d") == "d"
    with pytest.raises(KeyError):
        headers["c"]


@pytest.mark.parametrize(
    ("raw", "text"),
    [(b"caf\xc3\xa9", "café"), (b"caf\xe9", "café"), (b"\xff\xfe", "ÿþ"), (b"", "")],
)
def test_any_bytes_have_a_text(raw: bytes, text: str) -> None:
    """A value that is not UTF-8 reads as Latin-1, and its bytes stay as they were."""
    headers = Headers.received([("x", raw)])
    assert headers["x"] == text
    assert headers.get_bytes("x") == raw


@given(st.lists(st.tuples(st.sampled_from(["a", "A", "b"]), st.binary(max_size=4)), max_size=6))
def test_received_fields_survive(pairs: list[tuple[str, bytes]]) -> None:
    """Nothing that a request brings is lost, refused or reordered."""
    headers = Headers.received(pairs)
    assert headers.pairs == [(name.lower(), value) for name, value in pairs]
    for name in headers:
        assert headers.get_all_bytes(name) == [v for n, v in pairs if n.lower() == name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x", "a\r\nset-cookie: b"),
        ("x", b"a\nb"),
        ("x", "nul\0"),
        ("x", b"\x7f"),
        ("x y", "a"),
        ("x:", "a"),
        ("", "a"),
        ("é", "a"),
    ],
)
def test_what_would_break_the_message_is_refused(name: str, value: str | bytes) -> None:
    """No value can start a header of its own, on any way in."""
    response = Response()
    with pytest.raises(ValueError, match="header"):
        response.headers.add(name, value)
    with pytest.raises(ValueError, match="header"):
        response.headers[name] = value
    with pytest.raises(ValueError, match="header"):
        Response(headers=[(name, value)])
    with pytest.raises(ValueError, match="header"):
        Response(headers={name: value})
    assert response.header_pairs == []


def test_changing_response_headers() -> None:
    """Set replaces every value of a name, add keeps them, and the response sees it."""
    response = Response(headers=[("Set-Cookie", "a=1"), ("x", "1")])
    headers = response.headers
    headers.add("set-cookie", b"b=2")
    headers["X"] = "zwölf \t"
    headers.setdefault("x", "3")
    headers.setdefault("y", "4")
    assert response.header_pairs == [
        ("set-cookie", b"a=1"),
        ("set-cookie", b"b=2"),
        ("x", "zwölf".encode()),
        ("y", b"4"),
    ]
    del headers["Set-Cookie"]
    headers.discard("nothing")
    with pytest.raises(KeyError):
        del headers["set-cookie"]
    assert response.headers.keys() == ["x", "y"]


def test_equal_by_content() -> None:
    """Headers compare by fields in order, and copying them leaves the original alone."""
    one = Headers({"A": "1"})
    copy = MutableHeaders(one)
    assert copy == one
    copy.add("b", "2")
    assert copy != one
    assert one.keys() == ["a"]
    assert one != {"a": "1"}


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"x": 0}, "header 'x': a value is text or bytes, not 0"),
        ({"x": [72, 105]}, "not [72, 105]; for several values give pairs"),
        ({"x": True}, "not True"),
        ({"x": None}, "not None"),
        ({1: "a"}, "a header name is text, not 1"),
        ({b"x": "a"}, "a header name is text, not b'x'"),
        ("x: y", "headers are a mapping or pairs of name and value, not 'x: y'"),
        (["x: y"], "pairs of name and value, not 'x: y'"),
        (["ab"], "pairs of name and value, not 'ab'"),
        ([("x", "a", "b")], "pairs of name and value"),
        ([7], "pairs of name and value, not 7"),
    ],
)
def test_headers_that_are_no_text(headers: Any, message: str) -> None:
    """What is neither text nor bytes is refused by name, wherever headers are taken."""
    for make in (
        lambda: Response(headers=headers),
        lambda: Request.of("GET", "/", headers),
        lambda: HttpError(400, headers=headers),
    ):
        with pytest.raises(TypeError, match=re.escape(message)):
            make()


@pytest.mark.parametrize("value", [b"a", bytearray(b"a"), memoryview(b"a"), "a"])
def test_header_values(value: Any) -> None:
    """Text and every form of bytes is taken."""
    assert Response(headers={"x": value}).header_pairs == [("x", b"a")]


def test_a_header_with_half_of_a_surrogate_pair() -> None:
    """It has no UTF-8 form, and the message says so in our words."""
    with pytest.raises(ValueError, match="header 'x': the text has no UTF-8 form"):
        Response(headers={"x": "\ud800"})
