"""The catalogue of target environments, from a repository on this disk."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from edgezero_spin.errors import ProjectError
from edgezero_spin.project.spin_data import spin_cache_dir
from edgezero_spin.project.target_catalogue import (
    CATALOGUE_URL,
    find_environment,
    known_environments,
    update_catalogue,
)

NAMES = ["far", "spin-up@3.2", "spin-up@3.10", "spin-up@3.9"]


class Catalogue:
    """A repository that git takes for the catalogue's.

    Attributes:
        folder: Where it is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "catalogue"
        self.folder.mkdir()
        self._git("init", "-q", "-b", "main")
        for name in NAMES:
            self.write(name, "[triggers]\n")

    def write(self, name: str, text: str) -> None:
        """Publish a definition."""
        path = self.folder / "envs" / name.partition("@")[0] / f"{name}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self._git("add", ".")
        self._git("-c", "user.name=n", "-c", "user.email=e@x", "commit", "-qm", name)

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.folder, check=True, capture_output=True)


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """A catalogue that no copy was made of."""
    made = Catalogue(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{made.folder.as_uri()}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", CATALOGUE_URL)
    return made


def age(seconds: float) -> None:
    """Make the copy as old as that."""
    noted = spin_cache_dir() / "environments-last-update.txt"
    noted.write_text(str(int(time.time() - seconds)))


def test_the_copy_is_made_when_a_name_is_asked_for(catalogue: Catalogue) -> None:
    """Before that nothing is known; where Spin keeps it, both find it."""
    assert known_environments() == ()
    path = find_environment("spin-up:3.2")
    assert path == spin_cache_dir() / "environments/envs/spin-up/spin-up@3.2.toml"
    assert path.read_text() == "[triggers]\n"
    assert find_environment("spin-up@3.2") == path
    assert known_environments() == ("far", "spin-up@3.2", "spin-up@3.9", "spin-up@3.10")


def test_a_version_that_is_there_asks_nobody(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version means the same for ever, so the repository may be gone."""
    find_environment("spin-up:3.2")
    catalogue.folder.rename(catalogue.folder.with_name("gone"))
    age(99_999)
    assert find_environment("spin-up:3.2").is_file()
    # Neither has one without version to be the latest to be used.
    assert find_environment("far").is_file()
    with pytest.raises(ProjectError, match=CATALOGUE_URL):
        find_environment("spin-up:4.0")


def test_a_new_version_is_fetched(catalogue: Catalogue) -> None:
    """The copy is brought up to date where a name is not in it."""
    find_environment("spin-up:3.2")
    catalogue.write("spin-up@4.0", "[triggers.http]\nworlds = []\n")
    assert "http" in find_environment("spin-up:4.0").read_text()
    with pytest.raises(ProjectError, match=r"no target environment 'spin-up@5\.0' \(known: far, "):
        find_environment("spin-up:5.0")


def test_a_name_without_version_is_looked_up_again_after_an_hour(catalogue: Catalogue) -> None:
    """Not at every build."""
    find_environment("far")
    catalogue.write("far", "[triggers.redis]\nworlds = []\n")
    age(3000)
    assert find_environment("far").read_text() == "[triggers]\n"
    age(4000)
    assert "redis" in find_environment("far").read_text()


@pytest.mark.parametrize(
    "name", ["", "../x", "a/b", "a@../b", "a@", "@1", "a:b:c", "-a", "a b", "a\n", "ä"]
)
def test_what_is_no_name_leads_nowhere(catalogue: Catalogue, name: str) -> None:
    """No name is a path, and none makes git run."""
    with pytest.raises(ProjectError, match="is not the name of a target environment"):
        find_environment(name)
    assert not spin_cache_dir().exists()


def test_a_catalogue_that_cannot_be_fetched_leaves_nothing(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the address and what git said of it."""
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{catalogue.folder.as_uri()}-none.insteadOf")
    for action in (update_catalogue, lambda: find_environment("spin-up:3.2")):
        with pytest.raises(ProjectError) as caught:
            action()
        assert f"cannot be fetched from {CATALOGUE_URL}: " in str(caught.value)
        assert "--skip-target-checks" in str(caught.value)
    assert list(spin_cache_dir().iterdir()) == []


def test_a_repository_that_does_not_answer_is_given_up(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A git that takes too long is ended."""
    find_environment("far")
    (tmp_path / "bin").mkdir()
    git = tmp_path / "bin" / "git"
    git.write_text("#!/bin/sh\nexec sleep 600\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    with pytest.raises(ProjectError, match=r"takes longer than 0\.1 seconds"):
        update_catalogue(timeout_s=0.1)
