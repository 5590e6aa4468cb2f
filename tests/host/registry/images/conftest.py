"""What the tests of images share: a machine that nobody used yet, and a registry."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgezero_spin.host.registry.cache import ContentCache
from tests.host.registry.oci_server import Registry, client_environment, running_registry


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which nobody logged in and nothing was pulled, and no wish for archives."""
    for name, value in client_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SPIN_OCI_ARCHIVE_LAYERS", raising=False)
    return tmp_path


@pytest.fixture
def registry() -> Iterator[Registry]:
    """An empty one."""
    with running_registry() as server:
        yield server


@pytest.fixture
def cache(tmp_path: Path) -> ContentCache:
    """An empty one."""
    return ContentCache(tmp_path / "cache")
