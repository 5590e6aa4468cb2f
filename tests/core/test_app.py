"""The application as a whole: declaring, compiling, handling."""

import asyncio
from collections.abc import Callable

import pytest

from edgezero_spin.core import App, NotFound, Request, RouteNotFound
from edgezero_spin.stores import (
    MemoryPlatform,
    StoreDeclaration,
    StoreIds,
    StoreOpenError,
    Stores,
    open_on_platform,
)
from tests.core.asking import ask, error_of, finish, json_of


def test_metadata() -> None:
    """Name and declared stores are known without a request; the first id is the default."""
    # APP-1, APP-3
    app = App(kv=["notes", "cache"], secrets=StoreIds.of(["a", "b"], "b"))
    assert app.name == "EdgeZero App"
    assert app.declaration == StoreDeclaration(
        kv=StoreIds(("notes", "cache"), "notes"), secrets=StoreIds(("a", "b"), "b")
    )
    assert App().declaration == StoreDeclaration()
    assert not app.outbound_http
    assert app.open_stores == "lazy"


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: App(kv=["a", "A"]), ValueError, "duplicate"),
        (lambda: App(config=["a b"]), ValueError, "portable"),
        (lambda: App(secrets="default"), TypeError, "'default'"),
        (lambda: App(open_stores="now"), ValueError, "'lazy' or 'eager'"),  # type: ignore[arg-type]
        (lambda: App(body_limit=-1), ValueError, "body_limit"),
        (lambda: App().get("notes"), ValueError, "must start with '/'"),
        (lambda: App().route("/", []), ValueError, "at least one method"),
        (lambda: App().route("/", "GET"), TypeError, "'GET'"),
        (lambda: App().get("/")(7), TypeError, "is not a function"),  # type: ignore[type-var]
        (lambda: App().middleware(7), TypeError, "is not a function"),  # type: ignore[type-var]
        (
            lambda: App().middleware("http"),  # type: ignore[type-var]
            TypeError,
            "write `@app.middleware` alone",
        ),
    ],
)
def test_mistakes_while_declaring(
    make: Callable[[], object], error: type[Exception], text: str
) -> None:
    """What is wrong in a declaration fails on its own line."""
    with pytest.raises(error, match=text):
        make()


def test_every_method_has_a_decorator() -> None:
    """Decorators and ``route`` take all methods, in any case, and give the function back."""
    # RTE-11, TV-21
    app = App()

    def handler(request: Request) -> str:
        return request.method

    for declare in (app.get, app.head, app.post, app.put, app.patch, app.delete, app.options):
        assert declare("/")(handler) is handler
    app.route("/", methods=["propfind", " trace "])(handler)
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "TRACE"):
        assert ask(app, method, "/").body == method.encode()
    assert ask(app, "HEAD", "/").status == 200


def test_misses() -> None:
    """404 for an unknown path, 405 with ``Allow`` for a method without route."""
    # RTE-7, RTE-8, TV-9 to TV-11, TV-21
    app = App()
    app.route("/submit", ["GET", "POST"])(lambda: "x")
    assert error_of(ask(app, "GET", "/missing")) == (404, "no route matched path: /missing")
    response = ask(app, "PUT", "/submit")
    assert error_of(response) == (405, "method PUT not allowed; allowed: GET, POST")
    assert response.headers["allow"] == "GET, HEAD, POST"
    assert ask(app, "OPTIONS", "/submit").status == 405


def test_dispatch_keeps_the_error() -> None:
    """The lower-level call raises what ``handle`` answers."""
    # RTE-12
    app = App()
    with pytest.raises(RouteNotFound):
        asyncio.run(dispatch(app, "/missing"))

    @app.get("/")
    def refuses() -> None:
        raise NotFound("x")

    with pytest.raises(NotFound):
        asyncio.run(dispatch(app, "/"))


async def dispatch(app: App, target: str) -> object:
    """Ask without the conversion of errors."""
    return await app.dispatch(Request.of("GET", target))


def test_conflicts_and_bad_signatures_fail_when_compiled() -> None:
    """An app that cannot serve says so before its first request."""
    # RTE-6, GEN-8, TV-13
    app = App()
    app.get("/x")(lambda: "1")
    app.get("/x")(lambda: "2")
    with pytest.raises(ValueError, match="duplicate route definition for /x"):
        app.compile()


def test_compiling_twice_is_once_until_something_changes() -> None:
    """``compile`` is idempotent, and a route or layer declared later is served."""
    app = App()
    app.get("/a")(lambda: "a")
    assert app.compile() is app.compile()
    app.get("/b")(lambda: "b")
    assert ask(app, "GET", "/b").body == b"b"

    @app.middleware
    async def mark(request, call_next):  # type: ignore[no-untyped-def]
        response = await call_next(request)
        response.headers["x"] = "1"
        return response

    assert ask(app, "GET", "/a").headers["x"] == "1"


def test_listing_routes() -> None:
    """The listing has every method and pattern, its own included."""
    # RTE-13, TV-22
    app = App()
    app.list_routes()
    app.route("/notes/{id}", ["GET", "PUT"])(lambda id: "x")
    assert json_of(ask(app, "GET", "/__edgezero/routes")) == [
        {"method": "GET", "path": "/__edgezero/routes"},
        {"method": "GET", "path": "/notes/{id}"},
        {"method": "PUT", "path": "/notes/{id}"},
    ]


@pytest.mark.parametrize("path", ["", "routes", "/taken"])
def test_a_listing_that_cannot_be_built(path: str) -> None:
    """An empty, relative or taken path fails the build."""
    # RTE-13, TV-22
    app = App()
    app.get("/taken")(lambda: "x")
    with pytest.raises(ValueError, match="route"):
        app.list_routes(path)
        app.compile()


def test_lazy_stores_are_opened_by_who_asks() -> None:
    """A function that opens stores is called once, and only for a handler that wants them."""
    # REG-5 to REG-9 as design.md amends them
    app = App(kv=["sessions"])
    opened = []

    def opening() -> Stores:
        opened.append(True)
        return open_on_platform(app.declaration, MemoryPlatform(kv={"sessions": {}}), dict)

    @app.get("/none")
    def none() -> str:
        return "x"

    @app.get("/some")
    async def some(request: Request) -> str:
        return f"{await request.kv['sessions'].exists('a')} {request.stores.kv is request.kv}"

    finish(app.handle(Request.of("GET", "/none"), opening))
    assert opened == []
    response = finish(app.handle(Request.of("GET", "/some"), opening))
    assert (response.body, opened) == (b"False True", [True])


@pytest.mark.parametrize("target", ["/", "/missing"])
def test_eager_stores_fail_every_request(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With eager stores one that cannot be opened is a JSON 500 on every path."""
    # REG-5, REG-8, SPN-7 as design.md amends it
    app = App(kv=["sessions"], open_stores="eager")
    app.get("/")(lambda: "x")
    stores = open_on_platform(app.declaration, MemoryPlatform(kv={}), dict)
    response = ask(app, "GET", target, stores=stores)
    assert response.status == 500
    assert "could not be opened" in error_of(response)[1]
    assert "Spin KV store 'sessions'" in capsys.readouterr().err
    with pytest.raises(StoreOpenError):
        asyncio.run(dispatch_with(app, stores))


async def dispatch_with(app: App, stores: Stores) -> object:
    """Ask with stores and without the conversion of errors."""
    return await app.dispatch(Request.of("GET", "/"), stores)


def test_eager_stores_that_open() -> None:
    """With eager stores that all open, a request is answered as ever."""
    app = App(kv=["sessions"], config=["app_config"], secrets=["default"], open_stores="eager")
    app.get("/")(lambda: "x")
    platform = MemoryPlatform(kv={"sessions": {}, "app_config": {}})
    stores = open_on_platform(app.declaration, platform, dict)
    assert ask(app, "GET", "/", stores=stores).body == b"x"


def test_requests_do_not_share_what_is_theirs() -> None:
    """Two requests in flight keep their own parameters."""
    app = App()

    @app.get("/{id}")
    async def handler(id: str, request: Request) -> str:
        await asyncio.sleep(0)
        return f"{id} {request.path_params['id']}"

    async def both() -> list[object]:
        answers = await asyncio.gather(*(app.handle(Request.of("GET", f"/{n}")) for n in range(5)))
        return [answer.body for answer in answers]

    assert asyncio.run(both()) == [b"%d %d" % (n, n) for n in range(5)]
