"""Cookies of a test client: kept from answers, sent again as a browser would."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from edgezero_spin import App, Request, Response
from edgezero_spin.testing import Cookies, TestClient

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)

app = App()


@app.get("/cookies")
@app.get("/shop/cookies")
def sent(request: Request) -> dict[str, str]:
    """The cookies that came."""
    return dict(request.cookies)


@app.post("/set")
@app.post("/shop/set")
async def set_cookie(request: Request) -> Response:
    """Set what the body says."""
    response = Response(status=204)
    for field in (await request.text()).splitlines():
        response.headers.add("set-cookie", field)
    return response


@pytest.fixture
def client() -> TestClient:
    """A client without cookies, at noon of a day that has not come."""
    return TestClient(app, now=NOON)


def cookies_at(client: TestClient, target: str = "/cookies") -> dict[str, str]:
    """Return the cookies that a request carries."""
    found: dict[str, str] = client.get(target).json()
    return found


@pytest.mark.parametrize(
    "value", ["plain", "a;b", 'say "hi"', "back\\slash", "a b", "", "ünïcode".encode().hex()]
)
def test_a_value_comes_back_as_it_was(client: TestClient, value: str) -> None:
    """What the app sets is what it reads, quotes and escapes included."""
    response = Response()
    response.set_cookie("c", value)
    client.post("/set", content=response.headers["set-cookie"])
    assert cookies_at(client) == {"c": value}
    assert client.cookies == {"c": value}


@pytest.mark.parametrize(
    ("field", "target", "carried"),
    [
        ("c=1", "/cookies", False),  # of the folder of the request, /shop
        ("c=1", "/shop/cookies", True),
        ("c=1; Path=/", "/cookies", True),
        ("c=1; Path=/sho", "/shop/cookies", False),
        ("c=1; Path=/shop/", "/shop/cookies", True),
        ("c=1; Path=/; Secure", "/cookies", True),
        ("c=1; Path=/; Secure", "http://shop.example/cookies", False),
        ("c=1; Path=/; Domain=other.example", "/cookies", False),
        ("c=1; Path=/; Max-Age=60", "/cookies", True),
        ("c=1; Path=/; Max-Age=0", "/cookies", False),
        ("c=1; Path=/; Max-Age=-5", "/cookies", False),
        ("c=1; Path=/; Expires=Tue, 01 Jan 2030 12:00:01 GMT", "/cookies", True),
        ("c=1; Path=/; Expires=Tue, 01 Jan 2030 11:59:59 GMT", "/cookies", False),
        ("c=1; Path=/; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "/cookies", True),
        ("c=1; Path=/; Max-Age=soon", "/cookies", True),
        ("c=1; Path=/; Max-Age=" + "9" * 400, "/cookies", True),
        ("c=1; Path=/; Max-Age=" + "9" * 5000, "/cookies", True),
        ("c=1; Path=/; Max-Age=-" + "9" * 400, "/cookies", False),
        ("=1; Path=/", "/cookies", False),
        ("c; Path=/", "/cookies", False),
    ],
)
def test_which_requests_carry_a_cookie(
    client: TestClient, field: str, target: str, carried: bool
) -> None:
    """Path, domain, age and Secure are kept to; the clock is that of the client."""
    client.post("/shop/set", content=field)
    assert cookies_at(client, target) == ({"c": "1"} if carried else {})


@pytest.mark.parametrize(
    ("domain", "host", "carried"),
    [
        ("example.com", "example.com", True),
        (".example.com", "www.example.com", True),
        ("www.example.com", "www.example.com", True),
        ("api.example.com", "www.example.com", False),
        (None, "a.www.example.com", False),
        ("www.example.com", "a.www.example.com", True),
    ],
)
def test_domains(client: TestClient, domain: str | None, host: str, carried: bool) -> None:
    """A host may set cookies for itself and what is above it; one without goes to it alone."""
    field = "c=1; Path=/" + ("" if domain is None else f"; Domain={domain}")
    client.post("https://www.example.com/set", content=field)
    assert cookies_at(client, f"https://{host}/cookies") == ({"c": "1"} if carried else {})


def test_an_address_has_nothing_below_it(client: TestClient) -> None:
    """``1.2.3.4`` is not a host of the domain ``3.4``."""
    client.post("http://1.2.3.4/set", content="c=1; Domain=3.4")
    assert dict(client.cookies) == {}


def test_a_cookie_is_replaced_and_deleted(client: TestClient) -> None:
    """By its name and path."""
    client.post("/set", content="c=1; Path=/\nd=2; Path=/")
    client.post("/set", content="c=3; Path=/")
    assert cookies_at(client) == {"c": "3", "d": "2"}
    client.post("/set", content="c=; Path=/; Max-Age=0")
    assert cookies_at(client) == {"d": "2"}


def test_a_test_sets_cookies() -> None:
    """For the client, in between, and for one request; a field of its own is all that is sent."""
    client = TestClient(app, cookies={"a": "1"})
    client.cookies["b"] = "two words"
    assert cookies_at(client) == {"a": "1", "b": "two words"}
    assert client.get("/cookies", cookies={"a": "9"}).json() == {"a": "9", "b": "two words"}
    assert client.get("/cookies", headers={"cookie": "x=1"}).json() == {"x": "1"}
    del client.cookies["a"]
    assert cookies_at(client) == {"b": "two words"}
    client.cookies.set("c", "3", path="/shop")
    assert cookies_at(client) == {"b": "two words"}
    assert cookies_at(client, "/shop/cookies")["c"] == "3"
    client.cookies.clear()
    assert cookies_at(client, "/shop/cookies") == {}
    with pytest.raises(KeyError):
        client.cookies.delete("b")


def test_cookies_by_the_other_ways_of_asking(client: TestClient) -> None:
    """A streamed answer and an asynchronous one set cookies, too."""
    with client.stream("POST", "/set", content="a=1; Path=/"):
        pass

    async def ask() -> dict[str, str]:
        await client.aio.post("/set", content="b=2; Path=/")
        found: dict[str, str] = (await client.aio.get("/cookies")).json()
        return found

    assert asyncio.run(ask()) == {"a": "1", "b": "2"}


def test_a_cookie_ends_while_the_client_is_used() -> None:
    """Its age is counted from the answer that set it."""
    at = NOON
    cookies = Cookies(now=lambda: at.timestamp())
    client = TestClient(app)
    client.cookies = cookies
    client.post("/set", content="c=1; Path=/; Max-Age=60")
    at += timedelta(seconds=59)
    assert cookies_at(client) == {"c": "1"}
    at += timedelta(seconds=1)
    assert cookies_at(client) == {}
    assert len(cookies) == 0
