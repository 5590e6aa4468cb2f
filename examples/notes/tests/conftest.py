"""Fixtures of the Notes example: its configuration and its secret."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

NOTES = Path(__file__).parent.parent


@pytest.fixture
def spin_preload() -> dict[str, Any]:
    """The values of notes.toml, as a push would store them, and the variable of spin.toml."""
    values = tomllib.loads((NOTES / "notes.toml").read_text(encoding="utf-8"))
    return {"config": {"app_config": values}, "variables": {"admin_token": "let-me-in"}}
