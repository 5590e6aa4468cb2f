"""``edgezero provision`` as a person runs it."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import edgezero, refusal
from tests.small_disk import fill, small_disk

SPIN = "[component.app]\nsource = 'app.wasm'\n"
MANIFEST = """\
[stores.kv]
ids = ["sessions"]
[adapters.spin.adapter]
manifest = "spin.toml"
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A project with one store."""
    (tmp_path / "spin.toml").write_text(SPIN)
    (tmp_path / "edgezero.toml").write_text(MANIFEST)
    return tmp_path


def test_labels_are_added_and_said(app: Path) -> None:
    """Results stand on standard output; what lacks elsewhere on standard error."""
    # PRV-1, PRV-10, CLI-3
    done = edgezero("provision", "--adapter", "spin", cwd=app)
    assert done.returncode == 0, done.stderr
    assert (app / "spin.toml").read_text() == SPIN + 'key_value_stores = ["sessions"]\n'
    assert done.stdout.startswith("added KV label `sessions` (logical id `sessions`) to ")
    assert "has no [key_value_store.sessions]" in done.stderr
    assert "already present" in edgezero("provision", cwd=app).stdout


def test_a_dry_run_has_a_header(app: Path) -> None:
    """It comes first, and only when all went well."""  # PRV-7
    done = edgezero("provision", "--dry-run", cwd=app)
    header, line = done.stdout.splitlines()
    assert header == "[edgezero] provision --dry-run for `spin`:"
    assert line.startswith("would ensure KV label `sessions`")
    assert (app / "spin.toml").read_text() == SPIN
    (app / "spin.toml").write_text("")
    done = edgezero("provision", "--dry-run", cwd=app)
    assert "no [component.*]" in refusal(done)
    assert done.stdout == ""


def test_the_environment_names_the_label(app: Path) -> None:
    """The variables of the shell decide."""  # PRV-3
    env = {"EDGEZERO__STORES__KV__SESSIONS__NAME": "prod_sessions"}
    edgezero("provision", cwd=app, env=env)
    assert '["prod_sessions"]' in (app / "spin.toml").read_text()


def test_the_manifest_is_named_and_needed(app: Path, tmp_path: Path) -> None:
    """``--manifest`` says which; the variable of other commands does not."""  # CLI-4, CLI-5
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    env = {"EDGEZERO_MANIFEST": str(app / "edgezero.toml")}
    refused = edgezero("provision", cwd=elsewhere, env=env)
    assert "failed to load edgezero.toml" in refusal(refused)
    assert f"{app / 'edgezero.toml'} is in a folder above: " in refused.stderr
    for named in (("-C", tmp_path), ("--manifest", "gone.toml")):
        done = edgezero("provision", *named, "--dry-run", cwd=elsewhere)
        assert "folder above" not in done.stderr
    done = edgezero("provision", "--manifest", app / "edgezero.toml", cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert "sessions" in (app / "spin.toml").read_text()


@pytest.mark.parametrize(
    ("adapters", "typed", "said"),
    [  # CLI-6, PRV-2
        ("", [], "adapter `spin` is not configured in edgezero.toml (no adapters defined)"),
        ("[adapters.axum]\n", [], "(available: axum)"),
        ("[adapters.axum]\n", ["--adapter", "axum"], "not registered in this build"),
    ],
)
def test_an_adapter_that_is_not_there_is_refused(
    adapters: str, typed: list[str], said: str, app: Path
) -> None:
    """It has to be declared and known, also when it is the one that nobody named."""
    (app / "edgezero.toml").write_text(adapters)
    assert said in refusal(edgezero("provision", *typed, cwd=app))


def test_a_disk_without_a_free_byte_leaves_the_old_file(tmp_path: Path) -> None:
    """On a real file system that is full, the file stays whole and nothing lies beside it."""
    with small_disk(tmp_path, 64):
        (tmp_path / "spin.toml").write_text(SPIN)
        (tmp_path / "edgezero.toml").write_text(MANIFEST)
        fill(tmp_path)
        assert "No space left on device" in refusal(edgezero("provision", cwd=tmp_path))
        assert (tmp_path / "spin.toml").read_text() == SPIN
        left = sorted(path.name for path in tmp_path.iterdir())
        assert left == ["edgezero.toml", "filler", "spin.toml"]


def test_a_full_disk_leaves_the_old_file(app: Path) -> None:
    """Where not one more byte can be written, the file stays whole."""
    text = SPIN + "# " + "x" * 4000 + "\n"
    (app / "spin.toml").write_text(text)
    done = subprocess.run(
        [sys.executable, "-B", "-m", "edgezero_spin.cli", "provision"],
        cwd=app,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )
    assert "cannot write" in refusal(done)
    assert (app / "spin.toml").read_text() == text
    assert sorted(path.name for path in app.iterdir()) == ["edgezero.toml", "spin.toml"]
