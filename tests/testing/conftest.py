"""Clients for the tests of the kit."""

from collections.abc import Iterator

import pytest

from edgezero_spin import App
from edgezero_spin.testing import TestClient
from tests.testing.notes_app import make_app


@pytest.fixture
def app() -> App:
    """A new app."""
    return make_app()


@pytest.fixture
def client(app: App) -> Iterator[TestClient]:
    """A client with something in each store."""
    with TestClient(
        app,
        kv={"notes": {"bread": {"title": "Bread"}, "raw": b"\x00\xff", "text": "plain"}},
        config={"settings": {"greeting": "Hi", "page": {"size": 20, "wide": True}}},
        secrets={"token": "s3cret"},
    ) as made:
        yield made
