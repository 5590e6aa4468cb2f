"""Handler signatures: what is filled, in which order, and which are refused at build."""

import datetime
import enum
import functools
import uuid
from collections.abc import Callable
from typing import Annotated, Any, Literal, NewType, Optional

import attrs
import pytest

from edgezero_spin.core import (
    App,
    BadRequest,
    Cookie,
    Headers,
    Json,
    Kv,
    PathParams,
    Query,
    Request,
    State,
)
from edgezero_spin.stores import Alias, json_values
from tests.core.asking import ask, error_of

Color = enum.Enum("Color", {"RED": "red", "BLUE": "blue"})
NoteId = NewType("NoteId", int)
UUID = uuid.UUID("6f1c3f0e-8a39-4e5c-9c53-0f6a2f0f3c11")


def serving(path: str, handler: Callable[..., object]) -> App:
    """An app with one handler."""
    app = App()
    app.get(path)(handler)
    return app


def taking(annotation: Any) -> App:
    """An app that shows the path parameter ``x`` as the type makes it."""

    def handler(x: Any) -> str:
        return repr(x)

    handler.__annotations__["x"] = annotation
    return serving("/x/{x}", handler)


@pytest.mark.parametrize(
    ("annotation", "sent", "shown"),
    [
        # RTE-5 and EXT-3 as design.md amends them: decoded, then converted.
        (str, "world", "'world'"),
        (str, "a%20b%2Fc", "'a b/c'"),
        (str, "caf%C3%A9", "'café'"),
        (str, "%zz", "'%zz'"),
        (Any, "x", "'x'"),
        (int, "42", "42"),
        (int, "-7", "-7"),
        (int, "+7", "7"),
        (int, "%34%32", "42"),
        (int | None, "42", "42"),
        (Optional[int], "42", "42"),  # noqa: UP045  # both spellings are users' spellings
        (Annotated[int, "id"], "42", "42"),
        (NoteId, "42", "42"),
        (float, "1.5", "1.5"),
        (float, "-1e3", "-1000.0"),
        (float, "7", "7.0"),
        (bool, "true", "True"),
        (bool, "false", "False"),
        (uuid.UUID, str(UUID), repr(UUID)),
        (datetime.date, "2026-11-21", "datetime.date(2026, 11, 21)"),
        (Color, "blue", "<Color.BLUE: 'blue'>"),
        (Literal["a", 1], "1", "1"),
    ],
)
def test_path_parameters_are_converted(annotation: Any, sent: str, shown: str) -> None:
    """A path parameter becomes what its annotation says."""
    response = ask(taking(annotation), "GET", f"/x/{sent}")
    assert (response.status, response.body) == (200, shown.encode())


@pytest.mark.parametrize(
    ("annotation", "sent"),
    [
        # TV-15, OPQ-15
        (int, "not-a-number"),
        (int, "1.0"),
        (int, "1_0"),
        (int, "%201"),
        (int, "٣"),
        (int, "0x1"),
        (int, "-"),
        (int, "9" * 5000),
        (float, "x"),
        (float, "nan"),
        (float, "inf"),
        (float, "1e999"),
        (float, "1_0"),
        (float, "%201"),
        (bool, "True"),
        (bool, "1"),
        (uuid.UUID, "6f1c3f0e"),
        (uuid.UUID, "{6f1c3f0e8a394e5c9c530f6a2f0f3c11}xx"),
        (datetime.date, "yesterday"),
        (Color, "green"),
        (Literal["a", 1], "2"),
        (str, "%ff"),
        (int, "%ff"),
    ],
)
def test_a_path_that_does_not_convert(annotation: Any, sent: str) -> None:
    """A value that is none of the type is a 400 that names the parameter."""
    status, message = error_of(ask(taking(annotation), "GET", f"/x/{sent}"))
    assert status == 400
    assert message.startswith("invalid path parameters: x: ")


def test_parameters_in_any_place() -> None:
    """Path values bind by name, everything else by annotation, whatever the order."""
    app = App(state=[7.5])

    @app.get("/{a}/b-{b}/{*rest}")
    async def handler(
        rest: str, factor: State[float], request: Request, b: int, headers: Headers, *, a: str
    ) -> str:
        return f"{a} {b} {rest} {factor} {request.method} {headers['x']}"

    response = ask(app, "GET", "/A/b-2/c/d%20e", headers={"x": "y"})
    assert response.body == b"A 2 c/d e 7.5 GET y"


def test_unannotated_parameters() -> None:
    """A name in the path is text without annotation, and ``request`` is the request."""

    def handler(name, request):  # type: ignore[no-untyped-def]
        return f"{name} {request.method}"

    assert ask(serving("/{name}", handler), "GET", "/x").body == b"x GET"


class Handlers:
    """Handlers that are not plain functions."""

    def method(self, name: str) -> str:
        """A bound method."""
        return f"method {name}"

    async def __call__(self, name: str) -> str:
        """An async callable object."""
        return f"object {name}"


def logged(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that hides the signature and keeps it with ``wraps``."""

    @functools.wraps(handler)
    def call(*args: Any, **kwargs: Any) -> Any:
        return handler(*args, **kwargs)

    return call


async def greet(greeting: str, name: str) -> str:
    """A handler with two parameters."""
    return f"{greeting} {name}"


@logged
async def decorated(name: str) -> str:
    """An async handler behind a plain wrapper."""
    return f"decorated {name}"


@pytest.mark.parametrize(
    ("handler", "body"),
    [
        (Handlers().method, b"method x"),
        (Handlers(), b"object x"),
        (functools.partial(greet, "hi"), b"hi x"),
        (decorated, b"decorated x"),
    ],
)
def test_callables_of_other_kinds(handler: Callable[..., object], body: bytes) -> None:
    """Methods, objects, partials and wrapped functions are handlers too."""
    assert ask(serving("/{name}", handler), "GET", "/x").body == body


def test_one_handler_on_several_paths() -> None:
    """A parameter that only some of a handler's paths have takes its default on the others."""
    app = App()

    @app.get("/notes")
    @app.get("/notes/{id}")
    @app.get("/notes/{id}/{part}")
    async def notes(request: Request, id: int | None = None, part: str = "all") -> str:
        return f"{request.path} {id} {part}"

    assert ask(app, "GET", "/notes").body == b"/notes None all"
    assert ask(app, "GET", "/notes/7").body == b"/notes/7 7 all"
    assert ask(app, "GET", "/notes/7/a").body == b"/notes/7/a 7 a"


def test_the_first_failure_is_the_answer() -> None:
    """Parameters are filled from left to right, and the first that fails decides."""

    # HND-1
    async def query_first(query: Query[dict[str, int]], n: int) -> None: ...

    def first(n: int, body: Json[int]) -> None: ...

    def last(body: Json[int], n: int) -> None: ...

    assert "path parameters" in error_of(ask(serving("/{n}", first), "GET", "/x"))[1]
    assert "JSON payload" in error_of(ask(serving("/{n}", last), "GET", "/x"))[1]


def var_positional(*args: str) -> None:
    """Takes anything."""


def var_keyword(**kwargs: str) -> None:
    """Takes anything by name."""


def plain(page: complex = 1j) -> None:
    """Wants a number that no text becomes."""


def unknown(db: list[dict[str, str]]) -> None:
    """Wants something that no request holds."""


@attrs.frozen
class Item:
    """A model."""

    name: str


def slip(note_id: str) -> None:
    """Means the parameter of the path."""


def model(note: Item) -> None:
    """Does not say where the model comes from."""


def twice(a: int, b: Annotated[int, Alias("a")]) -> None:
    """Wants one field under two names."""


def cookies(session: Cookie[dict[str, str]]) -> None:
    """Wants more than a cookie holds."""


def bare(thing) -> None:  # type: ignore[no-untyped-def]
    """Says nothing of what it wants."""


def forward(x: "Missing") -> None:  # type: ignore[name-defined]  # noqa: F821
    """Names a class that does not exist."""


def bad_path(id: list[str]) -> None:
    """Wants a list out of one segment."""


def bad_query(query: Query[bytes]) -> None:
    """Wants a model that is none."""


def bad_json(note: Json[bytes]) -> None:
    """Wants what JSON cannot hold."""


@pytest.mark.parametrize(
    ("path", "handler", "parts"),
    [
        ("/", var_positional, ["*args"]),
        ("/", var_keyword, ["**kwargs"]),
        ("/", plain, ["cannot inject `page: complex`", "Query[...]", "Header[...]"]),
        ("/", unknown, ["cannot inject `db: list[dict[str, str]]`", "this route has none"]),
        ("/{id}", slip, ["no parameter takes {id} of the path", "'note_id'"]),
        ("/", model, ["cannot inject `note: Item`; for the body write Json[Item]"]),
        ("/", twice, ["'b'", "the query field 'a'"]),
        ("/", cookies, ["'session'", "text of a cookie cannot become dict[str, str]"]),
        ("/{id}", bare, ["`thing`", "no annotation", "(id)"]),
        ("/", forward, ["Missing"]),
        ("/{id}", bad_path, ["cannot inject `id: list[str]`", "text of the path"]),
        ("/", bad_query, ["'query'", "bytes"]),
        ("/", bad_json, ["'note'", "bytes"]),
    ],
)
def test_signatures_that_cannot_be_served(
    path: str, handler: Callable[..., object], parts: list[str]
) -> None:
    """A bad signature fails when the app is built, naming handler and parameter."""
    # GEN-8
    with pytest.raises(TypeError) as caught:
        serving(path, handler).compile()
    message = str(caught.value)
    assert f"tests.core.test_binding.{handler.__name__}" in message
    for part in parts:
        assert part in message


def test_stores_on_demand() -> None:
    """A handler that can do without stores is given ``None`` where none are declared."""

    # CTX-2
    def handler(kv: Kv | None) -> str:
        return repr(kv)

    assert ask(serving("/", handler), "GET", "/").body == b"None"


def test_a_handlers_own_value_error_is_not_the_clients() -> None:
    """Only conversion makes a 400; a ValueError inside the handler is a 500."""

    def handler(n: int) -> None:
        raise ValueError(n)

    assert ask(serving("/{n}", handler), "GET", "/1").status == 500


def test_all_path_parameters_at_once() -> None:
    """``request.path_params`` has each value decoded, and fails as binding does."""

    def handler(request: Request) -> str:
        return " ".join(f"{k}={v}" for k, v in request.path_params.items())

    app = serving("/{a}/{*b}", handler)
    assert ask(app, "GET", "/1%202/3/4").body == b"a=1 2 b=3/4"
    assert error_of(ask(app, "GET", "/%ff/x")) == (400, "invalid path parameters: a: not UTF-8")
    request = Request.of("GET", "/")
    assert request.path_params == {}
    with pytest.raises(BadRequest, match="invalid path parameters: n: missing"):
        request.path_as(_Numbered)


class _Numbered:
    def __init__(self, n: int) -> None:
        self.n = n


def test_a_model_of_the_path() -> None:
    """``PathParams[T]`` gathers the parameters in one object, any class with a typed init."""

    def handler(path: PathParams[_Numbered]) -> str:
        return str(path.n + 1)

    app = serving("/{n}/{other}", handler)
    assert ask(app, "GET", "/41/x").body == b"42"
    # TV-15
    status, message = error_of(ask(app, "GET", "/not-a-number/x"))
    assert (status, "invalid path parameters" in message) == (400, True)


def test_how_answers_are_written_is_chosen_when_binding() -> None:
    """Models in a return annotation cost the first request nothing."""
    # APP-6: a component does it while it is built.

    @attrs.frozen
    class Inner:
        n: int

    @attrs.frozen
    class Outer:
        inner: Inner | None

    def handler() -> tuple[int, list[Outer]]:
        return 200, [Outer(Inner(1))]

    app = serving("/", handler)
    app.compile()
    assert {Inner, Outer} <= json_values._WRITERS.keys()
    assert ask(app, "GET", "/").body == b'[{"inner":{"n":1}}]'
