"""What annotations bring into a handler: bodies, queries, forms, hosts, stores, state."""

import dataclasses
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import attrs
import pytest
from attrs.validators import ge, in_, instance_of, le, max_len, min_len

from edgezero_spin.core import (
    App,
    Config,
    Form,
    ForwardedHost,
    Headers,
    Json,
    Kv,
    PathParams,
    Query,
    Request,
    RequestHost,
    Secrets,
    State,
)
from edgezero_spin.stores import MemoryPlatform, Stores, open_on_platform
from tests.core.asking import ask, error_of, finish, json_of


@attrs.frozen
class Item:
    name: str = attrs.field(validator=min_len(1))
    size: int = 0


@attrs.frozen
class Paging:
    page: int | None = attrs.field(
        default=None, validator=attrs.validators.optional([ge(1), le(100)])
    )
    q: str | None = None


@attrs.frozen
class Login:
    username: str = attrs.field(validator=[min_len(3)])
    age: int | None = None


@attrs.frozen
class ShortId:
    id: str = attrs.field(validator=[min_len(1), max_len(10)])


app = App(
    kv=["sessions", "cache"], config=["app_config"], secrets=["default"], state=[Item("shared")]
)


@app.post("/json")
async def take_json(item: Json[Item]) -> Item:
    """Echo a body."""
    return item


@app.post("/json/maybe")
async def take_json_or_nothing(item: Json[Item] | None) -> str:
    """Echo a body that may be missing."""
    return repr(item)


@app.post("/json/list")
async def take_list(items: Json[list[Item]], kind: Query[Paging]) -> str:
    """A body and a query at once."""
    return f"{len(items)} {kind.page}"


@app.get("/query")
def take_query(query: Query[Paging]) -> dict[str, object]:
    """Echo a query."""
    return {"page": query.page, "q": query.q}


@app.post("/form")
async def take_form(form: Form[Login]) -> dict[str, object]:
    """Echo a form."""
    return {"username": form.username, "age": form.age}


@app.get("/path/{id}")
def take_path(path: PathParams[ShortId]) -> str:
    """Echo a path parameter."""
    return path.id


@app.get("/hosts")
def take_hosts(host: RequestHost, forwarded: ForwardedHost) -> str:
    """Echo host names."""
    return f"{host} {forwarded}"


def post(target: str, body: bytes, **kwargs: Any) -> Any:
    """Status, and JSON or message."""
    response = ask(app, "POST", target, body=body, **kwargs)
    return (200, json_of(response)) if response.status == 200 else error_of(response)


# JSON


def test_json() -> None:
    """A body becomes the model, whatever its content type says."""
    # TV-31, EXT-1
    headers = {"content-type": "text/plain"}
    expected = (200, {"name": "demo", "size": 0})
    assert post("/json", b'{"name":"demo"}', headers=headers) == expected
    assert post("/json", b' {"name":"demo","size":0,"x":1}\n') == expected


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"",
        b'{"name":5}',
        b'{"name":"a","size":"1"}',
        b'{"name":"a","size":1.5}',
        b'{"name":"a","size":NaN}',
        b'{"name":"a"} x',
        b'\xef\xbb\xbf{"name":"a"}',
        b'{"name":"\xff"}',
        b"{}",
        b"[]",
        b"null",
        b"[" * 200 + b"]" * 200,
    ],
)
def test_json_that_does_not_parse(body: bytes) -> None:
    """What is not strict JSON of the model is a 400 with the contract's words."""
    # TV-31, EXT-1
    status, message = post("/json", body)
    assert status == 400
    assert message.startswith("invalid JSON payload")


def test_json_that_breaks_a_rule() -> None:
    """A body that parses and breaks a validator is a 422 with the validator's text."""
    # TV-31, EXT-8
    assert post("/json", b'{"name":""}') == (422, "Length of 'name' must be >= 1: 0")
    nested = (422, "Length of 'name' must be >= 1: 0 @ $[1]")
    assert post("/json/list", b'[{"name":"a"},{"name":""}]') == nested
    assert post("/json/list", b'[{"name":1},{"name":""}]')[0] == 400


def test_json_place_of_a_misfit() -> None:
    """The message names every place that does not fit."""
    message = post("/json/list", b'[{"name":"a"},{"name":1,"size":"x"}]')[1]
    assert "$[1].name" in message
    assert "$[1].size" in message


def test_an_optional_body() -> None:
    """An empty body is ``None`` where the annotation allows it, and a broken one still fails."""
    assert ask(app, "POST", "/json/maybe").body == b"None"
    assert ask(app, "POST", "/json/maybe", body=b'{"name":"a"}').status == 200
    assert ask(app, "POST", "/json/maybe", body=b"{").status == 400


def test_a_default_body() -> None:
    """An empty body is the default of the parameter."""
    other = App()

    @other.post("/")
    async def handler(item: Json[Item] = Item("default")) -> Item:  # frozen
        return item

    assert json_of(ask(other, "POST", "/"))["name"] == "default"
    assert json_of(ask(other, "POST", "/", body=b'{"name":"x"}'))["name"] == "x"


def test_body_and_query_together() -> None:
    """Extractors that wait and extractors that do not mix."""
    assert ask(app, "POST", "/json/list?page=3", body=b'[{"name":"a"}]').body == b"1 3"


# Query strings


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # TV-32, TV-34
        ("?page=5&q=hello", {"page": 5, "q": "hello"}),
        ("?page=1", {"page": 1, "q": None}),
        ("", {"page": None, "q": None}),
        ("?", {"page": None, "q": None}),
        ("?q=a+b%20c", {"page": None, "q": "a b c"}),
        ("?q=%ff", {"page": None, "q": "\ufffd"}),
        ("?q=&unknown=1&unknown=2", {"page": None, "q": ""}),
        ("?page=50", {"page": 50, "q": None}),  # TV-33
    ],
)
def test_query(query: str, expected: dict[str, object]) -> None:
    """A query string becomes the model."""
    # EXT-2
    assert json_of(ask(app, "GET", f"/query{query}")) == expected


@pytest.mark.parametrize("query", ["page=1&page=2", "page=", "page=x", "page=1.5", "q=a&q=b"])
def test_a_query_that_does_not_parse(query: str) -> None:
    """Repeats and text that is not a number are a 400."""
    # TV-34, EXT-2
    status, message = error_of(ask(app, "GET", f"/query?{query}"))
    assert status == 400
    assert message.startswith(f"invalid query string: {query[: query.index('=')]}: ")


def test_a_query_that_breaks_a_rule() -> None:
    """A number out of the model's range is a 422."""
    # TV-33
    assert error_of(ask(app, "GET", "/query?page=200")) == (422, "'page' must be <= 100: 200")


# Forms and paths


def test_form() -> None:
    """A urlencoded body becomes the model, whatever its content type says."""
    # TV-35, EXT-4
    assert post("/form", b"username=alice&age=30") == (200, {"username": "alice", "age": 30})
    assert post("/form", b"username=bob") == (200, {"username": "bob", "age": None})


@pytest.mark.parametrize(
    ("body", "status", "opening"),
    [
        (b"", 400, "invalid form payload: username: missing"),
        pytest.param(
            b'--x\r\nContent-Disposition: form-data; name="username"\r\n\r\nbob\r\n--x--\r\n',
            400,
            "invalid form payload: sent in parts; its content-type has to be multipart/form-data",
            id="multipart",
        ),
        (b"username=a&username=b", 400, "invalid form payload: username: "),
        (b"username=alice&age=x", 400, "invalid form payload: age: "),
        (b"username=ab", 422, "Length of 'username' must be >= 3: 2"),  # TV-33
    ],
)
def test_a_form_that_fails(body: bytes, status: int, opening: str) -> None:
    """A form fails as a query does, in its own words."""
    # EXT-4, EXT-8
    assert post("/form", body)[0] == status
    assert post("/form", body)[1].startswith(opening)


def test_path_model() -> None:
    """A path parameter obeys the rules of its model."""
    # TV-33
    assert ask(app, "GET", "/path/abc123").body == b"abc123"
    assert ask(app, "GET", "/path/this-id-is-way-too-long").status == 422


# Models of other kinds


@dataclasses.dataclass
class Filter:
    tags: list[str]
    depth: int = 1
    _hidden: str = "h"


class Point(NamedTuple):
    x: float
    y: float = 0.0


@attrs.define
class Private:
    _token: str
    state: str = attrs.field(default="new", validator=[instance_of(str), in_(["new", "old"])])
    labels: list[int] = attrs.field(factory=list)


@pytest.mark.parametrize(
    ("model", "query", "expected"),
    [
        (Filter, "tags=a&tags=b&depth=2", "Filter(tags=['a', 'b'], depth=2, _hidden='h')"),
        (Filter, "", "Filter(tags=[], depth=1, _hidden='h')"),
        (Point, "x=1.5", "Point(x=1.5, y=0.0)"),
        (Private, "token=t&labels=1&labels=2", "Private(_token='t', state='new', labels=[1, 2])"),
        (Private, "token=t", "Private(_token='t', state='new', labels=[])"),
        (dict[str, str], "a=1&a=2&b=3", "{'a': '2', 'b': '3'}"),
    ],
)
def test_flat_models(model: Any, query: str, expected: str) -> None:
    """Dataclasses, tuples, private fields, lists and plain dictionaries are models too."""
    assert repr(Request.of("GET", f"/?{query}").query(model)) == expected


def test_a_rule_speaks_first() -> None:
    """Of a validator's error only its sentence is told, not its evidence."""
    status, message = _refused(lambda: Request.of("GET", "/?token=t&state=x").query(Private))
    assert status == 422
    assert message.startswith("'state' must be in ['new', 'old']")


def _refused(call: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(Exception) as caught:  # its status is looked at
        call()
    return caught.value.status, caught.value.message  # type: ignore[attr-defined]


def test_models_without_a_handler() -> None:
    """The request itself offers query, form and JSON as models."""
    # CTX-1
    request = Request.of("POST", "/?page=2", body=b"username=alice")
    assert request.query(Paging).page == 2
    assert request.query_pairs() == [("page", "2")]
    assert finish(request.form(Login)).username == "alice"
    assert finish(request.form()) == {"username": "alice"}
    assert finish(Request.of("POST", "/", body=b'{"name":"a"}').json(Item)) == Item("a")
    assert finish(Request.of("POST", "/", body=b"[1]").json()) == [1]


# Headers and hosts


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        # TV-36, EXT-6, EXT-7
        (
            {"host": "internal.local", "x-forwarded-host": "example.com"},
            b"internal.local example.com",
        ),
        ({"host": "internal.local"}, b"internal.local internal.local"),
        ({}, b"localhost localhost"),
        ({"host": b"\xc3\xa9"}, b"localhost localhost"),
        ({"host": "a", "x-forwarded-host": b"\xff"}, b"a localhost"),
    ],
)
def test_hosts(headers: dict[str, str | bytes], expected: bytes) -> None:
    """Host never reads the forwarded one, and an unreadable name is localhost."""
    assert ask(app, "GET", "/hosts", headers=headers).body == expected


def test_headers() -> None:
    """A handler is given every header, repeats included."""
    # EXT-5
    other = App()

    @other.get("/")
    def handler(headers: Headers) -> str:
        return ",".join(headers.get_all("x"))

    assert ask(other, "GET", "/", headers=[("x", "1"), ("X", "2")]).body == b"1,2"


# Stores and state


def stores() -> Stores:
    """The stores of ``app`` with an entry each."""
    platform = MemoryPlatform(
        kv={"sessions": {"test-key": b"kv-payload"}, "app_config": {"greeting": b"hello-spin"}},
        variables={"test_secret": "s3cr3t"},
    )
    return open_on_platform(app.declaration, platform, dict)


@app.get("/stores")
async def take_stores(kv: Kv, config: Config, secrets: Secrets) -> str:
    """Read one entry of each kind."""
    value = await kv["sessions"].get_bytes("test-key")
    greeting = await config.default.get("greeting")
    secret = await secrets.default.require_str("test_secret")
    return f"{value!r} {greeting} {secret} {kv.named('other')} {kv.default_id}"


@app.get("/context")
async def take_context(request: Request) -> str:
    """Read the same through the request."""
    kv, config, secrets = (
        request.kv_store("sessions"),
        request.config_store("app_config"),
        request.secret_store("default"),
    )
    found = [
        kv and await kv.get_bytes("test-key"),
        config and await config.get("greeting"),
        secrets and await secrets.require_str("test_secret"),
        request.kv_store("nothing"),
        request.kv_store_default is kv,
        request.config_store_default is config,
        (request.secret_store_default is None) is (secrets is None),
    ]
    return repr(found)


def test_stores() -> None:
    """Registries of the request bind by annotation."""
    # EXT-9 to EXT-11, EXT-14
    response = ask(app, "GET", "/stores", stores=stores())
    assert response.body == b"b'kv-payload' hello-spin s3cr3t None sessions"


def test_stores_of_the_request() -> None:
    """The request looks stores up by id, and absence is ``None`` and no failure."""
    # TV-46, CTX-2
    found = "[b'kv-payload', 'hello-spin', 's3cr3t', None, True, True, True]"
    absent = "[None, None, None, None, True, True, True]"
    assert ask(app, "GET", "/context", stores=stores()).body == found.encode()
    assert ask(app, "GET", "/context").body == absent.encode()


def take_kv(kv: Kv) -> None:
    """Wants key-value stores."""


def take_config(config: Config) -> None:
    """Wants config stores."""


def take_secrets(secrets: Secrets) -> None:
    """Wants secret stores."""


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        # TV-37, EXT-9 to EXT-11
        (take_kv, "the app declares no key-value store; write App(kv=[...])"),
        (take_config, "the app declares no config store; write App(config=[...])"),
        (take_secrets, "the app declares no secret store; write App(secrets=[...])"),
    ],
)
def test_a_kind_that_is_not_declared(handler: Callable[..., object], message: str) -> None:
    """A handler that wants a kind which the app lacks stops the app from being composed."""
    other = App()
    other.get("/")(handler)
    with pytest.raises(TypeError, match=re.escape(message)):
        other.compile()


def test_state() -> None:
    """State is given by type, the last registration of a type wins."""
    # RTE-14, EXT-12
    other = App(state=[Item("first"), 7])
    other.with_state(Item("second")).with_state(1.5, float)

    @other.get("/")
    def handler(item: State[Item], count: State[int], request: Request) -> str:
        return f"{item.name} {count} {request.state(float)}"

    assert ask(other, "GET", "/").body == b"second 7 1.5"


def test_state_that_was_never_given() -> None:
    """The answer names the type and how to give it; ``None`` and defaults are honoured."""
    # EXT-12
    other = App()

    @other.get("/optional")
    def optional(item: State[Item] | None, count: State[int] = 3) -> str:
        return f"{item} {count}"

    assert ask(other, "GET", "/optional").body == b"None 3"

    @other.get("/")
    def handler(item: State[Item]) -> None: ...

    with pytest.raises(TypeError, match=r"no state of type Item; write App\(state=\[...\]\)"):
        other.compile()
    other.with_state(Item("late")).compile()
