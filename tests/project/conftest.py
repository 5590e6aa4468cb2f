"""What tests of a project's configuration share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgezero_spin.project.spin_version import spin_warning
from tests.project.config_project import ConfigProject
from tests.project.spin_stand_in import SpinStandIn


@pytest.fixture
def config_project(tmp_path: Path) -> ConfigProject:
    """A project in which nothing is wrong."""
    folder = tmp_path / "project"
    folder.mkdir()
    return ConfigProject(folder)


@pytest.fixture
def spin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SpinStandIn]:
    """A recording ``spin`` on the PATH, whose version nobody has asked for yet."""
    stand_in = SpinStandIn(tmp_path)
    monkeypatch.setenv("PATH", stand_in.path)
    spin_warning.cache_clear()
    yield stand_in
    spin_warning.cache_clear()


@pytest.fixture
def no_spin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A PATH without any program."""
    monkeypatch.setenv("PATH", str(tmp_path))
    spin_warning.cache_clear()
    yield
    spin_warning.cache_clear()
