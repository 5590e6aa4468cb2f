"""``edgezero new`` as a person runs it."""

from pathlib import Path

from tests.cli.running import edgezero, refusal


def test_a_project_is_made_and_said(tmp_path: Path) -> None:
    """The name that was used, where it is and what comes next; it is valid at once."""
    # NEW-1, NEW-12, OPQ-6
    done = edgezero("new", "My App", "--adapter", "spin", "--dir", tmp_path / ".", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Created my-app in {tmp_path / 'my-app'} (")
    assert "edgezero build" in done.stdout
    done = edgezero(
        *("config", "validate", "--strict", "--model", "app_config:MyAppConfig"),
        cwd=tmp_path / "my-app",
    )
    assert done.returncode == 0, done.stderr
    assert edgezero("config", "validate", "--strict", cwd=tmp_path / "my-app").returncode == 0


def test_what_follows_two_dashes_reaches_every_component(tmp_path: Path) -> None:
    """The build command of a new project hands it on, as the built-in does."""  # BLD-2
    edgezero("new", "a", cwd=tmp_path)
    done = edgezero("build", "--", "--help", cwd=tmp_path / "a")
    assert done.returncode == 0, done.stderr
    assert "Usage: edgezero componentize" in done.stdout
    named = {"EDGEZERO_MANIFEST": "a/edgezero.toml"}  # CLI-4
    done = edgezero("build", "--", "--help", cwd=tmp_path, env=named)
    assert done.returncode == 0, done.stderr
    assert "Usage: edgezero componentize" in done.stdout


def test_what_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """Taken names, unknown adapters and templates each have their line."""  # NEW-4, CLI-6
    (tmp_path / "taken").mkdir()
    message = refusal(edgezero("new", "taken", cwd=tmp_path))
    assert "taken already exists" in message
    message = refusal(edgezero("new", "a", "--adapter", "ghost", cwd=tmp_path))
    assert "`ghost` is not registered in this build" in message
    message = refusal(edgezero("new", "a", "--template", "nope", cwd=tmp_path))
    assert "no template 'nope' (available: edgezero-component, edgezero-http" in message
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
