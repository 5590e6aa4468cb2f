"""The Notes service, natively or as the component: ``edgezero test`` runs each test twice."""

import json

import pytest

from edgezero_spin.testing import Client

BREAD = {"title": "Bake bread", "text": "Two loaves.", "tags": ["kitchen"]}
TOKEN = {"x-admin-token": "let-me-in"}


def test_about(spin_app: Client) -> None:
    """The greeting comes from the configuration."""
    assert spin_app.get("/").json() == {
        "service": "notes",
        "greeting": "Hello from a Python component",
    }
    assert spin_app.calls.texts == ["open app_config", "get app_config greeting"]


@pytest.mark.spin(config={"app_config": {"greeting": "Moin"}})
def test_another_greeting(spin_app: Client) -> None:
    """Operators may say something else."""
    assert spin_app.get("/").json()["greeting"] == "Moin"


def test_a_note_is_kept(spin_app: Client) -> None:
    """The first write creates, the second replaces."""
    assert spin_app.put("/notes/bread", json=BREAD).status == 201
    assert spin_app.kv["notes"].json("bread") == BREAD
    assert spin_app.put("/notes/bread", json={**BREAD, "text": "Three."}).status == 200


@pytest.mark.spin(kv={"notes": {"bread": BREAD}, "views": {"bread": 41}})
def test_reading_counts(spin_app: Client) -> None:
    """A note is read once, and only its counter is written."""
    answer = spin_app.get("/notes/bread")
    assert answer.json() == {"id": "bread", "note": BREAD, "views": 42}
    assert answer.calls.reads.texts == ["get notes bread", "get views bread"]
    assert answer.calls.writes.texts == ["set views bread"]
    assert spin_app.kv["views"]["bread"] == b"42"


@pytest.mark.parametrize(
    ("note", "status"),
    [({"title": ""}, 422), ({"text": "no title"}, 400), ({"title": "x" * 81}, 422), ([], 400)],
)
def test_what_is_no_note(spin_app: Client, note: object, status: int) -> None:
    """It is refused before a store is opened."""
    answer = spin_app.put("/notes/bread", json=note)
    assert answer.status == status
    assert answer.calls == []


@pytest.mark.spin(kv={"notes": {"a": BREAD, "b": BREAD, "c": BREAD}})
def test_pages(spin_app: Client) -> None:
    """A page ends with a cursor, and the last one without."""
    first = spin_app.get("/notes", params={"limit": 2}).json()
    assert first["ids"] == ["a", "b"]
    last = spin_app.get("/notes", params={"limit": 2, "cursor": first["cursor"]}).json()
    assert last == {"ids": ["c"], "cursor": None}


@pytest.mark.spin(kv={"notes": {"a": BREAD, "b": BREAD}})
def test_the_export_is_streamed(spin_app: Client) -> None:
    """One line for each note, and no length beforehand."""
    with spin_app.stream("GET", "/export") as answer:
        assert "content-length" not in answer.headers
        lines = b"".join(answer.iter_bytes()).splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["a", "b"]


@pytest.mark.spin(kv={"notes": {"bread": BREAD}, "views": {"bread": 1}})
def test_removing_needs_the_token(spin_app: Client) -> None:
    """A wrong token changes nothing, the right one removes the note and its counter."""
    refused = spin_app.delete("/notes/bread", headers={"x-admin-token": "guess"})
    assert refused.status == 401
    assert not refused.calls.writes
    assert spin_app.delete("/notes/bread", headers=TOKEN).status == 204
    assert not spin_app.kv["notes"]
    assert not spin_app.kv["views"]


@pytest.mark.spin(kv={"notes": {"bread": BREAD}})
def test_a_disk_that_is_full(spin_app: Client) -> None:
    """A counter that cannot be written is an error, and the operator is told why."""
    spin_app.stores.fail("set", label="views", message="disk full")
    answer = spin_app.get("/notes/bread")
    assert answer.status == 500
    assert "disk full" in answer.stderr


@pytest.mark.spin_fuel(max=3_000_000)
def test_what_is_not_there(spin_app: Client) -> None:
    """No note, no route, no method."""
    assert spin_app.get("/notes/none").status == 404
    assert spin_app.get("/nowhere").status == 404
    assert spin_app.patch("/notes/bread").headers["allow"] == "DELETE, GET, HEAD, PUT"
