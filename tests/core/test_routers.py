"""Routers and mounts: prefixes, layers of a group, names of routes, apps below a path."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from edgezero_spin.core import (
    App,
    HttpError,
    Middleware,
    Next,
    Request,
    Response,
    Router,
    State,
    cors,
)
from edgezero_spin.stores import StoreIds
from tests.core.asking import ask, body_of, error_of


def tagging(name: str) -> Middleware:
    """A layer that adds its name and the status that it sees to the answer."""

    async def layer(request: Request, call_next: Next) -> Response:
        response = await call_next(request)
        response.headers.add("x-layers", f"{name}{response.status}")
        return response

    return layer


def shop() -> App:
    """An app with a router in a router, each with a layer."""
    app = App()
    app.middleware(tagging("app"))
    app.get("/")(lambda: "root")
    items = Router(prefix="/{item}", middleware=[tagging("items")], tags=["items"])
    shop = Router(prefix="/shop", tags=["shop"])
    shop.middleware(tagging("shop"))
    app.include(shop, prefix="/v1", tags=["v1"])
    shop.include(items)
    # Declared after it was included.
    shop.get("")(lambda: "shop")

    @items.get("/parts/{part}", tags=["parts"])
    def part(item: str, part: int) -> str:
        return f"{item} {part}"

    @items.delete("")
    def remove(item: str) -> None:
        raise HttpError(409, "in use")

    return app


@pytest.mark.parametrize(
    ("request_line", "status", "body", "layers"),
    [
        ("GET /", 200, b"root", ["app200"]),
        ("GET /v1/shop", 200, b"shop", ["shop200", "app200"]),
        ("GET /v1/shop/a/parts/7", 200, b"a 7", ["items200", "shop200", "app200"]),
        ("DELETE /v1/shop/a", 409, None, ["items409", "shop409", "app409"]),
        ("GET /v1/shop/a/parts/x", 400, None, ["items400", "shop400", "app400"]),
        ("GET /v1/shop/", 404, None, ["app404"]),
        ("PUT /v1/shop/a", 405, None, ["items405", "shop405", "app405"]),
        ("PUT /v1/shop/a/parts", 404, None, ["app404"]),
    ],
)
def test_routers(request_line: str, status: int, body: bytes | None, layers: list[str]) -> None:
    """Prefixes add up; layers stand around the routes of their router, errors included."""
    response = ask(shop(), *request_line.split())
    assert response.status == status
    assert response.headers.get_all("x-layers") == layers
    if body is not None:
        assert response.body == body


def test_a_group_answers_preflight_requests() -> None:
    """``cors()`` of a router is asked by a browser with a method that no route of it has."""
    api = Router(prefix="/api", middleware=[cors(["https://page.example"])])
    api.put("/notes/{id}")(lambda id: f"saved {id}")
    app = App()
    app.include(api)
    app.get("/other")(lambda: "other")
    asks = {"origin": "https://page.example", "access-control-request-method": "PUT"}
    preflight = ask(app, "OPTIONS", "/api/notes/7", headers=asks)
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == "https://page.example"
    elsewhere = ask(app, "OPTIONS", "/other", headers=asks)
    assert (elsewhere.status, elsewhere.headers.get("access-control-allow-origin")) == (405, None)
    refused = ask(app, "DELETE", "/api/notes/7", headers=asks)
    assert (refused.status, refused.headers["allow"]) == (405, "PUT")
    assert refused.headers["access-control-allow-origin"] == "https://page.example"


def test_routes_tell_their_name_and_tags() -> None:
    """Whoever describes the app finds what it was told, in order of inclusion."""
    found = [(route.method, route.path, route.name, route.tags) for route in shop().routes]
    assert found == [
        ("GET", "/", "<lambda>", ()),
        ("GET", "/v1/shop/{item}/parts/{part}", "part", ("v1", "shop", "items", "parts")),
        ("DELETE", "/v1/shop/{item}", "remove", ("v1", "shop", "items")),
        ("GET", "/v1/shop", "<lambda>", ("v1", "shop")),
    ]


def test_a_router_in_use_can_grow() -> None:
    """What is declared after the first request counts from then on."""
    app, router = App(), Router()
    app.include(router, prefix="/a")
    assert ask(app, "GET", "/a/b").status == 404
    router.get("/b")(lambda: "b")
    assert ask(app, "GET", "/a/b").body == b"b"


def test_an_error_of_a_group_has_the_handlers_of_the_app() -> None:
    """An exception handler answers before the layers of the group see the response."""
    app, group = App(), Router(middleware=[tagging("group")])
    app.exception_handler(KeyError)(lambda request, error: (418, "teapot"))

    @group.get("/")
    def handler() -> None:
        raise KeyError

    app.include(group)
    response = ask(app, "GET", "/")
    assert (response.status, response.headers["x-layers"]) == (418, "group418")


@pytest.mark.parametrize(
    ("compose", "message"),
    [
        (lambda: Router(prefix="a"), "must start with '/'"),
        (lambda: Router(prefix="/a/"), "ends with '/'; write '/a'"),
        (lambda: Router(prefix="/<a>"), "write '{a}'"),
        (lambda: Router(prefix="/{*a}"), "takes the whole rest"),
        (lambda: Router(tags="a"), "tags is a sequence of texts"),
        (lambda: App().include(App()), "an App is mounted"),
        (lambda: App().get(""), "must start with '/'"),
        (lambda: with_empty_path().compile(), "must start with '/'"),
        (lambda: twice_named().compile(), "'a' is there twice"),
        (lambda: in_itself(), "cannot include itself"),
        (lambda: App().mount("/{a}", App()), "a path without parameters"),
        (lambda: App().mount("/a/", App()), "a path without parameters"),
        (lambda: App().mount("/a", cast(Any, "static")), "neither an App nor an endpoint"),
        (lambda: mounted_in_itself(), "cannot be mounted in itself"),
        (lambda: mounted_twice(), "is mounted at '/a' already"),
        (lambda: App(kv=["a"]).mount("/a", App(kv=["b"])), "the default kv store 'b'"),
    ],
)
def test_what_is_refused(compose: Callable[[], object], message: str) -> None:
    """A slip is an error when the app is composed, with what to write."""
    with pytest.raises((TypeError, ValueError)) as caught:
        compose()
    assert message in str(caught.value)


def with_empty_path() -> App:
    """A router without prefix that answers an empty path."""
    app, router = App(), Router()
    router.get("")(lambda: "x")
    app.include(router)
    return app


def twice_named() -> App:
    """Two prefixes with one parameter."""
    app, router = App(), Router(prefix="/{a}")
    router.get("/{b}")(lambda a, b: "x")
    app.include(router, prefix="/{a}")
    return app


def in_itself() -> None:
    """Two routers that include each other."""
    one, two = Router(), Router()
    one.include(two)
    two.include(one)


def mounted_in_itself() -> None:
    """Two apps that are mounted in each other."""
    one, two = App(), App()
    one.mount("/a", two)
    two.mount("/a", one)


def mounted_twice() -> None:
    """One path for two apps."""
    app = App()
    app.mount("/a", App())
    app.mount("/a", App())


class Settings:
    """State of both apps."""

    def __init__(self, name: str) -> None:
        self.name = name


def inner_app() -> App:
    """An app with everything that an app of its own has."""
    inner = App(body_limit=3, state=[Settings("inner")])
    inner.middleware(tagging("inner"))
    inner.exception_handler(KeyError)(lambda request, error: (410, "gone"))

    @inner.get("/about/{id}")
    def about(id: int, request: Request, settings: State[Settings]) -> dict[str, Any]:
        return {
            "paths": [request.path, request.root_path, request.local_path.decode()],
            "link": request.url_for("about", id=id + 1),
            "state": settings.name,
        }

    @inner.post("/")
    async def save(request: Request) -> str:
        return await request.text()

    @inner.get("/fail")
    def fail() -> None:
        raise KeyError

    return inner


def mounting() -> App:
    """An app with that one at ``/in``."""
    app = App(state=[Settings("outer")])
    app.middleware(tagging("outer"))
    app.get("/in/first")(lambda: "outer")
    app.mount("/in", inner_app(), name="inner")
    return app


@pytest.mark.parametrize(
    ("request_line", "status", "layers"),
    [
        ("GET /in/about/7", 200, ["inner200", "outer200"]),
        ("GET /in/first", 200, ["outer200"]),
        ("GET /in/fail", 410, ["inner410", "outer410"]),
        ("GET /in/nothing", 404, ["inner404", "outer404"]),
        ("PUT /in", 405, ["inner405", "outer405"]),
        ("GET /inner", 404, ["outer404"]),
        ("POST /in/", 200, ["inner200", "outer200"]),
        ("POST /in", 200, ["inner200", "outer200"]),
    ],
)
def test_mounted_apps(request_line: str, status: int, layers: list[str]) -> None:
    """Everything below the path is theirs, misses and errors included."""
    response = ask(mounting(), *request_line.split())
    assert (response.status, response.headers.get_all("x-layers")) == (status, layers)


def test_a_mounted_app_has_its_own_settings() -> None:
    """State, body limit and links are those of the app that answers."""
    response = ask(mounting(), "GET", "/in/about/7")
    assert response.body == (
        b'{"link":"http://localhost/in/about/8",'
        b'"paths":["/in/about/7","/in","/about/7"],"state":"inner"}'
    )
    assert ask(mounting(), "POST", "/in", body=b"1234").status == 413
    assert error_of(ask(mounting(), "GET", "/in/no"))[1] == "no route matched path: /in/no"


def test_the_app_around_a_mount_sees_its_own_request_again() -> None:
    """A layer that makes a link behind ``call_next`` makes one of its own app."""
    app = mounting()

    @app.middleware
    async def link(request: Request, call_next: Next) -> Response:
        response = await call_next(request)
        response.headers["x-link"] = request.url_for("inner:about", id=1)
        return response

    response = ask(app, "GET", "/in/about/7", headers={"host": "example.com"})
    assert response.headers["x-link"] == "http://example.com/in/about/1"


def test_mounted_endpoints() -> None:
    """A function answers every method, and the longest path wins."""
    app = App()

    async def endpoint(request: Request) -> Any:
        return f"{request.method} {request.local_path.decode()}"

    app.mount("/files", endpoint, name="files")
    app.mount("/files/deep", App())
    assert body_of(ask(app, "PUT", "/files/a%20b")) == b"PUT /a%20b"
    assert body_of(ask(app, "GET", "/files")) == b"GET /"
    assert ask(app, "GET", "/files/deep/x").status == 404
    assert app.url_path_for("files", path="/a b/c.css") == "/files/a%20b/c.css"


def test_stores_of_a_mounted_app_are_declared_with_those_of_the_app() -> None:
    """A component is granted what either of them uses, the network too."""
    app = App(kv=["a", "b"])
    app.mount("/in", App(kv=StoreIds.of(["c", "a"], "a"), secrets=["s"], outbound_http=True))
    app.compile()
    assert app.declaration.kv == StoreIds(("a", "b", "c"), "a")
    assert app.declaration.secrets == StoreIds(("s",), "s")
    assert app.outbound_http


def named() -> App:
    """An app with several routes of one name."""
    app = App()

    @app.get("/notes")
    @app.get("/notes/{id}")
    @app.get("/files/{*path}", name="file")
    @app.get("/img-{id}.png", name="image")
    def notes(id: str = "", path: str = "") -> str:
        return "x"

    return app


@pytest.mark.parametrize(
    ("name", "values", "path"),
    [
        ("notes", {}, "/notes"),
        ("notes", {"id": 7}, "/notes/7"),
        ("notes", {"id": "a/b ü?%"}, "/notes/a%2Fb%20%C3%BC%3F%25"),
        ("file", {"path": "a b/c.css"}, "/files/a%20b/c.css"),
        ("image", {"id": ".."}, "/img-...png"),
    ],
)
def test_url_for(name: str, values: dict[str, Any], path: str) -> None:
    """The path that is made is the one that the route takes, with the same value."""
    app = named()
    assert app.url_path_for(name, **values) == path
    route, raw = app._table.find("GET", path.encode()) or (None, ())
    request = Request.of("GET", path)
    request.route, request._captured = route, raw
    assert request.path_params == {key: str(value) for key, value in values.items()}


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("note", {}, "no route is called 'note' with no parameters; there are: file(path), "),
        ("notes", {"ID": 1}, "no route is called 'notes' with ID"),
        ("notes", {"id": ""}, "'' cannot be the id of /notes/{id}"),
        ("notes", {"id": ".."}, "'..' cannot be the id"),
        ("file", {"path": "a/../b"}, "cannot be the path"),
    ],
)
def test_links_that_cannot_be_made(name: str, values: dict[str, Any], message: str) -> None:
    """A client would resolve ``..`` before it asks, so no such link is made."""
    with pytest.raises(ValueError, match=r"cannot|no route") as caught:
        named().url_path_for(name, **values)
    assert message in str(caught.value)
