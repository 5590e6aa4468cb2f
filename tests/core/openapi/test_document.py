"""The description of an app: what is in it, where it is answered, and that tools take it."""

import json
from pathlib import Path
from typing import Annotated, Any

import attrs
import pytest
from openapi_spec_validator import validate

from edgezero_spin import App, Depends, Header, Router
from edgezero_spin.core.openapi import (
    ApiDescription,
    ApiKey,
    Basic,
    Bearer,
    openapi_document,
    operation,
)
from edgezero_spin.testing import TestClient
from tests.cli.running import edgezero, refusal
from tests.core.openapi.described_app import app
from tests.source_tree import PACKAGE

EXAMPLES = PACKAGE.parent / "examples"


@pytest.fixture(scope="module")
def document() -> Any:
    """The document as a client reads it."""
    with TestClient(app) as client:
        answer = client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def test_a_validator_takes_the_document(document: Any) -> None:
    """It is OpenAPI 3.1."""
    validate(document)
    assert document["openapi"] == "3.1.0"


def test_the_head_of_the_document(document: Any) -> None:
    """What the app says of itself."""
    assert document["info"] == {
        "title": "notes",
        "version": "1.2.0",
        "description": "Notes & more.",
    }
    assert document["servers"] == [{"url": "https://notes.example"}]
    assert document["tags"] == [{"name": "notes", "description": "What people wrote."}]
    assert document["security"] == [{"key": []}]
    assert document["components"]["securitySchemes"] == {
        "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "key": {"type": "apiKey", "name": "x-key", "in": "header", "description": "Ask Ada."},
    }


def test_paths_are_those_of_the_routes(document: Any) -> None:
    """Without what is hidden, the document itself and its page."""
    found = {path: sorted(item) for path, item in document["paths"].items()}
    assert found == {
        "/notes": ["get"],
        "/notes/{id}": ["delete", "put"],
        "/find": ["get", "post"],
        "/files/{path}": ["get"],
        "/greeting": ["get"],
    }


def test_docstrings_are_summary_and_description(document: Any) -> None:
    """Up to what is for programmers."""
    listed = document["paths"]["/notes"]["get"]
    assert (listed["summary"], listed["description"]) == ("List the notes", "Newest *first*.")
    assert (listed["operationId"], listed["tags"]) == ("list_notes", ["notes"])
    removed = document["paths"]["/notes/{id}"]["delete"]
    assert (removed["operationId"], removed["deprecated"]) == ("removeNote", True)


def test_parameters_are_those_of_the_signature(document: Any) -> None:
    """Of models and of dependencies, too; stores and the like are none."""
    paths = document["paths"]
    page, tags = paths["/notes"]["get"]["parameters"]
    assert page == {
        "name": "page",
        "in": "query",
        "schema": {"type": "integer", "minimum": 1, "description": "From 1 on.", "default": 1},
        "description": "From 1 on.",
    }
    assert (tags["name"], tags["schema"]["items"]) == ("tags", {"type": "string"})
    saved = paths["/notes/{id}"]["put"]["parameters"]
    assert [(p["name"], p["in"], p.get("required", False)) for p in saved] == [
        ("id", "path", True),
        ("authorization", "header", False),
    ]
    assert saved[0]["schema"] == {"type": "string", "format": "uuid"}
    found = paths["/find"]["get"]["parameters"]
    assert [(p["name"], p["in"], p.get("required", False)) for p in found] == [
        ("words", "query", True),
        ("limit", "query", False),
        ("session", "cookie", False),
    ]
    assert found[1]["schema"] == {"type": "integer", "maximum": 100, "default": 10}


def test_bodies_and_answers(document: Any) -> None:
    """By their types, with what else is said of them."""
    paths = document["paths"]
    note = {"$ref": "#/components/schemas/Note"}
    saved = paths["/notes/{id}"]["put"]
    assert saved["requestBody"]["content"] == {"application/json": {"schema": note}}
    assert saved["requestBody"]["required"] is True
    assert saved["responses"]["200"]["content"]["application/json"] == {
        "schema": note,
        "example": {"title": "Bread", "text": ""},
    }
    said = {status: answer["description"] for status, answer in saved["responses"].items()}
    assert said == {
        "200": "OK",
        "400": "The request cannot be read.",
        "401": "No token, or a wrong one.",
        "409": "The title is taken.",
        "422": "A value breaks a rule.",
    }
    form = paths["/find"]["post"]
    assert list(form["requestBody"]["content"]) == ["application/x-www-form-urlencoded"]
    assert [status for status in form["responses"] if status < "3"] == ["201", "202"]
    assert paths["/notes/{id}"]["delete"]["responses"] == {"204": {"description": "No Content"}}
    greeting = paths["/greeting"]["get"]["responses"]
    assert greeting["200"]["content"] == {"text/plain": {"schema": {"type": "string"}}}
    assert "503" in greeting and "400" not in greeting


def test_security_is_what_is_nearest(document: Any) -> None:
    """Of the operation, of what it depends on, of the app."""
    paths = document["paths"]
    assert paths["/notes/{id}"]["put"]["security"] == [{"token": []}]
    assert paths["/notes/{id}"]["delete"]["security"] == [{"token": []}, {"key": []}]
    assert paths["/greeting"]["get"]["security"] == []
    assert "security" not in paths["/notes"]["get"]


def test_errors_have_the_form_of_every_error(document: Any) -> None:
    """What a client reads of a wrong request fits the schema."""
    with TestClient(app) as client:
        error = client.get("/notes?page=x").json()["error"]
    schema = document["components"]["schemas"]["Error"]["properties"]["error"]
    assert set(schema["required"]) <= set(error) <= set(schema["properties"])


def test_nothing_is_made_for_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Document and page are bytes once the app is compiled."""
    described = App("x")
    described.get("/")(lambda: "x")
    described.openapi()
    described.compile()

    def fail(*_: Any) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr("edgezero_spin.core.openapi.serving.openapi_document", fail)
    monkeypatch.setattr("edgezero_spin.core.openapi.serving.documentation_page", fail)
    with TestClient(described) as client:
        assert client.get("/openapi.json").status == 200
        assert client.get("/docs").headers["content-type"] == "text/html; charset=utf-8"


def test_routes_that_come_later_are_described() -> None:
    """The document follows the app until it is asked."""
    described = App("x")
    described.openapi(docs=None, path="/api.json")
    described.get("/late")(lambda: "x")
    with TestClient(described) as client:
        assert list(client.get("/api.json").json()["paths"]) == ["/late"]
        assert client.get("/docs").status == 404


def test_an_unknown_scheme_is_an_error_of_the_app() -> None:
    """Named with the operation that asks for it, when the app is compiled."""
    described = App("x")

    @described.get("/")
    @operation(security=["nobody"])
    def handler() -> str:
        return "x"

    described.openapi(security_schemes={"name": Basic("Ask.")})
    for _ in range(2):
        with pytest.raises(ValueError, match=r"GET / asks for .* 'nobody', .* \(described: name\)"):
            described.compile()


def test_handlers_of_one_name_have_ids_of_their_own() -> None:
    """By method and path, where the name is not enough."""
    described = App("x")
    for path in ("/a", "/b/{id}"):
        described.get(path)(lambda: "x")
    found = openapi_document(described, ApiDescription(title="t"))
    ids = [item["get"]["operationId"] for item in found["paths"].values()]
    assert ids == ["_lambda__get_a", "_lambda__get_b_id"] or len(set(ids)) == 2
    validate(found)


@pytest.mark.parametrize("wrong", [{"tags": "notes"}, {"security": "token"}])
def test_lists_are_not_texts(wrong: Any) -> None:
    """A text would be taken for its letters."""
    with pytest.raises(TypeError, match="sequences of texts"):
        operation(**wrong)
    with pytest.raises(ValueError, match="place"):
        ApiKey("x", place="body")
    assert Bearer().token_format is None


def test_the_command_prints_the_document(tmp_path: Path) -> None:
    """Or writes it; an app that cannot be described is one error."""
    (tmp_path / "shop.py").write_text(
        "from edgezero_spin import App\napp = App('shop')\napp.get('/')(lambda: 'x')\n"
    )
    done = edgezero("openapi", "shop:app", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    validate(found)
    assert found["info"] == {"title": "shop", "version": "0.1.0"}
    done = edgezero("openapi", "shop", "-o", "api.json", cwd=tmp_path)
    assert done.stdout == "api.json  1 paths\n"
    assert json.loads((tmp_path / "api.json").read_text()) == found
    assert "apps there: app" in refusal(edgezero("openapi", "shop:other", cwd=tmp_path))
    said = refusal(edgezero("openapi", "shop-app", cwd=tmp_path))
    assert "cannot build shop-app: is not of the form module or module:attribute" in said
    (tmp_path / "wrong.py").write_text(
        "from edgezero_spin import App\nfrom edgezero_spin.core.openapi import operation\n"
        "app = App('x')\napp.openapi()\n"
        "app.get('/')(operation(security=['a'])(lambda: 'x'))\n"
    )
    assert "security scheme 'a'" in refusal(edgezero("openapi", "wrong:app", cwd=tmp_path))


def test_an_example_is_described() -> None:
    """An app that says nothing of its interface."""
    done = edgezero("openapi", "app:app", cwd=EXAMPLES / "notes")
    assert done.returncode == 0, done.stderr
    validate(json.loads(done.stdout))


def test_dependencies_of_groups_and_classes_are_described() -> None:
    """What a group asks for before its handlers, and the class that a parameter depends on."""

    @attrs.frozen
    class Paging:
        size: int = 20

    @operation(security=["token"], responses={401: None})
    def check(x_key: Header[str]) -> None: ...

    app = App()
    router = Router(dependencies=[Depends(check)])

    @router.get("/list")
    def handler(paging: Annotated[Paging, Depends()]) -> None: ...

    app.include(router)
    app.openapi(security_schemes={"token": Bearer()})
    described = openapi_document(app)["paths"]["/list"]["get"]
    named = [(place["in"], place["name"]) for place in described["parameters"]]
    assert named == [("query", "size"), ("header", "x-key")]
    assert described["security"] == [{"token": []}]
    assert "401" in described["responses"]
