"""The doctor: each thing that can be wrong is found, and says how to mend it."""

import importlib.metadata
import os
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import wasmtime

from edgezero_spin.project import doctor_machine
from edgezero_spin.project.doctor import examine
from edgezero_spin.project.doctor_machine import OLDEST_PYTHON, TOOLS, examine_machine
from edgezero_spin.project.doctor_report import DoctorFinding
from edgezero_spin.project.spin_environment import SPIN_MEMORY_SETTINGS
from tests.host.triggers.guest import REDIS, guest
from tests.project.spin_stand_in import SpinStandIn

ROOT = Path(__file__).parent.parent.parent
SPIN = """\
spin_manifest_version = 2
[application]
name = "app"
[variables]
token = { required = true, secret = true }
color = { default = "red" }
[[trigger.http]]
route = "/..."
component = "app"
[component.app]
source = "app.wasm"
key_value_stores = ["default", "notes"]
[component.app.build]
command = "true"
watch = ["*.py"]
"""
APP = """\
[app]
name = "app"
[stores.kv]
ids = ["notes"]
[stores.config]
ids = ["default"]
[adapters.spin.adapter]
manifest = "spin.toml"
"""
CONFIG = "size = 1\n"
RUNTIME = "[key_value_store.notes]\ntype = 'spin'\npath = 'notes.db'\n"
SET = {"SPIN_VARIABLE_TOKEN": "x"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project in order."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "spin.toml").write_text(SPIN)
    (tmp_path / "edgezero.toml").write_text(APP)
    (tmp_path / "app.toml").write_text(CONFIG)
    (tmp_path / "runtime-config.toml").write_text(RUNTIME)
    (tmp_path / "app.py").touch()
    (tmp_path / "app.wasm").write_bytes(wasmtime.wat2wasm("(component)"))
    later = (tmp_path / "app.py").stat().st_mtime + 5
    os.utime(tmp_path / "app.wasm", (later, later))
    return tmp_path


def wrong(folder: Path, **environ: str) -> list[DoctorFinding]:
    """What is found in a project beside what is fine, the machine left out."""
    machine = list(examine_machine({**SET, **environ}))
    return [
        finding
        for finding in examine({**SET, **environ}, str(folder))
        if finding.level != "ok" and finding not in machine
    ]


@pytest.mark.parametrize(
    ("installed", "told"), [("3.6.3", True), ("4.0.2", True), ("4.1.0", False)]
)
def test_a_spin_that_is_too_old_for_a_component_is_told(
    folder: Path, spin: SpinStandIn, installed: str, told: bool
) -> None:
    """It is not a fault of the project: the embedded host runs it."""
    text = '(component (instance $i) (export "wasi:http/handler@0.3.0" (instance $i)))'
    modified = (folder / "app.wasm").stat().st_mtime
    (folder / "app.wasm").write_bytes(wasmtime.wat2wasm(text))
    os.utime(folder / "app.wasm", (modified, modified))
    spin.be(f"spin {installed} (abc)")
    found = [(finding.level, finding.what) for finding in wrong(folder)]
    expected = f"component app: needs Spin 4.1 or later; installed is spin {installed} (abc)"
    assert found == ([("remark", expected)] if told else [])


def test_a_file_that_is_no_component_is_told(folder: Path) -> None:
    """Spin would say so at the start, and not what to do."""
    modified = (folder / "app.wasm").stat().st_mtime
    (folder / "app.wasm").write_text("")
    os.utime(folder / "app.wasm", (modified, modified))
    (found,) = wrong(folder)
    assert found.what.endswith("app.wasm is not a component")
    assert found.remedy == "Run `edgezero build -c app`."


def test_a_project_in_order(folder: Path) -> None:
    """Nothing is found, and what was looked at is named."""
    assert wrong(folder) == []
    said = [finding.what for finding in examine(SET, str(folder)) if finding.level == "ok"]
    for part in ("Python", "componentize-py", "edgezero.toml", "app.toml", "spin.toml", "app.wasm"):
        assert any(part in what for what in said)


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    """A slip in a file."""

    def make(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return make


def age(folder: Path) -> None:
    """A source that is newer than the component."""
    later = (folder / "app.wasm").stat().st_mtime + 5
    os.utime(folder / "app.py", (later, later))


@pytest.mark.parametrize(
    ("break_it", "found", "remedy"),
    [
        pytest.param(
            lambda folder: (folder / "app.wasm").unlink(),
            "app.wasm is not there",
            "Run `edgezero build -c app`.",
            id="not built",
        ),
        pytest.param(age, "app.wasm is older than", "Run `edgezero build -c app`.", id="stale"),
        pytest.param(
            edit("spin.toml", ', "notes"', ""),
            "does not list the label `notes` of the KV store `notes`",
            "Run `edgezero provision`.",
            id="label not listed",
        ),
        pytest.param(
            lambda folder: (folder / "runtime-config.toml").write_text(
                f"{RUNTIME}[key_value_store.default]\ntype = 'spin'\n"
            ),
            "[key_value_store.default] has no path, so the store is kept in memory, and what "
            "`config push` writes does not reach it",
            'Add:\n    path = ".spin/sqlite_key_value.db"',
            id="configuration in memory",
        ),
        pytest.param(
            edit("runtime-config.toml", "[key_value_store.notes]", "[key_value_store.other]"),
            "has no [key_value_store.notes]",
            '[key_value_store.notes]\n    type = "spin"',
            id="no stanza",
        ),
        pytest.param(
            lambda folder: (folder / "runtime-config.toml").unlink(),
            "has no [key_value_store.notes]",
            '[key_value_store.notes]\n    type = "spin"',
            id="no runtime configuration",
        ),
        pytest.param(
            edit("runtime-config.toml", "]", ""),
            "failed to parse runtime-config at",
            "Correct the file.",
            id="broken runtime configuration",
        ),
        pytest.param(
            edit("spin.toml", 'source = "app.wasm"', "sauce = 1"),
            "sauce",
            "Correct the file.",
            id="broken spin.toml",
        ),
        pytest.param(
            edit("edgezero.toml", "ids", "idss"),
            "idss",
            "Correct the file; `edgezero config validate` checks it alone.",
            id="broken edgezero.toml",
        ),
        pytest.param(
            edit("edgezero.toml", 'manifest = "spin.toml"', 'component = "gone"'),
            "[adapters.spin.adapter].manifest is not set",
            "spin.toml",
            id="no component",
        ),
        pytest.param(
            lambda folder: (folder / "app.toml").unlink(),
            'app.toml": there is no such file',
            "Check the name",
            id="no configuration",
        ),
        pytest.param(
            edit("app.toml", "=", ""),
            'app.toml" as TOML: line 1',
            "`edgezero config validate`",
            id="broken configuration",
        ),
        pytest.param(
            edit("app.toml", "1", "inf"),
            'app.toml": line 1: size: a non-finite float',
            "Give a number.",
            id="a number that is none",
        ),
        pytest.param(
            edit("edgezero.toml", 'name = "app"', ""),
            "[app].name",
            "",
            id="no name for the configuration",
        ),
        pytest.param(
            edit("spin.toml", 'color = { default = "red" }', "color = { required = true }"),
            "the variable color of",
            "Set SPIN_VARIABLE_COLOR",
            id="unset variable",
        ),
    ],
)
def test_each_thing_that_can_be_wrong(
    break_it: Callable[[Path], object], found: str, remedy: str, folder: Path
) -> None:
    """One slip is one problem, with what to do about it."""
    break_it(folder)
    (finding,) = wrong(folder)
    assert finding.level == "problem"
    assert found in finding.what
    assert remedy in finding.remedy


def test_a_variable_over_the_configuration_that_does_not_fit(folder: Path) -> None:
    """Whoever pushes from this shell would be told the same."""  # VAL-3, OVL-11
    (finding,) = wrong(folder, APP__SIZE="big")
    assert "cannot be coerced to integer" in finding.what


def test_an_app_without_configuration_needs_none(folder: Path) -> None:
    """No store for it is declared, and no file is there."""  # VAL-3
    (folder / "app.toml").unlink()
    edit("edgezero.toml", '[stores.config]\nids = ["default"]\n', "")(folder)
    assert wrong(folder) == []


def test_a_variable_can_be_set_in_three_ways(folder: Path) -> None:
    """The environment, the file .env, and a provider that nobody here can ask."""  # VAR-22
    environ = {name: value for name, value in SET.items() if name != "SPIN_VARIABLE_TOKEN"}

    def levels() -> list[str]:
        found = examine(environ, str(folder))
        return [finding.level for finding in found if "variable token" in finding.what]

    assert levels() == ["problem"]
    provider = "[[variables_provider]]\ntype = 'vault'\n"
    (folder / "runtime-config.toml").write_text(RUNTIME + provider)
    assert levels() == ["remark"]
    (folder / ".env").write_text("# x\nexport SPIN_VARIABLE_TOKEN = 'x'\n")
    assert levels() == []


def test_a_secret_of_the_environment(folder: Path) -> None:
    """Commands of the project will ask for it; everything else works without."""  # MAN-9
    with (folder / "edgezero.toml").open("a") as manifest:
        manifest.write("[[environment.secrets]]\nname = 'api'\nenv = 'API'\n")
    (finding,) = wrong(folder)
    assert (finding.level, "variable API" in finding.remedy) == ("remark", True)
    assert wrong(folder, API="") == []


def test_no_project_is_no_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine can be examined anywhere; a manifest that was named has to be there."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    found = list(examine({}))
    assert found[-1].level == "remark"
    assert "could not locate spin.toml" in found[-1].what
    assert "edgezero new" in found[-1].remedy
    assert list(examine({}, "gone.toml"))[-1].level == "problem"


def test_the_versions_are_those_of_the_package() -> None:
    """What the doctor asks for is what pip is told to install."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={'.'.join(map(str, OLDEST_PYTHON))}"
    for tool, (oldest, too_new) in TOOLS.items():
        wanted = f"{tool}>={'.'.join(map(str, oldest))},<{'.'.join(map(str, too_new))}"
        assert wanted in project["optional-dependencies"]["tools"]


@pytest.mark.parametrize(
    ("version", "level"),
    [("0.25.1", "ok"), ("0.25.9rc1", "ok"), ("0.25.0", "problem"), ("0.26.0", "problem"),
     ("1.0", "problem"), (None, "problem")],
)  # fmt: skip
def test_tools_of_other_versions(
    version: str | None, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too old, too new and missing are told, with the command that mends it."""

    def lookup(name: str) -> str:
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", lookup)
    finding = next(found for found in examine_machine({}) if "componentize-py" in found.what)
    assert finding.level == level
    assert level == "ok" or 'pip install --upgrade "edgezero-spin[tools]"' in finding.remedy


@pytest.mark.parametrize(
    ("answer", "level", "said"),
    [  # SQL-12
        ("spin 3.6.3 (88d51cf 2026-04-09)", "ok", "3.6.3"),
        ("spin 10.0.1 (abc)", "remark", "10.0.1"),
        ("hello world", "remark", "hello world"),
        (None, "remark", "does not answer"),
    ],
)
def test_spin_is_asked_for_its_version(
    answer: str | None, level: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions whose table was compared are fine; others are told, and keep nobody."""
    program = tmp_path / "spin"
    program.write_text("#!/bin/sh\n" + ("exit 1\n" if answer is None else f"echo '{answer}'\n"))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    finding, told = list(examine_machine({}))[-2:]
    assert finding.level == level
    assert said in finding.what
    # What Spin should be told; who has told it is left alone.
    assert "SPIN_WASMTIME_LINEAR_MEMORY_KEEP_RESIDENT=33554432" in told.remedy
    assert list(examine_machine(SPIN_MEMORY_SETTINGS))[-1] == finding


def test_a_machine_without_spin_and_with_an_old_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Spin much works; without the right Python nothing does."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(doctor_machine, "OLDEST_PYTHON", (sys.version_info[0] + 1, 0))
    found = list(examine_machine({}))
    assert (found[0].level, found[-1].level) == ("problem", "remark")
    assert "https://spinframework.dev/" in found[-1].remedy


def test_a_trigger_that_does_not_start_its_component_is_told(folder: Path) -> None:
    """A handler that no table starts; a table whose component has no handler is refused by up."""
    (folder / "app.wasm").write_bytes(wasmtime.wat2wasm(guest(REDIS)))
    later = (folder / "app.py").stat().st_mtime + 5
    os.utime(folder / "app.wasm", (later, later))
    found = [finding for finding in wrong(folder) if "redis" in finding.what]
    assert [finding.what.partition(", and no")[0] for finding in found] == [
        "component app has a handler of redis triggers"
    ]
    table = '[application.trigger.redis]\naddress = "redis://h"\n' + (
        '[[trigger.redis]]\nchannel = "x"\ncomponent = "app"\n'
    )
    (folder / "spin.toml").write_text(SPIN + table)
    assert not [finding for finding in wrong(folder) if "redis triggers" in finding.what]
