"""``edgezero templates`` on real repositories and folders, in Spin's own store."""

import hashlib
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.cli.running import edgezero, refusal


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A machine on which no template is installed."""
    return {"SPIN_DATA_DIR": str(tmp_path / "data")}


def write_template(root: Path, id: str, text: str) -> None:
    """Put a template with one file into a source."""
    folder = root / "templates" / id
    (folder / "metadata").mkdir(parents=True, exist_ok=True)
    (folder / "metadata" / "spin-template.toml").write_text(
        f'manifest_version = "1"\nid = "{id}"\ndescription = "About {id}"\ntags = ["t-{id}"]\n'
    )
    (folder / "content").mkdir(exist_ok=True)
    (folder / "content" / "a.txt").write_text(text)


def git(folder: Path, *arguments: str) -> None:
    """Run git with a name of its own."""
    who = ["-c", "user.name=n", "-c", "user.email=e@example.com"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with two templates."""
    folder = tmp_path / "repository"
    write_template(folder, "one", "first")
    write_template(folder, "two", "first")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def test_from_a_repository_to_a_project_and_away(
    repository: Path, env: dict[str, str], tmp_path: Path
) -> None:
    """Installed where Spin looks, used by its id, replaced by an upgrade, removed."""
    # CLI-23, CLI-33, TPL-14, TPL-15, NEW-5
    url = repository.as_uri()
    done = edgezero("templates", "install", "--git", url, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Installed 2 template(s)\n  one  About one\n  two  About two\n"
    folder = tmp_path / "data/templates" / f"one_{hashlib.sha256(b'one').hexdigest()}"
    assert tomllib.loads((folder / ".install.toml").read_text()) == {"git": url}
    assert edgezero("new", "-t", "one", "app", cwd=tmp_path, env=env).returncode == 0
    assert (tmp_path / "app" / "a.txt").read_text() == "first"

    write_template(repository, "one", "second")
    git(repository, "rm", "-rqf", "templates/two")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "second")
    done = edgezero("templates", "install", "--git", url, env=env)
    assert done.stdout == "Installed 0 template(s)\nSkipped 1 template(s)\n  one  Already exists\n"
    done = edgezero("template", "upgrade", "--all", env=env)
    assert "Removed 1 template(s) that the repository has no more\n  two\n" in done.stdout
    assert edgezero("new", "-t", "one", "other", cwd=tmp_path, env=env).returncode == 0
    assert (tmp_path / "other" / "a.txt").read_text() == "second"

    done = edgezero("templates", "uninstall", "one", env=env)
    assert (done.returncode, done.stdout) == (0, "Removed template one\n")
    assert not list((tmp_path / "data/templates").iterdir())


def test_the_tag_of_this_spin_comes_before_the_newest(
    repository: Path, env: dict[str, str], tmp_path: Path
) -> None:
    """A branch that is named comes before both."""  # NEW-5
    git(repository, "tag", "spin/templates/v4.1")
    write_template(repository, "one", "newer")
    git(repository, "commit", "-qam", "newer")
    install = ("templates", "install", "--upgrade", "--git", repository)
    for branch, text in (([], "first"), (["--branch", "main"], "newer")):
        assert edgezero(*install, *branch, env=env).returncode == 0
        name = f"app-{text}"
        assert edgezero("new", "-t", "one", name, cwd=tmp_path, env=env).returncode == 0
        assert (tmp_path / name / "a.txt").read_text() == text


def test_what_is_listed(repository: Path, env: dict[str, str]) -> None:
    """Ours and the installed ones, by tag; with --verbose, where they lie."""
    edgezero("templates", "install", "--dir", repository, env=env)
    listed = edgezero("templates", "list", env=env).stdout
    assert [line.split()[0] for line in listed.splitlines()] == [
        "edgezero-component",
        "edgezero-cron",
        "edgezero-events",
        "edgezero-http",
        "edgezero-mqtt",
        "edgezero-redis",
        "edgezero-sqlite",
        "one",
        "two",
    ]
    done = edgezero("templates", "list", "--tag", "T-ONE", "--verbose", env=env)
    assert done.stdout.splitlines()[0] == "one  About one"
    assert "tags: t-one; " in done.stdout
    done = edgezero("templates", "list", "--tag", "nope", env=env)
    assert (done.returncode, done.stdout) == (0, "")
    assert "No suitable templates found" in done.stderr


def test_a_template_that_cannot_be_used_is_skipped(
    repository: Path, env: dict[str, str], tmp_path: Path
) -> None:
    """The others are installed; a link out of the template is not followed."""
    (repository / "templates" / "two" / "metadata" / "spin-template.toml").write_text("id = 1")
    write_template(repository, "three", "x")
    (repository / "templates" / "three" / "content" / "b.txt").symlink_to("/etc/passwd")
    done = edgezero("templates", "install", "--dir", repository, env=env)
    assert "Installed 1 template(s)\n  one" in done.stdout
    assert "Skipped 2 template(s)" in done.stdout
    assert "three  content/b.txt is a link that leads outside of the template" in done.stdout
    assert "two  metadata/spin-template.toml: " in done.stdout
    broken = tmp_path / "data" / "templates" / "broken"
    broken.mkdir()
    listed = edgezero("templates", "list", env=env)
    assert listed.returncode == 0
    assert "Warning: broken cannot be used" in listed.stderr


@pytest.mark.parametrize(
    ("typed", "status", "says"),
    [
        (["install"], 2, "name one source: --git or --dir"),
        (["install", "--git", "a/b", "--dir", "x"], 2, "name one source"),
        (["install", "--dir", "x", "--branch", "b"], 2, "--branch needs --git"),
        (["install", "--tar", "https://x/y.tgz"], 2, "--tar: archives are not downloaded"),
        (["install", "--dir", "nowhere"], 1, "there is no folder"),
        (["install", "--dir", "."], 1, "has no folder 'templates'"),
        (["install", "--git", "file:///nowhere"], 1, "cannot clone file:///nowhere: "),
        (["install", "--git", "--upload-pack=touch x"], 1, "cannot clone"),
        (["uninstall", "nope"], 1, "no template 'nope' is installed (installed: none)"),
        (["uninstall", "../.."], 1, "no template '../..' is installed"),
        (["upgrade", "--repo", "a/b", "--all"], 2, "--repo and --all exclude each other"),
        (["upgrade", "--all"], 1, "no installed template came from a repository"),
    ],
)
def test_what_cannot_be_done_is_one_error(
    typed: list[str], status: int, says: str, env: dict[str, str], tmp_path: Path
) -> None:
    """It is said what, and nothing is installed or run."""
    # No network: names of GitHub must not be asked for.
    done = edgezero("templates", *typed, cwd=tmp_path, env={**env, "GIT_ALLOW_PROTOCOL": "file"})
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_password_in_an_address_is_shown_and_kept_nowhere(
    env: dict[str, str], tmp_path: Path
) -> None:
    """Neither git's complaint nor the record has it."""
    url = "https://me:s3cret@localhost:1/acme/templates"
    message = refusal(edgezero("templates", "install", "--git", url, env=env))
    assert "cannot clone https://localhost:1/acme/templates" in message
    assert "s3cret" not in message
