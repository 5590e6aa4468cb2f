"""The Notes example in both modes: one visit, request by request, and what it imports."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.testing import Client, ComponentClient, TestClient, assert_imports
from tests.component.notes.conftest import TOKEN
from tests.examples.loading import load

BREAD = {"title": "Bake bread", "text": "Two loaves.", "tags": ["kitchen"]}
ADMIN = {"x-admin-token": TOKEN}

# One visit: every request sees what those before it left.
VISIT: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/", {}),
    ("HEAD", "/", {}),
    ("GET", "/notes", {}),
    ("GET", "/export", {}),
    ("PUT", "/notes/bread", {"json": BREAD}),
    ("PUT", "/notes/bread", {"json": {**BREAD, "text": "Three."}}),
    ("PUT", "/notes/milk", {"json": {"title": "Buy milk"}}),
    ("PUT", "/notes/tea", {"json": {"title": "Grüße \U0001f600"}}),
    ("PUT", "/notes/bad", {"json": {"title": ""}}),
    ("PUT", "/notes/bad", {"json": {"title": 1}}),
    ("PUT", "/notes/bad", {"json": {"title": "x", "tags": ["t" * 21]}}),
    ("PUT", "/notes/bad", {"content": b"{"}),
    ("PUT", "/notes/bad", {"content": b'{"title": "\xff"}'}),
    ("PUT", "/notes/" + "k" * 600, {"json": BREAD}),
    ("GET", "/notes/bread", {}),
    ("GET", "/notes/bread", {}),
    ("GET", "/notes/none", {}),
    ("GET", "/notes/t%65a", {}),
    ("GET", "/notes/%ff", {}),
    ("GET", "/notes?limit=2", {}),
    ("GET", "/notes", {"params": {"prefix": "b", "limit": 1}}),
    ("GET", "/notes?limit=0", {}),
    ("GET", "/notes?limit=x", {}),
    ("GET", "/notes?cursor=%21", {}),
    ("GET", "/export", {}),
    ("HEAD", "/export", {}),
    ("DELETE", "/notes/bread", {}),
    ("DELETE", "/notes/bread", {"headers": {"x-admin-token": "guess"}}),
    ("DELETE", "/notes/bread", {"headers": ADMIN}),
    ("DELETE", "/notes/bread", {"headers": ADMIN}),
    ("PATCH", "/notes/milk", {}),
    ("OPTIONS", "/notes", {}),
    ("GET", "/nowhere", {}),
    ("GET", "/notes/milk/more", {}),
]


def outcomes(client: Client) -> list[dict[str, Any]]:
    """Everything that a client of the service and a test can see of the visit."""
    seen = []
    for method, target, parts in VISIT:
        answer = client.request(method, target, **parts)
        seen.append(
            {
                "request": str(answer.request),
                "status": answer.status,
                "headers": answer.headers.pairs,
                "body": answer.content,
                "calls": list(answer.calls),
                "stores": {label: dict(store) for label, store in client.kv.items()},
            }
        )
    return seen


def test_a_visit_is_the_same_in_both_modes(built: Path) -> None:
    """Status, headers, body, store calls and what is stored, one request after the other."""
    values = tomllib.loads((built / "notes.toml").read_text(encoding="utf-8"))
    parts: dict[str, Any] = {
        "config": {"app_config": values},
        "variables": {"admin_token": TOKEN},
    }
    app = load("notes", "app").app
    with (
        TestClient(app, manifest=built / "spin.toml", **parts) as native,
        ComponentClient(built, **parts) as component,
    ):
        for expected, found in zip(outcomes(native), outcomes(component), strict=True):
            assert found == expected
        assert len(native.calls) > 50


def test_it_imports_what_it_needs(built: Path) -> None:
    """A capability that slips in fails here."""
    assert_imports(built / "app.wasm", "wasi:*", "fermyon:spin/key-value", "fermyon:spin/variables")
    with pytest.raises(AssertionError, match=r"variables@2\.0\.0 is imported and not allowed"):
        assert_imports(built / "app.wasm", "wasi:*", "fermyon:spin/key-value")
