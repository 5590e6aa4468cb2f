"""Which route takes a path: the contract's cases, and a naive matcher to compare with."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgezero_spin.core import MethodNotAllowed, Request, Response, Route, RouteNotFound
from edgezero_spin.core.patterns import Pattern, parse_pattern
from edgezero_spin.core.route_table import RouteTable


async def unused(request: Request) -> Response:
    """The call of a route that is only looked up."""
    return Response()


def router(*routes: str) -> RouteTable:
    """A router of ``"GET /path"`` lines; GET when no method is given."""
    made = []
    for line in routes:
        method, _, path = line.rpartition(" ")
        made.append(Route(method or "GET", parse_pattern(path), unused, unused))
    return RouteTable(made)


def found(routes: RouteTable, path: str, method: str = "GET") -> tuple[str, ...] | None:
    """The pattern that was chosen and its values, ``None`` for a miss."""
    match = routes.find(method, path.encode())
    return match and (match[0].path, *(value.decode() for value in match[1]))


@pytest.mark.parametrize(
    ("routes", "path", "expected"),
    [
        # TV-14
        (["/hello/{name}"], "/hello/world", ("/hello/{name}", "world")),
        # TV-16
        (["/proxy/{*rest}"], "/proxy/a/b", ("/proxy/{*rest}", "a/b")),
        (["/proxy/{*rest}"], "/proxy/", None),
        (["/proxy/{*rest}"], "/proxy", None),
        (["/proxy/{*rest}"], "/proxy//a", ("/proxy/{*rest}", "/a")),
        (["/{*rest}"], "/", None),
        (["/{*rest}", "/"], "/", ("/",)),
        # TV-17: the matcher keeps the raw bytes.
        (["/echo/{name}"], "/echo/a%20b", ("/echo/{name}", "a%20b")),
        # TV-18, RTE-3
        (["/hello"], "/hello/", None),
        (["/hello/"], "/hello", None),
        (["/hello"], "/hello", ("/hello",)),
        (["/hello"], "hello", None),
        (["/hello"], "*", None),
        (["/{id}"], "x7", None),
        (["/users/me", "/users/{id}"], "/users/me", ("/users/me",)),
        (["/users/me", "/users/{id}"], "/users/7", ("/users/{id}", "7")),
        # TV-19: the better branch dead-ends and is left again.
        (
            ["/{object}/{id}", "/secret/{id}/path"],
            "/secret/978",
            ("/{object}/{id}", "secret", "978"),
        ),
        (["/{object}/{id}", "/secret/{id}/path"], "/secret/9/path", ("/secret/{id}/path", "9")),
        # RTE-2: a parameter is not empty.
        (["/a/{x}/b"], "/a//b", None),
        (["/img-{id}.png"], "/img-.png", None),
        (["/img-{id}.png"], "/img-7.png", ("/img-{id}.png", "7")),
        (["/ab{x}ba"], "/aba", None),
        # RTE-4
        (["/{x}", "/v{x}", "/va{x}", "/{x}.txt"], "/va.txt", ("/va{x}", ".txt")),
        (["/{x}", "/v{x}", "/va{x}", "/{x}.txt"], "/vb.txt", ("/v{x}", "b.txt")),
        (["/{x}", "/v{x}", "/va{x}", "/{x}.txt"], "/b.txt", ("/{x}.txt", "b")),
        (["/{x}", "/v{x}", "/va{x}", "/{x}.txt"], "/b", ("/{x}", "b")),
        (["/v{x}/end", "/{*all}"], "/v1/other", ("/{*all}", "v1/other")),
        (["/a/{x}/c/{*p}", "/a/b/{y}/d"], "/a/b/c/e", ("/a/{x}/c/{*p}", "b", "e")),
        (["/{{x}}"], "/{x}", ("/{{x}}",)),
        # RTE-1: nothing is normalised.
        (["/a"], "//a", None),
        (["/a"], "/./a", None),
        (["/a"], "/%61", None),
    ],
)
def test_find(routes: list[str], path: str, expected: tuple[str, ...] | None) -> None:
    """The most specific route wins, whatever the order of declaration."""
    assert found(router(*routes), path) == expected
    assert found(router(*reversed(routes)), path) == expected


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # TV-13, TV-20, RTE-6
        ("/x", "/x"),
        ("/foo/{a}", "/foo/{b}"),
        ("/cmd/{t}/{s}", "/cmd/{*p}"),
        ("/src/{*p}", "/src/{f}"),
        ("/src/{*p}", "/src/{*q}"),
        ("/v{a}/x", "/v{b}/x"),
        ("/{a}/x/{*p}", "/{b}/x/{c}/d"),
    ],
)
def test_conflicts(first: str, second: str) -> None:
    """Two routes of one method for the same paths cannot be built, in either order."""
    for one, other in ((first, second), (second, first)):
        with pytest.raises(ValueError, match="duplicate route definition for ") as caught:
            router(one, other)
        assert f"definition for {other}:" in str(caught.value)
        assert f"GET {one}" in str(caught.value)


@pytest.mark.parametrize(
    "routes",
    [
        ["GET /x/{id}", "POST /x/{name}"],  # TV-20
        ["/foo/{a}/x", "/foo/{b}/y"],
        ["/src/{*p}", "/src/"],
        ["/src/{*p}", "/src/v{x}"],
        ["/src/{*p}", "/src/{x}.png"],
        ["/a", "/a/"],
    ],
)
def test_neighbours_without_conflict(routes: list[str]) -> None:
    """Routes that only resemble each other live together."""
    assert len(router(*routes).routes) == len(routes)


def test_methods_have_their_own_matcher() -> None:
    """A static route of one method does not hide a parameter of another."""
    # RTE-1
    routes = router("GET /users/me", "PUT /users/{id}")
    assert found(routes, "/users/me", "PUT") == ("/users/{id}", "me")


def test_head_is_answered_by_get() -> None:
    """HEAD takes its own route where there is one, and that of GET elsewhere."""
    # RTE-9 as design.md amends it
    routes = router("GET /a", "GET /{x}/b", "HEAD /{y}/b", "POST /p")
    assert found(routes, "/a", "HEAD") == ("/a",)
    assert found(routes, "/1/b", "HEAD") == ("/{y}/b", "1")
    assert found(routes, "/p", "HEAD") is None


@pytest.mark.parametrize(
    ("method", "path", "allowed", "header"),
    [
        ("PUT", "/submit", ("GET", "POST"), "GET, HEAD, POST"),  # TV-11
        ("GET", "/only", ("POST",), "POST"),  # TV-10
        ("GET", "/items/7", ("DELETE", "PATCH"), "DELETE, PATCH"),
        ("get", "/submit", ("GET", "POST"), "GET, HEAD, POST"),
    ],
)
def test_known_under_other_methods(
    method: str, path: str, allowed: tuple[str, ...], header: str
) -> None:
    """A path that exists under other methods says which, sorted; Allow names HEAD too."""
    # RTE-8
    routes = router("POST /submit", "GET /submit", "POST /only", "PATCH /items/{x}")
    routes = RouteTable([*routes.routes, *router("DELETE /items/{y}").routes])
    miss = routes.miss(method, path.encode())
    assert isinstance(miss, MethodNotAllowed)
    assert miss.allowed == allowed
    assert miss.headers.items() == [("allow", header)]


def test_unknown_path() -> None:
    """A path of no route is not found, under any method."""
    # RTE-7, TV-9
    miss = router("/known").miss("GET", b"/missing")
    assert isinstance(miss, RouteNotFound)
    assert "/missing" in miss.message


def test_cost_does_not_grow_with_static_routes() -> None:
    """A thousand static routes are one dictionary; none of them is walked or compared."""

    class Counting(bytes):
        comparisons = 0

        def __eq__(self, other: object) -> bool:
            Counting.comparisons += 1
            return bytes.__eq__(self, other)

        __hash__ = bytes.__hash__

    routes = router(*(f"/static/{n}/page" for n in range(1000)))
    assert routes.find("GET", Counting(b"/static/999/page")) is not None
    assert Counting.comparisons <= 5


def test_a_long_path_costs_no_more_than_the_tree() -> None:
    """A path of many segments ends the walk where the routes end."""
    assert found(router("/{a}/{b}/{c}", "/{x}/y/{z}/w"), "/a" * 5000) is None


# A reference: try every pattern, keep the best by the rules of RTE-4.

_TEXTS = st.sampled_from(["a", "b", "ab", "ba", "{x}", "a{x}", "{x}b", "a{x}b", "ab{x}", ""])
_PATTERNS = st.builds(
    lambda parts, rest: "/" + "/".join([*parts, *rest]),
    st.lists(_TEXTS, min_size=1, max_size=3),
    st.sampled_from([[], [], ["{*r}"]]),
)
_PATHS = st.lists(st.sampled_from(["a", "b", "ab", "aab", "abb", "aabb", "c", ""]), max_size=4)


def numbered(text: str) -> str:
    """Give each parameter a name of its own."""
    names = iter("pqrs")
    return re.sub(r"\{x\}", lambda _: "{" + next(names) + "}", text)


def naive(patterns: list[Pattern], path: str) -> tuple[str, ...] | None:
    """The pattern whose list of segment ranks is smallest among those that match."""
    best: tuple[list[tuple[int, int, int]], tuple[str, ...]] | None = None
    for pattern in patterns:
        parts = []
        ranks = []
        for segment in pattern.segments:
            prefix, suffix = re.escape(segment.prefix.decode()), re.escape(segment.suffix.decode())
            if segment.rest:
                parts.append("(.+)")
                ranks.append((3, 0, 0))
            elif segment.name is None:
                parts.append(prefix)
                ranks.append((0, 0, 0))
            else:
                parts.append(f"{prefix}([^/]+){suffix}")
                affixed = bool(prefix or suffix)
                ranks.append((1 if affixed else 2, -len(segment.prefix), -len(segment.suffix)))
        match = re.fullmatch("/" + "/".join(parts), path, re.DOTALL)
        if match and (best is None or ranks < best[0]):
            best = ranks, (pattern.text, *match.groups())
    return best and best[1]


@settings(deadline=None, max_examples=400)
@given(texts=st.lists(_PATTERNS, min_size=1, max_size=8), parts=_PATHS)
def test_find_agrees_with_a_naive_matcher(texts: list[str], parts: list[str]) -> None:
    """On random route tables the tree chooses what trying every pattern would choose."""
    kept: list[str] = []
    for text in map(numbered, texts):
        try:
            router(*kept, text)
        except ValueError:
            continue
        kept.append(text)
    path = "/" + "/".join(parts)
    assert found(router(*kept), path) == naive([parse_pattern(text) for text in kept], path)


@settings(deadline=None, max_examples=100)
@given(texts=st.lists(_PATTERNS, min_size=2, max_size=5, unique=True))
def test_conflicts_do_not_depend_on_order(texts: list[str]) -> None:
    """A set of routes is refused or accepted as a whole, however it is ordered."""
    outcomes = []
    for order in (texts, texts[::-1], sorted(texts)):
        try:
            router(*map(numbered, order))
            outcomes.append(True)
        except ValueError:
            outcomes.append(False)
    assert all(a == b for a, b in pairwise(outcomes))
