"""Cookies: what a browser is told to keep, and what it sends back."""

import http.cookies
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.core import Request, Response


def set_cookie(*args: Any, **options: Any) -> str:
    """The field that sets one cookie."""
    response = Response()
    response.set_cookie(*args, **options)
    return response.headers["set-cookie"]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (set_cookie("a", "b"), "a=b; Path=/; Secure; HttpOnly; SameSite=lax"),
        (
            set_cookie("a", max_age=60, path=None, secure=False, httponly=False, samesite=None),
            "a=; Max-Age=60",
        ),
        (
            set_cookie("a", "b", timedelta(hours=1), domain="example.com", samesite="strict"),
            "a=b; Max-Age=3600; Domain=example.com; Path=/; Secure; HttpOnly; SameSite=strict",
        ),
        (
            set_cookie(
                "__Host-a",
                expires=datetime(2026, 11, 30, 1, 2, 3, tzinfo=UTC),
                samesite="none",
                partitioned=True,
            ),
            "__Host-a=; Expires=Mon, 30 Nov 2026 01:02:03 GMT; Path=/; Secure; HttpOnly; "
            "SameSite=none; Partitioned",
        ),
    ],
)
def test_attributes(field: str, expected: str) -> None:
    """Each stands in the field when it is asked for; the safe ones without asking."""
    assert field.lower() == expected.lower()


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        (("a b",), {}, "not a cookie name"),
        (("",), {}, "not a cookie name"),
        (("a", "b\r\nset-cookie: c=d"), {}, "not printable ASCII; encode it"),
        (("a", "ü"), {}, "not printable ASCII"),
        (("a",), {"path": "/;domain=evil.org"}, "is not a path"),
        (("a",), {"domain": "a\nb"}, "is not a domain"),
        (("a",), {"samesite": "none", "secure": False}, "with secure=True only"),
        (("a",), {"samesite": "Lax"}, "samesite is"),
        (("__Secure-a",), {"secure": False}, "with secure=True only"),
        (("__Host-a",), {"domain": "example.com"}, "path='/', no domain"),
        (("a",), {"expires": datetime(2026, 1, 1)}, "has no time zone"),
    ],
)
def test_what_is_refused(args: tuple[str, ...], options: dict[str, Any], message: str) -> None:
    """What a browser would drop or misread is an error, and nothing of it is sent."""
    with pytest.raises(ValueError, match=message):
        set_cookie(*args, **options)


def test_deletion_names_what_was_set() -> None:
    """It expires at once, under the same path and domain."""
    response = Response()
    response.delete_cookie("a", path="/x", domain="example.com")
    assert response.headers["set-cookie"] == (
        "a=; Max-Age=0; Domain=example.com; Path=/x; Secure; HttpOnly; SameSite=Lax"
    )


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_values_come_back(value: str) -> None:
    """Any printable text returns as it was, here and in Python's own reader of cookies."""
    pair = set_cookie("a", value).partition("; Path")[0]
    assert Request.of("GET", "/", {"cookie": f"x=1; {pair}; y=2"}).cookies["a"] == value
    known: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
    known.load(pair)
    assert known["a"].value == value


@given(st.lists(st.text(st.characters(max_codepoint=0xFF), max_size=20)))
def test_any_field_can_be_read(fields: list[str]) -> None:
    """What a client sends for cookies is never an error."""
    headers = [("cookie", "".join(c for c in text if c.isprintable())) for text in fields]
    assert isinstance(Request.of("GET", "/", headers).cookies, dict)
