"""Fields of queries, headers, cookies and forms as parameters of a handler."""

import datetime
import ipaddress
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

import attrs
import pytest

from edgezero_spin.core import App, Cookie, Form, Header, Json, PathParams, Query, Request
from edgezero_spin.stores import Alias, Ge, Gt, Le, Lt, MaxLen, MinLen
from tests.core.asking import ask, error_of, json_of


def answer(handler: Callable[..., Any], target: str, path: str = "/", **asked: Any) -> Any:
    """The response of one handler."""
    app = App()
    app.route(path, ["GET", "POST"])(handler)
    return ask(app, asked.pop("method", "GET"), target, **asked)


def listing(
    page: int = 1,
    tags: list[str] = [],  # noqa: B006  # never changed
    ids: set[int] | None = None,
    day: datetime.date | None = None,
    price: Annotated[Decimal, Alias("max-price")] = Decimal(9),
) -> str:
    """Every sort of field with a default."""
    return f"{page} {tags} {ids} {day} {price}"


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("", "1 [] None None 9"),
        ("?page=2&tags=a&tags=b&max-price=1.5", "2 ['a', 'b'] None None 1.5"),
        ("?ids=1&ids=1&day=2024-02-29&other=x", "1 [] {1} 2024-02-29 9"),
        ("?price=3", "1 [] None None 9"),
    ],
)
def test_fields_of_the_query(query: str, body: str) -> None:
    """They bind by name or alias, converted, and keep their defaults."""
    assert answer(listing, f"/{query}").body.decode() == body


def test_all_wrong_fields_are_named_at_once() -> None:
    """The first wrong one does not hide the others."""

    def handler(a: int, b: float, c: list[int], d: str, e: int | None) -> None: ...

    assert error_of(answer(handler, "/?a=x&a=y&b=1&b=2&c=1&c=z")) == (
        400,
        "invalid query string: a: not a whole number; b: given more than once; "
        "c: not a whole number; d: missing",
    )


def test_headers_and_cookies() -> None:
    """Underscores are hyphens, names match in any case, repeats make a list."""

    def handler(
        x_tag: Header[list[str]],
        request_id: Annotated[Header[int], Alias("X-Request-Id")],
        session: Cookie[str],
        theme: Cookie[str | None],
        request: Request,
    ) -> str:
        return f"{x_tag} {request_id} {session} {theme} {request.cookies}"

    headers = [("X-Tag", "a"), ("x-tag", "b"), ("X-REQUEST-ID", "7")]
    headers += [("cookie", 'session="s=1"; session=old; a b'), ("cookie", "lang=de")]
    text = "['a', 'b'] 7 s=1 None {'session': 's=1', 'lang': 'de'}"
    assert answer(handler, "/", headers=headers).body.decode() == text
    assert error_of(answer(handler, "/")) == (400, "invalid headers: x-request-id: missing")
    assert error_of(answer(handler, "/", headers={"x-request-id": "7"})) == (
        400,
        "invalid cookies: session: missing",
    )


@attrs.frozen
class Order:
    """A form with what browsers do."""

    sender: Annotated[str, Alias("from")]
    count: Annotated[int, Ge(1), Le(5)] = 1
    gift: bool = attrs.field(kw_only=True)
    news: bool = attrs.field(default=True, kw_only=True)
    address: ipaddress.IPv4Address | None = None
    wait: datetime.timedelta | None = None


class Case(NamedTuple):
    """A form and what becomes of it."""

    form: bytes
    status: int
    told: str


@pytest.mark.parametrize(
    "case",
    [
        Case(b"from=a&count=&gift=on&address=&wait=PT5M", 200, "a 1 True True None 0:05:00"),
        Case(b"from=&count=5&news=off&address=192.0.2.1", 200, " 5 False False 192.0.2.1 None"),
        Case(b"from=a&gift=maybe&wait=soon", 400, "gift: not one of true, false; wait: not an ISO"),
        Case(b"sender=a", 400, "from: missing"),
        Case(b"from=a&count=6", 422, "count: must be at most 5"),
        Case(b"from=a&count=0&gift=1", 422, "count: must be at least 1"),
    ],
)
def test_forms_as_browsers_send_them(case: Case) -> None:
    """Empty fields are missing, a checkbox is there or not, names may be any."""

    async def handler(form: Form[Order]) -> str:
        values = (form.sender, form.count, form.gift, form.news, form.address, form.wait)
        return " ".join(map(str, values))

    response = answer(handler, "/", method="POST", body=case.form)
    assert response.status == case.status
    told = response.body.decode() if case.status == 200 else error_of(response)[1]
    assert case.told in told


def test_bounds_of_items_and_of_lists() -> None:
    """Each item is held to its own bounds, the list to its."""

    def handler(
        ids: Annotated[list[Annotated[int, Ge(1)]], MaxLen(2)] = [],  # noqa: B006
        page: Annotated[Annotated[int, Ge(1)] | None, Le(9)] = None,
    ) -> str:
        return f"{ids} {page}"

    assert answer(handler, "/?ids=1&ids=2&page=9").body.decode() == "[1, 2] 9"
    assert error_of(answer(handler, "/?ids=1&ids=0")) == (422, "ids: must be at least 1")
    assert error_of(answer(handler, "/?ids=1&ids=1&ids=1"))[0] == 422
    assert error_of(answer(handler, "/?page=0")) == (422, "page: must be at least 1")
    assert error_of(answer(handler, "/?page=10")) == (422, "page: must be at most 9")


@pytest.mark.parametrize(
    ("hint", "problem"),
    [
        (Annotated[str, Ge(1)], "must be at least 1"),
        (Annotated[int, MinLen(1)], "must have a length of at least 1"),
        (Annotated[bool | None, MaxLen(1)], "must have a length of at most 1"),
        (list[Annotated[str, Lt(1)]], "must be less than 1"),
        (Header[Annotated[float, MinLen(1)]], "must have a length"),
    ],
)
def test_bounds_that_no_value_can_have(hint: Any, problem: str) -> None:
    """They are refused before any request, and not with a 500."""

    def handler(a: Any) -> None: ...

    handler.__annotations__["a"] = hint
    app = App()
    app.get("/")(handler)
    with pytest.raises(TypeError, match=f"parameter 'a': the bound .*{problem}"):
        app.compile()


@pytest.mark.parametrize(
    "hint", [Annotated[int, Header], Annotated[int, Query], Annotated[str, Json, "note"]]
)
def test_a_marker_in_the_spelling_of_another_framework(hint: Any) -> None:
    """What would be read from elsewhere is refused, with what to write."""

    def handler(a: Any) -> None: ...

    handler.__annotations__["a"] = hint
    app = App()
    app.get("/")(handler)
    with pytest.raises(TypeError, match=r"parameter 'a': \w+ takes a type in square brackets"):
        app.compile()


def test_a_marker_that_is_called() -> None:
    """It says how a default and another name are written."""
    markers: list[Any] = [Header, Query, Cookie, Form, Json]
    for marker in markers:
        with pytest.raises(TypeError, match=rf"`name: {marker}\[int\] = 1`.*Alias"):
            marker(1, alias="x")


@pytest.mark.parametrize(("form", "told"), [(b"a=&b=", "None ''"), (b"a=x&b=y", "'x' 'y'")])
def test_empty_text_that_may_be_none(form: bytes, told: str) -> None:
    """A field that nobody filled in is ``None`` where its type has it, and text where not."""

    async def handler(a: Form[str | None], b: Form[str]) -> str:
        return f"{a!r} {b!r}"

    assert answer(handler, "/", method="POST", body=form).body.decode() == told


@pytest.mark.parametrize(
    ("hint", "good", "bad", "problem"),
    [
        (Annotated[int, Gt(1)], "2", "1", "must be more than 1"),
        (Annotated[float, Lt(1.5)], "1.25", "1.5", "must be less than 1.5"),
        (Annotated[str, MinLen(2)], "ab", "a", "must have a length of at least 2"),
        (Annotated[str | None, MaxLen(1)], "a", "ab", "must have a length of at most 1"),
    ],
)
def test_bounds_hold_wherever_they_are_read(hint: Any, good: str, bad: str, problem: str) -> None:
    """In a path, a query, a header and a body alike; a broken one is a 422."""

    def by_path(value: Any) -> None: ...
    def by_query(value: Any) -> None: ...
    def by_header(value: Any) -> None: ...

    by_path.__annotations__["value"] = by_query.__annotations__["value"] = hint
    by_header.__annotations__["value"] = Header[hint]  # type: ignore[misc]
    assert answer(by_path, f"/{good}", "/{value}").status == 204
    assert answer(by_query, f"/?value={good}").status == 204
    assert answer(by_header, "/", headers={"value": good}).status == 204
    expected = (422, f"value: {problem}")
    assert error_of(answer(by_path, f"/{bad}", "/{value}")) == expected
    assert error_of(answer(by_query, f"/?value={bad}")) == expected
    assert error_of(answer(by_header, "/", headers={"value": bad})) == expected


def test_bounds_in_a_body() -> None:
    """They name their place, and items of a list may have some."""

    async def handler(body: Json[dict[str, Annotated[list[int], MinLen(1)]]]) -> int:
        return len(body)

    assert json_of(answer(handler, "/", method="POST", body=b'{"a":[1]}')) == 1
    assert error_of(answer(handler, "/", method="POST", body=b'{"a":[]}')) == (
        422,
        "must have a length of at least 1 @ $.a",
    )


def test_bounds_of_another_library() -> None:
    """Whatever has the attributes of annotated-types is understood."""

    class Interval:
        ge = 2
        le = None

    def handler(n: Annotated[int, Interval()]) -> None: ...

    assert error_of(answer(handler, "/?n=1")) == (422, "n: must be at least 2")
    assert answer(handler, "/?n=2").status == 204


def test_markers_beside_fields() -> None:
    """A field, a whole query and the path may stand in any order."""

    async def handler(
        page: int, rest: Query[dict[str, str]], parts: PathParams[dict[str, str]], *, q: str = "-"
    ) -> str:
        return f"{page} {rest} {parts} {q}"

    response = answer(handler, "/x?page=1&a=b", "/{id}")
    assert response.body == b"1 {'page': '1', 'a': 'b'} {'id': 'x'} -"
