"""``edgezero add`` as a person runs it, in a project that ``edgezero new`` made."""

from pathlib import Path

from tests.cli.running import edgezero, refusal


def test_a_store_is_added_to_a_new_project(tmp_path: Path) -> None:
    """The project is in order afterwards: nothing to provision, nothing for the doctor."""
    edgezero("new", "app", cwd=tmp_path)
    folder = tmp_path / "app"
    done = edgezero("add", "kv", "sessions", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "added `sessions` to [stores.kv]" in done.stdout
    assert edgezero("config", "validate", "--strict", cwd=folder).returncode == 0
    provisioned = edgezero("provision", cwd=folder)
    assert provisioned.stderr == ""
    *labels, secrets = provisioned.stdout.splitlines()
    assert all(line.endswith("; skipping") for line in labels)
    assert "(declared: api_token)" in secrets
    doctor = edgezero("doctor", cwd=folder).stdout
    assert [line for line in doctor.splitlines() if line.startswith("problem")] == [
        f"problem component app-adapter-spin: {folder / 'app.wasm'} is not there"
    ]


def test_wrong_kinds_and_missing_projects(tmp_path: Path) -> None:
    """A kind that is none is wrong usage; a folder without a project is named."""
    assert edgezero("add", "secret", "x", cwd=tmp_path).returncode == 2
    assert "failed to load edgezero.toml" in refusal(edgezero("add", "kv", "x", cwd=tmp_path))
