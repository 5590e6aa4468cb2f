"""``edgezero config validate`` as a person or a pipeline runs it."""

import json
from pathlib import Path

import pytest

from tests.cli.running import edgezero, refusal
from tests.project.config_project import ConfigProject

MODEL = """\
import attrs
from edgezero_spin.stores import config_model, secret

@config_model
@attrs.frozen(kw_only=True)
class AppConfig:
    greeting: str
    api_token: str = secret()
    vault: str = secret(store_ref=True)
    feature: dict[str, bool]
    service: dict[str, int]
"""


@pytest.fixture
def project(tmp_path: Path) -> ConfigProject:
    """A project in which nothing is wrong."""
    found = ConfigProject(tmp_path)
    found.write("app_config.py", MODEL)
    return found


def test_success_is_one_line(project: ConfigProject) -> None:
    """The line is on standard output, the warning of a raw run beside it on the other."""
    done = edgezero("config", "validate", "--strict", cwd=project.folder)
    assert (done.returncode, done.stdout) == (
        0,
        "[edgezero] config validate (raw): edgezero.toml OK (strict)\n",
    )  # VAL-14, CLI-2, CLI-3
    assert done.stderr.startswith("[edgezero] Warning: `api_token` looks like a secret")
    assert "demo_api_token" not in done.stdout + done.stderr


def test_problems_are_one_error(project: ConfigProject) -> None:
    """All of them, on standard error, with status 1."""
    project.write("app-demo.toml", "ratio = nan\na__b = 1")
    said = refusal(edgezero("config", "validate", cwd=project.folder))
    assert said.startswith("[edgezero] Error: config validate (raw): 2 problems\n")


def test_the_model_can_be_named(project: ConfigProject) -> None:
    """The class is found beside the manifest, wherever the command is started."""
    arguments = ["--manifest", str(project.folder / "edgezero.toml")]
    done = edgezero("config", "validate", "--model", "app_config:AppConfig", *arguments)
    assert done.returncode == 0, done.stderr
    assert "config validate (typed)" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("target", "part"),
    [
        ("app_config", "write module and class"),
        ("nowhere:AppConfig", "there is no module 'nowhere' in"),
        ("nowhere.config:AppConfig", "there is no module 'nowhere.config' in"),
        ("app_config:Nothing", "app_config has no class 'Nothing'"),
        ("app_config:secret", "something else than a class named 'secret'"),
        ("broken:Model", "its module fails to import"),
        ("wanting:Model", "No module named 'not_installed'"),
    ],
)
def test_a_model_that_cannot_be_imported(project: ConfigProject, target: str, part: str) -> None:
    """The name and the reason are told; a failing module shows its own traceback."""
    project.write("broken.py", "1 / 0")
    project.write("wanting.py", "import not_installed")
    done = edgezero("config", "validate", "--model", target, cwd=project.folder)
    assert done.returncode == 1
    assert f"[edgezero] Error: cannot import the model {target!r}: " in done.stderr
    assert part in done.stderr
    assert ("ZeroDivisionError" in done.stderr) == target.startswith("broken")


def test_json_is_for_programs(project: ConfigProject) -> None:
    """The same findings, one object each, and the same status."""
    command = ["config", "validate", "--format", "json", "--strict"]
    done = edgezero(*command, cwd=project.folder)
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"], report["problems"]) == (0, True, [])
    assert (report["mode"], report["strict"], len(report["warnings"])) == ("raw", True, 1)
    project.write("app-demo.toml", "[service]\nratio = nan")
    done = edgezero(*command, cwd=project.folder)
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout)["problems"] == [
        {
            "check": "app-config",
            "file": "app-demo.toml",
            "key": "service.ratio",
            "line": 2,
            "reason": "a non-finite float (inf or nan) has no entry text",
            "remedy": "Give a number.",
        }
    ]


def test_variables_can_be_left_out(project: ConfigProject) -> None:
    """``--no-env`` takes the file as it is."""  # VAL-12, OVL-1
    environ = {"APP_DEMO__SERVICE__TIMEOUT_MS": "soon"}
    said = refusal(edgezero("config", "validate", cwd=project.folder, env=environ))
    assert "APP_DEMO__SERVICE__TIMEOUT_MS=soon" in said
    done = edgezero("config", "validate", "--no-env", cwd=project.folder, env=environ)
    assert done.returncode == 0


@pytest.mark.parametrize(
    "arguments", [["--format", "xml"], ["--nothing"], ["surplus"], ["--adapter", "ghost"]]
)
def test_wrong_usage_ends_with_2(project: ConfigProject, arguments: list[str]) -> None:
    """A typing mistake is told from a configuration that is not in order."""  # CLI-2
    done = edgezero("config", "validate", *arguments, cwd=project.folder)
    assert (done.returncode, done.stdout) == (2, "")
