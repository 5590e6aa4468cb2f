"""Routes: every vector of the contract, the order, and what is refused at start-up."""

import sys
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.host.http.headers import host_headers
from edgezero_spin.host.http.routes import (
    InvalidRoutesError,
    RouteDeclaration,
    RouteMatch,
    TriggerRouteTable,
    whole_application,
)

CASES = tomllib.loads(Path(__file__).with_name("routes.toml").read_text())["case"]
VECTORS = [
    pytest.param(case, target, id=f"{case['vector']}/{number}")
    for case in CASES
    for number, target in enumerate(case["targets"], 1)
]


def table_of(*routes: str, base: str = "/") -> TriggerRouteTable:
    """A table whose ids are the routes' own texts."""
    return TriggerRouteTable([RouteDeclaration(route, route) for route in routes], base=base)


def found_by(table: TriggerRouteTable, path: str) -> str | None:
    """The id that a path finds."""
    match = table.match(path)
    return None if match is None else match.route.declaration.id


def test_every_vector_is_here() -> None:
    """No row of the contract was lost on the way to the data file."""
    assert len([case for case in CASES if "base" not in case]) == 67
    assert len(VECTORS) == 85 + 4


# ROUTE-1: RV-5, RV-6, RV-50. ROUTE-2: RV-3, RV-18 to RV-20. ROUTE-7: RV-3, RV-10, RV-66.
# ROUTE-11: RV-59 to RV-61. ROUTE-15: RV-35 to RV-38, RV-43. ROUTE-16: RV-41, RV-57.
# ROUTE-17: RV-48.
@pytest.mark.parametrize(("case", "target"), VECTORS)
def test_route_vectors(case: dict[str, Any], target: str) -> None:
    """A request finds the component of the vector, with its captures and headers."""
    public = [
        RouteDeclaration(item["route"], item["id"]) for item in case["routes"] if "route" in item
    ]
    table = TriggerRouteTable(public, base=case.get("base", "/"))
    match = table.match(target.partition("?")[0])
    if "to" not in case:
        assert match is None
        return
    assert match is not None
    assert match.route.declaration.id == case["to"]
    assert dict(match.parameters) == case.get("parameters", {})
    headers = dict(
        host_headers(match, scheme="http", host="h", target=target, client_addr="127.0.0.1:9")
    )
    for name in ("path-info", "matched-route", "raw-component-route", "component-route"):
        assert headers[f"spin-{name}"].decode() == case[name], name
    sent = {
        name.lower().replace("_", "-"): text for name, text in case.get("parameters", {}).items()
    }
    assert {
        name.removeprefix("spin-path-match-"): value.decode()
        for name, value in headers.items()
        if name.startswith("spin-path-match-")
    } == sent


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        pytest.param("/a/*name", "replace `*name` with `*`", id="named wildcard"),
        pytest.param("/a/:", "params must be named", id="unnamed parameter"),
        pytest.param("/a/*/b", "a wildcard can only stand at the end", id="wildcard inside"),
        pytest.param("/*/...", "a wildcard can only stand at the end", id="two wildcards"),
    ],
)
def test_unusable_routes_name_their_component(route: str, expected: str) -> None:
    """A route that could never be matched stops the start with route and component."""
    with pytest.raises(InvalidRoutesError) as caught:
        TriggerRouteTable([RouteDeclaration(route, "shop")])  # ROUTE-4, ROUTE-5
    assert str(caught.value).startswith(
        f"Error parsing route {route} associated with component shop: "
    )
    assert expected in str(caught.value)


def test_unusable_routes_are_reported_together() -> None:
    """One start names every route that cannot be read."""
    with pytest.raises(InvalidRoutesError) as caught:
        table_of("/:", "/ok", "/*x")
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("route", "path", "matches"),
    [
        # ROUTE-6
        pytest.param("/a/.../x", "/a/.../x", True, id="dots inside are text"),
        pytest.param("/a/.../x", "/a/b/x", False, id="dots inside are not a wildcard"),
        pytest.param("/a...", "/a...", True, id="dots after text are text"),
        pytest.param("/a...", "/a/b", False, id="dots after text are not a wildcard"),
        # ROUTE-3
        pytest.param("/:a", "/x\ny", True, id="a parameter takes anything but a slash"),
        pytest.param("/:file.json", "/.json", False, id="a parameter before a dot is not empty"),
        pytest.param("/x/:a/b", "/x//b", False, id="a parameter between slashes is not empty"),
        pytest.param("/a.:ext", "/a.txt", True, id="a parameter may follow a dot"),
        pytest.param("/v1.0/(x)", "/v1.0/(x)", True, id="text is not a pattern"),
        pytest.param("/v1.0", "/v1x0", False, id="a dot is only a dot"),
        pytest.param("/a/.b", "/a.b", False, id="a leading dot keeps its slash"),
    ],
)
def test_odd_routes(route: str, path: str, matches: bool) -> None:
    """Dots and special characters mean what the contract says and no more."""
    assert (found_by(table_of(route), path) is not None) is matches


@pytest.mark.parametrize(
    ("route", "base", "based"),
    [
        ("/", "/", ""),
        ("a", "/", "/a"),
        ("/a/", "/", "/a"),
        ("/a//", "/", "/a/"),
        ("//", "/", "/"),
        ("/...", "/", "/..."),
        ("/a/", "/base/", "/base/a"),
    ],
)
def test_a_route_is_joined_to_its_base(route: str, base: str, based: str) -> None:
    """A slash goes in front where there is none, and one at the end goes away."""  # ROUTE-1
    assert table_of(route, base=base).routes[0].based == based


@pytest.mark.parametrize(
    ("first", "second", "path"),
    [
        pytest.param("/a/b", "/a/:x", "/a/b", id="text before a parameter"),
        pytest.param("/a/:x", "/a/...", "/a/b", id="a parameter before a wildcard"),
        pytest.param("/:x.json", "/:x", "/a.json", id="more dots first"),
        pytest.param("/:x", "/:x/...", "/a", id="fewer segments first"),
        pytest.param("/a/x/...", "/a/:b/c/...", "/a/x/c", id="the first difference decides"),
    ],
)
def test_one_of_two_routes_goes_first(first: str, second: str, path: str) -> None:
    """Whichever was declared first."""  # ROUTE-14
    assert found_by(table_of(second), path) == second
    assert found_by(table_of(first, second), path) == first
    assert found_by(table_of(second, first), path) == first


def test_of_equal_routes_the_earlier_goes_first() -> None:
    """Two texts, one meaning: the order of declaration is left."""  # ROUTE-14, RV-60
    assert found_by(table_of("/:a/x", "/:b/x"), "/1/x") == "/:a/x"
    assert found_by(table_of("/:b/x", "/:a/x"), "/1/x") == "/:b/x"


def test_hidden_files_are_not_lost_to_a_wildcard() -> None:
    """A route with a leading dot is literal text and beats parameters and wildcards."""
    table = table_of("/...", "/:name", "/.env", "/.well-known/:name")
    assert found_by(table, "/.env") == "/.env"
    assert found_by(table, "/.well-known/x") == "/.well-known/:name"


def test_duplicates_name_the_route_that_is_never_used() -> None:
    """The last of equal texts wins, in the first one's place, and the loss is told."""
    table = TriggerRouteTable(  # ROUTE-10, RV-58
        [
            RouteDeclaration("/", "first"),
            RouteDeclaration("/:x", "other"),
            RouteDeclaration("/", "second"),
            RouteDeclaration("/:x", "another"),
        ]
    )
    assert [str(duplicate) for duplicate in table.duplicates] == [
        "first: / (duplicate of second)",
        "other: /:x (duplicate of another)",
    ]
    assert [route.declaration.id for route in table.routes] == ["second", "another"]


def test_routes_are_listed_in_their_order() -> None:
    """The list that people see at start-up is in the order of the look-up."""
    table = table_of("/...", "/a/...", "/:x", "/b", "/")
    listed = [(route.path, route.wildcard) for route in table.routes]
    assert listed == [("/", False), ("/b", False), ("/a", True), ("/:x", False), ("/", True)]


def test_reserved_routes_are_known() -> None:
    """Routes below the host's own prefix are reported, others near it are not."""
    table = table_of("/.well-known/spin/health", "/.well-known/spindle", "/...")
    assert [route.based for route in table.reserved()] == ["/.well-known/spin/health"]  # ROUTE-13


def test_a_call_from_within_sees_the_whole_path() -> None:
    """A component called by another is matched as if it had the route ``/...``."""
    match = whole_application("back", "/hello/x")  # CHAIN-9
    headers = dict(
        host_headers(match, scheme="http", host=None, target="/hello/x?y", client_addr="0.0.0.0:0")
    )
    assert headers == {
        "spin-path-info": b"/hello/x",
        "spin-full-url": b"http://localhost/hello/x?y",
        "spin-matched-route": b"/...",
        "spin-base-path": b"/",
        "spin-raw-component-route": b"/...",
        "spin-component-route": b"",
        "spin-client-addr": b"0.0.0.0:0",
    }


# A second, slower reading of the contract: no regular expressions and no ordered list.

SEGMENTS = st.sampled_from(["a", "b", "c", ":x", ":y"])
ROUTES = st.builds(
    lambda segments, wildcard: "/" + "/".join([*segments, *(["..."] if wildcard else [])]),
    st.lists(SEGMENTS, max_size=4),
    st.booleans(),
)
PATHS = st.lists(st.sampled_from(["a", "b", "c", "z", ""]), max_size=5).map(
    lambda segments: "/" + "/".join(segments)
)


def naive_matches(route: str, path: str) -> bool:
    """Whether one route matches, section by section."""
    wanted = [segment for segment in route.split("/") if segment]
    given = path.strip("/").split("/") if path.strip("/") else []
    if wanted and wanted[-1] == "...":
        wanted.pop()
        given = given[: len(wanted)]
    return len(wanted) == len(given) and all(
        bool(part) if want.startswith(":") else want == part
        for want, part in zip(wanted, given, strict=True)
    )


def naive_best(routes: list[str], path: str) -> str | None:
    """The match that loses to no other, by comparing pairs."""
    ranks = {
        route: tuple(
            2 if segment == "..." else 1 if segment.startswith(":") else 0
            for segment in route.split("/")
            if segment
        )
        for route in routes
    }
    found = [route for route in routes if naive_matches(route, path)]
    best = None
    for route in found:
        if best is None or _beats(ranks[route], ranks[best]):
            best = route
    return best


def _beats(mine: tuple[int, ...], theirs: tuple[int, ...]) -> bool:
    for left, right in zip(mine, theirs, strict=False):
        if left != right:
            return left < right
    return len(mine) < len(theirs)


@given(routes=st.lists(ROUTES, max_size=8, unique=True), path=PATHS)
def test_the_table_agrees_with_a_naive_reading(routes: list[str], path: str) -> None:
    """Whatever the routes and their order, the best match is the one of the contract."""
    assert found_by(table_of(*routes), path) == naive_best(routes, path)


@given(routes=st.lists(ROUTES, min_size=1, max_size=6, unique=True), path=PATHS)
def test_path_info_and_route_make_up_the_path(routes: list[str], path: str) -> None:
    """What the wildcard took is the end of the path, slashes at the end counted once."""
    match: RouteMatch | None = table_of(*routes).match(path)
    if match is None or not match.route.wildcard:
        assert match is None or match.path_info == ""
        return
    cleaned = path.rstrip("/") + "/" * path.endswith("/")
    assert ("/" + cleaned.lstrip("/")).endswith(match.path_info)  # ROUTE-18


def operations_of(action: Callable[[], object]) -> int:
    """How many lines of the route table one action runs: a measure that no neighbour disturbs."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.endswith("routes.py"):
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    "text",
    ["/r{n}", "/r{n}/:id", "/r{n}/...", "/:a/r{n}", "/r{n}/:a.:b", "/:a.r{n}", "/r{n}/x/:id/..."],
)
def test_many_routes_cost_as_much_each_as_few(text: str) -> None:
    """A table of eight times as many takes eight times as long."""

    def table(count: int) -> TriggerRouteTable:
        return TriggerRouteTable(
            RouteDeclaration(text.replace("{n}", str(number)), "c") for number in range(count)
        )

    few, many = (operations_of(partial(table, count)) for count in (50, 400))
    assert many < 9 * few
    found = table(400).match(text.replace("{n}", "399").replace(":", "").replace("...", "y"))
    assert found is not None
    assert "r399" in found.route.based


def test_a_look_up_among_many_routes_tries_few() -> None:
    """Those that begin with the same text, and those that may match any."""
    routes = ["/:any/x", *(f"/r{number}/:id" for number in range(400)), "/..."]
    table = TriggerRouteTable(RouteDeclaration(route, route) for route in routes)
    for path, route in (("/r7/y", "/r7/:id"), ("/r7/x", "/r7/:id"), ("/q/x", "/:any/x")):
        found = table.match(path)
        assert found is not None
        assert found.route.declaration.id == route
        assert operations_of(partial(table.match, path)) < 100
