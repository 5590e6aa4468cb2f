"""Fixtures of the Links example: its configuration and its secret."""

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

LINKS = Path(__file__).parent.parent


@pytest.fixture
def spin_preload() -> dict[str, Any]:
    """The values of links.toml, as a push would store them, and the variable of spin.toml.

    It is always noon.
    """
    values = tomllib.loads((LINKS / "links.toml").read_text(encoding="utf-8"))
    return {
        "config": {"app_config": values},
        "variables": {"api_key": "let-me-in"},
        "now": datetime(2030, 1, 1, 12, tzinfo=UTC),
    }
