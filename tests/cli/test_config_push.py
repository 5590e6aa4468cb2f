"""``edgezero config push`` and ``config diff`` as a person or a pipeline runs them."""

import contextlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.project.config_sqlite import SqliteTarget
from edgezero_spin.stores import hash_of
from tests.cli.running import edgezero, refusal
from tests.project.config_project import ConfigProject
from tests.project.spin_stand_in import SpinStandIn

RUNTIME = '[key_value_store.app_config]\ntype = "spin"\npath = "kv.db"\n'
MODEL = """\
import attrs
from edgezero_spin.stores import secret

@attrs.frozen(kw_only=True)
class AppConfig:
    greeting: str
    api_token: str = secret()
"""


@pytest.fixture
def project(tmp_path: Path) -> ConfigProject:
    """A project in order, whose config store is a local file."""
    folder = tmp_path / "project"
    folder.mkdir()
    found = ConfigProject(folder)
    found.write("app/runtime-config.toml", RUNTIME)
    found.write("app_config.py", MODEL)
    return found


def stored(project: ConfigProject, name: str = "kv.db") -> dict[str, bytes]:
    """What the project's file holds for the config store."""
    return dict(SqliteTarget(project.folder / "app" / name, "app_config").stored(()))


def test_a_push_shows_keys_at_most(project: ConfigProject) -> None:
    """One line says what was done; the warning of a raw push names keys; no value is shown."""
    done = edgezero("config", "push", "--local", cwd=project.folder)
    assert done.returncode == 0, done.stderr
    path = project.folder / "app" / "kv.db"
    assert done.stdout == f"pushed 5 entries to Spin SQLite KV at {path}\n"  # PSH-22
    assert done.stderr.startswith("[edgezero] Warning: `api_token` looks like a secret")
    assert "hello" not in done.stdout + done.stderr  # PSH-8
    assert stored(project)["greeting"] == b"hello from config"


def test_every_flag_reaches_the_push(project: ConfigProject) -> None:
    """Files, store, model, overlay and dry run, all at once."""  # PSH-1
    project.write("other.toml", 'greeting = "other"\napi_token = "token"')
    project.write("runtime.toml", RUNTIME.replace("kv.db", "named.db"))
    environ = {"APP_DEMO__GREETING": "from the environment"}
    arguments: list[str | Path] = [
        "--manifest",
        project.folder / "edgezero.toml",
        "--app-config",
        project.folder / "other.toml",
        "--runtime-config",
        project.folder / "runtime.toml",
        "--store=app_config",
        "--model=app_config:AppConfig",
        "--adapter=spin",
        "--no-env",
        "--key=v2",
        "--yes",
        "--no-diff",
    ]
    done = edgezero("config", "push", *arguments, "--dry-run", env=environ)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[2:] == [
        "would set `greeting` (new)",
        "would set `v2` (new)",
    ]
    assert not (project.folder / "named.db").exists()
    assert edgezero("config", "push", *arguments, env=environ).returncode == 0
    found = dict(SqliteTarget(project.folder / "named.db", "app_config").stored(()))
    assert found.pop("v2").startswith(b'{"data":{"api_token":"token","greeting":"other"}')
    assert found == {"greeting": b"other"}


def test_a_cloud_push_asks_spin(project: ConfigProject, tmp_path: Path) -> None:
    """Exactly one run with exactly these arguments."""  # CLD-1, PSH-12
    spin = SpinStandIn(tmp_path)
    project.write_manifest(deploy="spin deploy")
    arguments = ["config", "push", "--model", "app_config:AppConfig"]
    done = edgezero(*arguments, cwd=project.folder, env={"PATH": spin.path})
    assert done.returncode == 0, done.stderr
    ((*asked, whole),) = spin.asked()
    assert asked == [
        *["cloud", "key-value", "set", "--app", "x", "--label", "app_config"],
        "greeting=hello from config",
    ]
    assert whole.startswith('app_config={"data":')
    assert "kept to itself" not in done.stdout  # CLD-1: captured
    spin.fail(2, 1, "not logged in")
    said = refusal(edgezero(*arguments, cwd=project.folder, env={"PATH": spin.path}))
    assert "spin cloud login" in said and "hello" not in said  # CLD-15


def test_a_refused_push_is_one_error(project: ConfigProject) -> None:
    """Everything that is wrong, status 1, nothing written."""  # CLI-2, PSH-2
    project.write_manifest(secrets='["default", "b"]', kv='["app_config"]')
    before = project.files()
    said = refusal(edgezero("config", "push", cwd=project.folder))
    assert said.startswith("[edgezero] Error: config push: 2 problems\n")
    assert project.files() == before


def test_a_difference_is_a_table_and_a_status(project: ConfigProject) -> None:
    """1 while a push would change something and the status is asked for, 0 otherwise."""
    assert edgezero("config", "diff", "--local", cwd=project.folder).returncode == 0  # BLB-5
    done = edgezero("config", "diff", "--local", "--exit-code", cwd=project.folder)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "api_token             new",
        "feature.new_checkout  new",
        "greeting              new",
        "service.timeout_ms    new",
        "vault                 new",
        "[edgezero] store `app_config` (platform name `app_config`) differs from the configuration",
    ]
    assert edgezero("config", "push", "--local", cwd=project.folder).returncode == 0
    done = edgezero("config", "diff", "--local", "--exit-code", cwd=project.folder)
    assert done.returncode == 0
    assert "has all of the configuration" in done.stdout
    assert "hello" not in done.stdout


def test_a_difference_for_programs(project: ConfigProject) -> None:
    """One object, with the change of each key."""
    arguments = ["--format", "json", "--model", "app_config:AppConfig"]
    done = edgezero("config", "diff", *arguments, cwd=project.folder)
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "differs": True,
        "store": "app_config",
        "label": "app_config",
        "keys": {"greeting": "new", "app_config": "new"},
        "warnings": [],
    }


TYPED = ["--model", "app_config:AppConfig"]
UNIFIED = """\
--- remote (none)
+++ local  (sha256: {hash})
@@ -1 +1,4 @@
-{{}}
+{{
+  "api_token": "demo_api_token",
+  "greeting": "hello from config"
+}}
"""
STRUCTURED = """\
--- remote (sha256: {before})
+++ local  (sha256: {hash})
greeting [changed]
  - "hello from config"
  + "new"
"""


def digest(**data: str) -> str:
    """What is shown of the hash of a configuration."""
    return hash_of({"api_token": "demo_api_token", **data})[:8]


def test_values_are_shown_when_they_are_asked_for(project: ConfigProject) -> None:
    """As a diff, and place by place."""  # BLB-5
    first = digest(greeting="hello from config")
    arguments = ["config", "diff", *TYPED, "--exit-code", "--format"]
    done = edgezero(*arguments, "unified", cwd=project.folder)
    assert (done.returncode, done.stdout) == (1, UNIFIED.format(hash=first))
    assert edgezero("config", "push", *TYPED, cwd=project.folder).returncode == 0
    done = edgezero(*arguments, "unified", cwd=project.folder)
    assert (done.returncode, done.stdout) == (0, "")
    env = {"APP_DEMO__GREETING": "new"}
    done = edgezero(*arguments, "structured", cwd=project.folder, env=env)
    expected = STRUCTURED.format(before=first, hash=digest(greeting="new"))
    assert (done.returncode, done.stdout) == (1, expected)


def test_values_that_look_like_secrets_are_never_shown(project: ConfigProject) -> None:
    """Without a model nobody knows whether it is a name."""  # PSH-8
    done = edgezero("config", "diff", "--format", "structured", cwd=project.folder)
    assert "demo_api_token" not in done.stdout
    assert 'api_token [added]\n  + "*** (another)"' in done.stdout


def push_on_a_terminal(project: ConfigProject, answer: bytes, *arguments: str) -> tuple[int, str]:
    """Push as a person does; return the status and what the terminal showed."""
    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "edgezero_spin.cli", "config", "push", *TYPED, *arguments]
    env = {**os.environ, "NO_COLOR": "1"}
    process = subprocess.Popen(
        command, cwd=project.folder, env=env, stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    os.write(controller, answer)
    shown = b""
    # The terminal ends with an error when nobody is at its other end any more.
    with contextlib.suppress(OSError), os.fdopen(controller, "rb", 0) as screen:
        while piece := screen.read(65536):
            shown += piece
    return process.wait(60), shown.decode().replace("\r\n", "\n")


def test_a_push_on_a_terminal_shows_what_changes_and_asks(project: ConfigProject) -> None:
    """No ends it before anything is written; a second push has nothing to ask."""  # BLB-4
    status, shown = push_on_a_terminal(project, b"n\n")
    assert status == 1 and '+  "greeting": "hello from config"' in shown
    assert "Apply changes? [y/N]" in shown and "nothing was pushed" in shown
    assert not (project.folder / "app" / "kv.db").exists()
    status, shown = push_on_a_terminal(project, b"y\n", "--no-diff")
    assert status == 0 and "Apply changes?" in shown and "hello" not in shown
    status, shown = push_on_a_terminal(project, b"")
    assert status == 0 and "Apply changes?" not in shown
    project.write("app-demo.toml", 'greeting = "new"\napi_token = "t"')
    status, shown = push_on_a_terminal(project, b"", "--yes")
    assert status == 0 and "Apply changes?" not in shown
    assert stored(project)["greeting"] == b"new"


@pytest.mark.parametrize(
    ("manifest", "said"),
    [  # BLB-5
        ({"deploy": "spin deploy"}, "what a Fermyon Cloud store holds cannot be read"),
        ({"config": None}, "[stores.config]"),
    ],
)
def test_what_cannot_be_compared_is_no_difference(
    manifest: dict[str, Any], said: str, project: ConfigProject
) -> None:
    """A pipeline tells it by the status, 2; one line says why and what to do."""
    project.write_manifest(**manifest)
    done = edgezero("config", "diff", "--format", "json", cwd=project.folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("[edgezero] Error: ")
    assert "Traceback" not in done.stderr
    assert said in done.stderr
    assert "--local" in done.stderr or "deploy" not in manifest


@pytest.mark.parametrize(("command", "status"), [("push", 1), ("diff", 2)])
def test_another_adapter_is_refused(command: str, status: int, project: ConfigProject) -> None:
    """One that is not declared, and one that is and nothing here acts for."""  # CLI-6, PSH-1
    project.write_manifest(more="[adapters.fastly.adapter]")
    for adapter, said in (
        ("ghost", "adapter `ghost` is not configured in edgezero.toml (available: spin, fastly)"),
        ("Fastly", "adapter `fastly` is not registered in this build"),
    ):
        done = edgezero("config", command, "--adapter", adapter, cwd=project.folder)
        assert done.returncode == status
        assert said in done.stderr
    assert stored(project) == {}


@pytest.mark.parametrize("command", ["validate", "push", "diff"])
def test_every_command_shows_an_example(command: str) -> None:
    """``--help`` says how it is typed."""
    done = edgezero("config", command, "--help")
    assert done.returncode == 0
    assert f"  edgezero config {command}" in done.stdout.partition("Example:")[2]
    for flag in ("--manifest", "--app-config", "--no-env", "--model", "--adapter", "-C DIR"):
        assert flag in done.stdout
