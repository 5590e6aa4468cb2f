"""The version of the engine that names compiled code in the cache."""

import importlib.metadata
from pathlib import Path

import pytest
import wasmtime

from edgezero_spin.host.runtime import engine_version as module


def test_it_is_that_of_the_distribution() -> None:
    """The folder's name and the metadata in it agree."""
    assert module.engine_version() == importlib.metadata.version("wasmtime")


@pytest.mark.parametrize("left", [[], ["49.0.0", "50.0.1"]])
def test_another_installation_is_asked_for_its_metadata(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: list[str]
) -> None:
    """Where the folders do not say one version, the metadata does."""
    for version in left:
        (tmp_path / f"wasmtime-{version}.dist-info").mkdir()
    monkeypatch.setattr(wasmtime, "__file__", str(tmp_path / "wasmtime" / "__init__.py"))
    assert module.engine_version.__wrapped__() == importlib.metadata.version("wasmtime")
