"""Dependencies: filled like handlers, called once, cleaned up behind."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import attrs
import pytest

from edgezero_spin.core import App, Depends, Header, HttpError, NotFound, Outbound, Request
from edgezero_spin.stores import Ge
from tests.core.asking import ask, error_of


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
