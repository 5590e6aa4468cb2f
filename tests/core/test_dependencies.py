"""Dependencies: filled like handlers, called once, cleaned up behind."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import attrs
import pytest

from edgezero_spin.core import (
    App,
    Depends,
    Header,
    HttpError,
    Json,
    NotFound,
    Outbound,
    Request,
    Router,
)
from edgezero_spin.stores import Ge
from tests.core.asking import ask, body_of, error_of


def serving(handler: Callable[..., object], path: str = "/") -> App:
    """An app with one route."""
    app = App()
    app.get(path)(handler)
    return app


def test_a_dependency_is_called_once_per_request() -> None:
    """However many ask for it, directly or through others, and again for the next request."""
    calls: list[str] = []

    def base(request: Request, page: int = 1) -> str:
        calls.append(request.path)
        return f"base {page}"

    async def left(base: Annotated[str, Depends(base)]) -> str:
        return f"left of {base}"

    def handler(
        one: Annotated[str, Depends(base)], two: Annotated[str, Depends(left)], page: int = 0
    ) -> str:
        return f"{one}; {two}; {page}"

    app = serving(handler, "/{id}")
    assert ask(app, "GET", "/a?page=7").body == b"base 7; left of base 7; 7"
    assert ask(app, "GET", "/b").body == b"base 1; left of base 1; 0"
    assert calls == ["/a", "/b"]


def test_the_default_form_and_classes() -> None:
    """`= Depends(...)` works as in FastAPI, and a class is a function as well."""

    @attrs.frozen
    class Paging:
        page: Annotated[int, Ge(1)] = 1
        size: int = 10

    def handler(paging: Paging = Depends(Paging)) -> str:  # type: ignore[assignment]  # noqa: B008
        return f"{paging.page} {paging.size}"

    def annotated(paging: Annotated[Paging, Depends()]) -> str:
        return f"{paging.page} {paging.size}"

    def by_default(paging: Paging = Depends()) -> str:  # type: ignore[assignment]  # noqa: B008
        return f"{paging.page} {paging.size}"

    for other in (annotated, by_default):
        assert ask(serving(other), "GET", "/?page=3").body == b"3 10"
    assert ask(serving(handler), "GET", "/?page=3").body == b"3 10"
    assert error_of(ask(serving(handler), "GET", "/?page=0"))[0] == 422


def test_what_a_dependency_raises_is_the_answer() -> None:
    """The handler is not called."""

    def user(token: Header[str | None]) -> str:
        raise HttpError(401, "who?")

    def handler(user: Annotated[str, Depends(user)]) -> str:
        raise AssertionError

    assert error_of(ask(serving(handler), "GET", "/")) == (401, "who?")


@pytest.mark.parametrize("fails", [False, True])
def test_clean_up_in_reverse_order(fails: bool) -> None:
    """Generators of both kinds clean up behind the handler, and see what it raised."""
    told: list[str] = []

    def outer() -> Iterator[str]:
        try:
            yield "outer"
        except NotFound:
            told.append("outer saw it")
            raise
        finally:
            told.append("outer")

    async def inner(outer: Annotated[str, Depends(outer)]) -> AsyncIterator[str]:
        try:
            yield f"inner of {outer}"
        finally:
            told.append("inner")

    def handler(inner: Annotated[str, Depends(inner)]) -> str:
        told.append("handler")
        if fails:
            raise NotFound(inner)
        return inner

    response = ask(serving(handler), "GET", "/")
    if fails:
        assert error_of(response) == (404, "not found: inner of outer")
        assert told == ["handler", "inner", "outer saw it", "outer"]
    else:
        assert response.body == b"inner of outer"
        assert told == ["handler", "inner", "outer"]


def test_an_error_that_is_swallowed(capsys: pytest.CaptureFixture[str]) -> None:
    """There is no answer to give then, and the log says what to write."""

    def quiet() -> Iterator[int]:
        with contextlib.suppress(NotFound):
            yield 1

    def handler(n: Annotated[int, Depends(quiet)]) -> None:
        raise NotFound

    assert ask(serving(handler), "GET", "/").status == 500
    assert "caught the error and went on; write `raise`" in capsys.readouterr().err


def test_a_dependency_on_itself() -> None:
    """It is refused when the app is composed."""

    def again(x: Any) -> int:
        return 1

    again.__annotations__["x"] = Annotated[int, Depends(again)]
    with pytest.raises(TypeError, match="depends on itself"):
        serving(again).compile()


@pytest.mark.parametrize(
    ("dependency", "message"),
    [
        (7, "Depends takes a function, got 7"),
        (lambda x: x, "cannot inject `x`: it has no annotation"),
    ],
)
def test_dependencies_that_cannot_be_served(dependency: Any, message: str) -> None:
    """They name the handler, the parameter and what to write."""

    def handler(thing: Any) -> None: ...

    handler.__annotations__["thing"] = Annotated[int, Depends(dependency)]
    with pytest.raises(TypeError, match="parameter 'thing'") as raised:
        serving(handler).compile()
    assert message in str(raised.value)


def test_a_dependency_that_sends_requests() -> None:
    """The component is granted the network for it."""

    def upstream(outbound: Outbound) -> str:
        return "x"

    def handler(upstream: Annotated[str, Depends(upstream)]) -> None: ...

    app = serving(handler)
    app.compile()
    assert app.outbound_http


def test_dependencies_of_groups_are_called_first() -> None:
    """Those of the app before those of routers and routes, each once, and before any field."""
    called: list[str] = []

    def named(name: str) -> Depends:
        def dependency() -> Iterator[None]:
            called.append(name)
            yield
            called.append(f"{name} ends")

        return Depends(dependency)

    shared = named("shared")
    inner = Router("/inner", dependencies=[named("inner"), shared])
    outer = Router("/outer", dependencies=[named("outer")])
    app = App(dependencies=[named("app")])

    @inner.get("/{n}", dependencies=[named("route"), shared])
    def handler(n: int, page: int = 0) -> int:
        called.append("handler")
        return n + page

    outer.include(inner, dependencies=[named("inclusion")])
    app.include(outer)
    assert ask(app, "GET", "/outer/inner/3?page=4").body == b"7"
    order = ["app", "outer", "inclusion", "inner", "shared", "route"]
    assert called == [*order, "handler", *(f"{name} ends" for name in reversed(order))]
    called.clear()
    assert ask(app, "GET", "/outer/inner/3?page=x").status == 400
    assert called == order


def test_a_dependency_of_a_group_refuses_before_anything_is_read() -> None:
    """Whoever may not come in learns nothing of the query, and the body stays unread."""

    async def no_entry(key: Header[str] = "") -> None:
        raise HttpError(401, "no entry")

    app = App()
    router = Router(dependencies=[Depends(no_entry)])

    @router.post("/")
    def handler(n: int, body: Json[dict[str, int]]) -> None:
        raise AssertionError(n, body)

    app.include(router)
    assert ask(app, "POST", "/?n=x", body=b"{").status == 401


@pytest.mark.parametrize(
    ("dependencies", "message"),
    [
        (len, "dependencies is a sequence"),
        (Depends(len), "dependencies is a sequence"),
        ([len], "dependencies are Depends(function), got <built-in function len>"),
        ([Depends()], "dependencies are Depends(function), got Depends(call=None)"),
    ],
)
def test_what_is_no_list_of_dependencies(dependencies: Any, message: str) -> None:
    """It is refused where it is written, with what to write."""
    for declare in (
        lambda: App(dependencies=dependencies),
        lambda: Router(dependencies=dependencies),
        lambda: App().get("/", dependencies=dependencies),
        lambda: App().include(Router(), dependencies=dependencies),
    ):
        with pytest.raises(TypeError) as raised:
            declare()
        assert message in str(raised.value)


def test_a_dependency_of_a_route_that_cannot_be_served() -> None:
    """The message names the handler and the dependency."""

    def dependency(thing: object) -> None: ...

    app = App()

    @app.get("/", dependencies=[Depends(dependency)])
    def handler() -> None: ...

    with pytest.raises(TypeError, match=r"handler .*handler: dependencies of its route: depend"):
        app.compile()


def test_a_dependency_of_a_route_that_sends_requests() -> None:
    """The component is granted the network for it."""

    def upstream(outbound: Outbound) -> None: ...

    app = App(dependencies=[Depends(upstream)])
    app.get("/")(lambda: None)
    app.compile()
    assert app.outbound_http


def test_a_dependency_can_be_overridden() -> None:
    """A test puts another function in its place, before requests and between them."""

    def stored(key: Header[str]) -> str:
        return key

    def user(name: Annotated[str, Depends(stored)]) -> str:
        return f"user {name}"

    app = App()
    router = Router(dependencies=[Depends(stored)])

    @router.get("/")
    def show(name: Annotated[str, Depends(user)]) -> str:
        return name

    app.include(router)
    assert ask(app, "GET", "/").status == 400
    # That of another dependency and of a router as well; it has parameters of its own.
    app.dependency_overrides[stored] = lambda request: request.method.lower()
    assert body_of(ask(app, "GET", "/")) == b"user get"
    app.dependency_overrides[user] = lambda: "ann"
    assert body_of(ask(app, "GET", "/")) == b"ann"
    app.dependency_overrides = {}
    assert ask(app, "GET", "/").status == 400


def test_what_overrides_a_dependency_is_checked() -> None:
    """Like the dependency itself, with its name."""

    def user() -> str:
        return "ann"

    def other(what: object) -> str:
        return "bob"

    app = serving(lambda name=Depends(user): name)  # noqa: B008  # as FastAPI has it, too
    app.dependency_overrides[user] = other
    with pytest.raises(TypeError, match=r"dependency .*other: cannot inject `what: object`"):
        app.compile()
