"""The API for programs: the key, links, pages, CSV both ways, and what other origins may do."""

import csv
import io
from typing import Any

import pytest

from edgezero_spin.testing import Client

CREATED = "2030-01-01T12:00:00+00:00"
KEY = {"x-api-key": "let-me-in"}
CHECKER = "https://checker.example.com/check"


def link(code: str, **fields: object) -> dict[str, object]:
    """A link as the store has it."""
    url = f"https://example.com/{code}"
    return {"code": code, "url": url, "permanent": False, "created": CREATED, **fields}


@pytest.mark.parametrize("headers", [{}, {"x-api-key": "guess"}, {"x-api-key": "lét-me-in"}])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/links"),
        ("GET", "/api/links"),
        ("GET", "/api/links/docs-1"),
        ("DELETE", "/api/links/docs-1"),
        ("GET", "/api/export"),
    ],
)
def test_nothing_without_the_key(
    spin_app: Client, method: str, path: str, headers: dict[str, str]
) -> None:
    """Every operation of the API asks for the key, before it opens a store of links."""
    answer = spin_app.request(method, path, headers=headers, json={"url": "https://example.com/"})
    assert answer.status_code == 401
    assert not answer.calls.of("links")


def test_a_link_is_made(spin_app: Client) -> None:
    """It is kept, and the answer says where it is."""
    sent = {"url": "https://example.com/rye", "code": "rye", "permanent": True}
    answer = spin_app.post("/api/links", json=sent, headers=KEY)
    assert answer.status_code == 201
    assert answer.json() == {**sent, "created": CREATED}
    assert answer.headers["location"].endswith("/rye")
    assert spin_app.kv["links"].json("rye") == answer.json()


def test_a_code_is_made_up(spin_app: Client) -> None:
    """Of a link without one; the same address has the same one, and is no second link."""
    sent = {"url": "https://example.com/"}
    answer = spin_app.post("/api/links", json=sent, headers=KEY)
    code = answer.json()["code"]
    assert len(code) == 8
    assert spin_app.get(f"/api/links/{code}", headers=KEY).json()["visits"] == 0
    again = spin_app.post("/api/links", json=sent, headers=KEY)
    assert again.json() == answer.json()
    assert not again.calls.writes
    other = spin_app.post("/api/links", json={**sent, "code": code}, headers=KEY)
    assert other.status_code == 409


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"url": "ftp://example.com/"}, 422),
        ({"url": "https://"}, 422),
        ({"url": "https://[/"}, 422),
        ({"url": "https://example.com/", "code": "a b"}, 422),
        ({"url": "https://example.com/", "code": "api"}, 422),
        ({"url": 1}, 400),
        ({}, 400),
    ],
)
def test_what_is_no_link(spin_app: Client, sent: dict[str, object], status: int) -> None:
    """It is refused, and nothing is written."""
    answer = spin_app.post("/api/links", json=sent, headers=KEY)
    assert answer.status_code == status
    assert not answer.calls.writes


@pytest.mark.spin(kv={"links": {"rye": link("rye")}})
def test_a_code_is_taken_once(spin_app: Client) -> None:
    """The second link of that code is refused, and the first one stays."""
    sent = {"url": "https://example.com/other", "code": "rye"}
    answer = spin_app.post("/api/links", json=sent, headers=KEY)
    assert (answer.status_code, answer.json()["error"]["message"]) == (409, "the code rye is taken")
    assert spin_app.kv["links"].json("rye")["url"] == "https://example.com/rye"


@pytest.mark.spin(kv={"links": {code: link(code) for code in ("aaa", "bbb", "ccc", "x-1")}})
def test_pages(spin_app: Client) -> None:
    """A page ends with a cursor, the last one without; a prefix chooses."""

    def page(**params: object) -> tuple[list[str], Any]:
        found = spin_app.get("/api/links", params=params, headers=KEY).json()
        return [link["code"] for link in found["links"]], found["cursor"]

    codes, cursor = page(limit=3)
    assert codes == ["aaa", "bbb", "ccc"]
    assert page(limit=3, cursor=cursor) == (["x-1"], None)
    assert page(prefix="x-") == (["x-1"], None)
    assert spin_app.get("/api/links", params={"limit": 101}, headers=KEY).status_code == 422


@pytest.mark.spin(kv={"links": {"rye": link("rye")}, "visits": {"rye": 7}})
def test_a_link_is_removed(spin_app: Client) -> None:
    """With its counter, once."""
    assert spin_app.get("/api/links/rye", headers=KEY).json()["visits"] == 7
    assert spin_app.delete("/api/links/rye", headers=KEY).status_code == 204
    assert not spin_app.kv["links"]
    assert not spin_app.kv["visits"]
    assert spin_app.delete("/api/links/rye", headers=KEY).status_code == 404


@pytest.mark.spin(
    kv={"links": {"rye": link("rye", url="https://example.com/?a=1,2")}, "visits": {"rye": 7}}
)
def test_the_export_is_streamed(spin_app: Client) -> None:
    """As CSV, with no length beforehand."""
    with spin_app.stream("GET", "/api/export", headers=KEY) as answer:
        assert "content-length" not in answer.headers
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        text = b"".join(answer.iter_bytes()).decode()
    assert list(csv.DictReader(io.StringIO(text))) == [
        {"code": "rye", "url": "https://example.com/?a=1,2", "permanent": "false", "visits": "7"}
    ]


@pytest.mark.spin(kv={"links": {"rye": link("rye")}})
def test_the_import_takes_a_file(spin_app: Client) -> None:
    """What can be taken is taken, and of the rest it says why not."""
    rows = (
        "code,url,permanent\nale,https://example.com/ale,true\nrye,https://example.com/,\nbad,x,\n"
    )
    answer = spin_app.post(
        "/api/import", files={"file": ("links.csv", rows, "text/csv")}, headers=KEY
    )
    assert answer.json() == {
        "created": 1,
        "refused": {
            "rye": "the code rye is taken",
            "bad": "a link leads to an http:// or https:// address",
        },
    }
    assert spin_app.kv["links"].json("ale")["permanent"] is True


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"code,url\ncaf\xe9,https://example.com/\n", "not UTF-8"),
        (b"name,target\nale,https://example.com/\n", "the column url"),
        (b"", "the column url"),
        (b"code,url\nale," + b"x" * 200_000, "not CSV"),
    ],
)
def test_a_file_of_another_form_is_refused(content: bytes, problem: str, spin_app: Client) -> None:
    """With what is wrong with it, and nothing is taken."""
    files = {"file": ("links.csv", content, "text/csv")}
    answer = spin_app.post("/api/import", files=files, headers=KEY)
    assert answer.status == 400
    assert problem in answer.json()["error"]["message"]


def test_a_row_without_a_code_is_told_by_its_line(spin_app: Client) -> None:
    """Each of them, also after the mark that spreadsheets put in front."""
    content = "\ufeffcode,url\n,https://example.com/\n,x\n,y\n".encode()
    files = {"file": ("links.csv", content, "text/csv")}
    answer = spin_app.post("/api/import", files=files, headers=KEY).json()
    assert (answer["created"], list(answer["refused"])) == (1, ["line 3", "line 4"])


@pytest.mark.spin(
    config={"app_config": {"title": "T", "api_key": "api_key", "flags": {"check_targets": True}}}
)
@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"json": {"safe": True}}, 201),
        ({"json": {"safe": False}}, 400),
        ({"json": {"fine": True}}, 502),
        ({"status": 500}, 502),
        ({"error": "connection-timeout"}, 502),
    ],
)
def test_addresses_are_checked(spin_app: Client, answer: dict[str, Any], status: int) -> None:
    """Where the flag is set: the link is made only if the checker says so."""
    spin_app.http.on(CHECKER, method="POST", **answer)
    sent = {"url": "https://example.com/rye"}
    assert spin_app.post("/api/links", json=sent, headers=KEY).status_code == status
    assert [sent.json() for sent in spin_app.http.requests] == [sent]
    assert len(spin_app.kv["links"]) == (status == 201)


def test_other_origins(spin_app: Client) -> None:
    """The pages of the administrators may send the key, those of others may not read."""
    origin = "https://admin.example.com"
    asks = {"origin": origin, "access-control-request-method": "DELETE"}
    preflight = spin_app.options("/api/links/rye", headers=asks)
    assert preflight.headers["access-control-allow-origin"] == origin
    assert "DELETE" in preflight.headers["access-control-allow-methods"]
    refused = spin_app.get("/api/links", headers={"origin": origin})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, origin)
    other = spin_app.get("/api/links", headers={**KEY, "origin": "https://example.org"})
    assert "access-control-allow-origin" not in other.headers


def test_the_description(spin_app: Client) -> None:
    """It says which operations need the key."""
    paths = spin_app.get("/openapi.json").json()["paths"]
    assert paths["/api/links"]["post"]["security"] == [{"key": []}]
    assert "409" in paths["/api/links"]["post"]["responses"]
    assert "security" not in paths["/{code}"]["get"]
