"""No command shows a secret, whatever goes right or wrong around it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.cli.running import edgezero
from tests.project.config_project import ConfigProject
from tests.project.spin_stand_in import SpinStandIn

CANARY = "sk-live-9f8a7b6c"
SPIN = """\
spin_manifest_version = 2
[application]
name = "x"
[variables]
api_token = { required = true, secret = true }
[[trigger.http]]
route = "/..."
component = "demo"
[component.demo]
source = "a.wasm"
key_value_stores = ["app_config"]
[component.demo.build]
command = "sh -c 'exit 3' --"
"""
MODEL = """\
import attrs
from edgezero_spin.stores import config_model, secret

@config_model
@attrs.frozen(kw_only=True)
class AppConfig:
    greeting: str
    api_token: str = secret()

    @api_token.validator
    def _is_short(self, field, value):
        if len(value) > 12:
            raise ValueError(f"{value} is too long for a name")
"""
STANZA = '[key_value_store.app_config]\ntype = "{}"\n'
REDIS = STANZA.format("redis") + 'url = "{}"\n'
LOCAL = STANZA.format("spin") + 'path = "kv.db"\n'
TYPED = ["--model", "app_config:AppConfig"]

Prepare = Callable[[ConfigProject], object]


@pytest.fixture
def project(tmp_path: Path) -> ConfigProject:
    """A project whose configuration holds the secret, as a raw push allows."""
    folder = tmp_path / "project"
    folder.mkdir()
    found = ConfigProject(folder)
    found.write("app/spin.toml", SPIN)
    found.write("app/runtime-config.toml", LOCAL)
    found.write("app-demo.toml", f'greeting = "hi"\napi_token = "{CANARY}"\n')
    found.write("app_config.py", MODEL)
    return found


def file(name: str, text: str) -> Prepare:
    """Write a file."""
    return lambda project: project.write(name, text)


def manifest(**changes: str) -> Prepare:
    """Write ``edgezero.toml``."""
    return lambda project: project.write_manifest(**changes)


def nothing(project: ConfigProject) -> None:
    """All is as it is."""


def check(
    project: ConfigProject, words: Sequence[str], status: int, path: str | None = None, **env: str
) -> None:
    """Run a command with ``-v``, which adds to what it says; it ends as it must."""
    changed = {**env, **({"PATH": path} if path else {})}
    done = edgezero("-v", *words, cwd=project.folder, env=changed)
    assert done.returncode == status, done
    assert CANARY not in (done.stdout + done.stderr).lower()


@pytest.mark.parametrize(
    ("words", "prepare", "status"),
    [
        # The value is pushed, compared and checked; only its key is told.  PSH-8
        (["config", "validate"], nothing, 0),
        (["config", "push", "--dry-run"], nothing, 0),
        (["config", "push"], nothing, 0),
        (["config", "diff", "--exit-code"], nothing, 1),
        # It stands where only its name belongs.  SAN-9
        (["config", "validate", *TYPED], nothing, 1),
        (["config", "push", *TYPED], nothing, 1),
        (["config", "validate", *TYPED], manifest(secrets='["other"]'), 1),
        # A line that cannot be read is not quoted.
        (["config", "push"], file("app-demo.toml", f'api_token = "{CANARY}\n'), 1),
        (["config", "push"], file("app-demo.toml", f"api_token = {CANARY}\n"), 1),
        (["config", "push"], file("app-demo.toml", f'a = 1\na = "{CANARY}"\n'), 1),
        (["config", "push", *TYPED], file("app-demo.toml", f'api_token = ["{CANARY}"]\n'), 1),
        (["config", "push"], file("edgezero.toml", f'x = "{CANARY}\n'), 1),
        (["config", "push"], file("app/spin.toml", f'x = "{CANARY}\n'), 1),
        (["config", "push"], file("app/runtime-config.toml", f'x = "{CANARY}\n'), 1),
        (["provision"], file("app/spin.toml", f'x = "{CANARY}\n'), 1),
        (["add", "kv", "x"], file("app/runtime-config.toml", f'x = "{CANARY}\n'), 1),
        (["add", "component", "x"], file("app/spin.toml", f'x = "{CANARY}\n'), 1),
        (["doctor"], file("app/runtime-config.toml", f'x = "{CANARY}\n'), 1),
        # Nobody listens there; the URL has a password, or is not a URL because of it.
        *[
            (["config", "push"], file("app/runtime-config.toml", REDIS.format(url)), 1)
            for url in (
                f"redis://:{CANARY}@127.0.0.1:1",
                f"redis://user:{CANARY}@127.0.0.1:1/0",
                f"redis://user:{CANARY}#x@127.0.0.1:1",
                f"redis://user:x/{CANARY}@127.0.0.1:1",
                f"redis://user:a@{CANARY}@127.0.0.1:1",
                f"redis://user:{CANARY}@[x",
                f"redis://127.0.0.1:1/0?password={CANARY}",
                f"what://user:{CANARY}@127.0.0.1:1",
            )
        ],
        # What is told about a project names keys.
        (["doctor"], file("app/.env", f"SPIN_VARIABLE_API_TOKEN={CANARY}\n"), 1),
        (["doctor"], file("app/runtime-config.toml", REDIS.format(f"redis://:{CANARY}@x")), 1),
        (["provision"], nothing, 0),
        (["provision", "--dry-run"], nothing, 0),
        # Flags in the wrong form are not quoted.
        (["serve", "--env", CANARY], nothing, 2),
        (["serve", "--key-value", CANARY], nothing, 2),
        (["new", "a", "--value", CANARY], nothing, 2),
        (["add", "component", "a", "--value", CANARY], nothing, 2),
        # A command that fails is told without what was typed for it.  BLD-3
        (["build", "--", "--token", CANARY], nothing, 3),
        (["serve", "--engine", "embedded", "--variable", f"api_token={CANARY}"], nothing, 1),
    ],
)  # fmt: skip
def test_a_secret_is_not_shown(
    words: list[str], prepare: Prepare, status: int, project: ConfigProject
) -> None:
    """It is in a file, in a URL, or on the command line itself."""  # PSH-8
    prepare(project)
    check(project, words, status)


@pytest.mark.parametrize("said", ["{argument}: no", "not logged in: {argument}", "no link {value}"])
def test_what_spin_says_is_shown_without_values(
    said: str, project: ConfigProject, tmp_path: Path
) -> None:
    """An argument parser quotes what it does not like, and that is the value."""  # CLD-10..12
    project.write_manifest(deploy="spin deploy")
    spin = SpinStandIn(tmp_path)
    text = said.format(argument=f"api_token={CANARY}", value=CANARY)
    spin.fail(1, 1, text)
    check(project, ["config", "push"], 1, spin.path)
    assert any(f"api_token={CANARY}" in words for words in spin.asked())


def test_what_spin_means_is_told_from_all_that_it_says(
    project: ConfigProject, tmp_path: Path
) -> None:
    """A value that is also a word of the message is hidden, and the way out is shown."""
    # CLD-11
    project.write_manifest(deploy="spin deploy")
    project.write("app-demo.toml", 'state = "linked"\n')
    spin = SpinStandIn(tmp_path)
    spin.fail(1, 1, "label `app_config` is not linked to a store")
    done = edgezero("config", "push", cwd=project.folder, env={"PATH": spin.path})
    assert "run `spin cloud link key-value --app x" in done.stderr
    assert "is not *** to a store" in done.stderr


@pytest.mark.parametrize("action", ["build", "serve", "deploy"])
def test_commands_of_the_project_are_shown_without_what_follows(
    action: str, project: ConfigProject
) -> None:
    """The line of the manifest is told, its arguments and its environment are not."""  # BLD-3
    project.write_manifest(
        more=f'[adapters.spin.commands]\n{action} = "exit 4 #"\n'
        "[[environment.secrets]]\nname = 'token'\nenv = 'TOKEN'\n"
        f"[[environment.variables]]\nname = 'x'\nvalue = '{CANARY}'\n"
    )
    words = [action, *([] if action == "serve" else ["--", CANARY])]
    check(project, words, 4, TOKEN=CANARY)


def test_a_variable_over_a_secret_value_is_not_shown(project: ConfigProject) -> None:
    """Where its key says what it is; other values are told, as they help."""  # OVL-11
    project.write("app-demo.toml", "[db]\npassword = 1\nport = 2\n")
    check(project, ["config", "validate"], 1, APP_DEMO__DB__PASSWORD=CANARY)
    done = edgezero("config", "validate", cwd=project.folder, env={"APP_DEMO__DB__PORT": "eighty"})
    assert "APP_DEMO__DB__PORT=eighty cannot be coerced to integer" in done.stderr


def test_the_machine_is_examined_without_values(project: ConfigProject) -> None:
    """That a variable is set is told by silence."""
    check(project, ["doctor"], 1, SPIN_VARIABLE_API_TOKEN=CANARY)
