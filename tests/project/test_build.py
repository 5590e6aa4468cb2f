"""Which build commands run, in which order and where, and what their failure becomes."""

import os
import sys
from pathlib import Path

import pytest

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest.errors import InvalidManifestError
from edgezero_spin.manifest.spin import load_spin_manifest
from edgezero_spin.project.build import BuildFailedError, BuildStep, plan_build, run_step

HEAD = """\
spin_manifest_version = 2
[application]
name = "app"
"""


def component(id: str, build: str = "", source: str = "", rest: str = "") -> str:
    """The tables of one component and its trigger."""
    return (
        f'[[trigger.http]]\nroute = "/{id}"\ncomponent = "{id}"\n'
        f'[component.{id}]\nsource = "{source or id + ".wasm"}"\n{rest}\n'
        + (f"[component.{id}.build]\n{build}\n" if build else "")
    )


def manifest(folder: Path, *components: str) -> Path:
    """Write a manifest and return its path."""
    path = folder / "spin.toml"
    path.write_text(HEAD + "".join(components))
    return path


def test_a_folder_to_build_in_is_relative(tmp_path: Path) -> None:
    """The build is refused; the manifest itself is fine, as it is in Spin."""  # MAN-42
    path = manifest(tmp_path, component("one", 'command = "make"\nworkdir = "/abs"'))
    assert load_spin_manifest(path).components
    with pytest.raises(ProjectError, match=r"one\.build\.workdir: .* must be relative. It is /abs"):
        plan_build(path)


def test_commands_run_in_the_order_of_the_manifest(tmp_path: Path) -> None:
    """A list of commands is steps in a row; a component without a build is left out."""  # MAN-42
    path = manifest(
        tmp_path,
        component("two", 'command = ["make a", "make b"]\nworkdir = "src"'),
        component("none"),
        component("one", 'command = "make c"'),
    )
    assert plan_build(path) == (
        BuildStep(
            component_id="two",
            command="make a",
            workdir=tmp_path / "src",
            workdir_named=True,
            number=1,
            total=2,
        ),
        BuildStep(
            component_id="two",
            command="make b",
            workdir=tmp_path / "src",
            workdir_named=True,
            number=2,
            total=2,
        ),
        BuildStep(component_id="one", command="make c", workdir=tmp_path),
    )


def test_components_come_after_what_they_depend_on(tmp_path: Path) -> None:
    """A local dependency is built first, whatever the manifest's order."""  # CLI-15
    path = manifest(
        tmp_path,
        component(
            "top", 'command = "t"', rest='dependencies = { "a:b/c" = { path = "./deep.wasm" } }'
        ),
        component(
            "middle",
            'command = "m"',
            source="deep.wasm",
            rest='dependencies = { "d:e/f" = { path = "base.wasm" } }',
        ),
        component("base", 'command = "b"'),
    )
    assert [step.component_id for step in plan_build(path)] == ["base", "middle", "top"]


def test_a_circle_of_dependencies_keeps_the_order_of_the_manifest(tmp_path: Path) -> None:
    """Components that depend on each other are still built, each once."""  # CLI-15
    path = manifest(
        tmp_path,
        component("a", 'command = "a"', rest='dependencies = { "x:y/z" = { path = "b.wasm" } }'),
        component("b", 'command = "b"', rest='dependencies = { "x:y/w" = { path = "a.wasm" } }'),
    )
    assert sorted(step.component_id for step in plan_build(path)) == ["a", "b"]


def test_only_the_components_asked_for_are_built(tmp_path: Path) -> None:
    """``-c`` picks components and leaves their dependencies alone."""  # CLI-14
    path = manifest(tmp_path, component("a", 'command = "a"'), component("b", 'command = "b"'))
    assert [step.component_id for step in plan_build(path, ["b"])] == ["b"]


def test_unknown_components_are_named_with_the_known_ones(tmp_path: Path) -> None:
    """Every unknown id is in the message, and so is what there is."""  # CLI-15
    path = manifest(tmp_path, component("a"), component("b"))
    with pytest.raises(ProjectError, match=r"Unknown component\(s\) x, y .*\(available: a, b\)"):
        plan_build(path, ["a", "x", "y"])


def test_a_profile_replaces_the_command(tmp_path: Path) -> None:
    """The chosen profile's command runs in place of the usual one."""  # MAN-47
    path = manifest(
        tmp_path,
        component("a", 'command = "usual"'),
        '[component.a.profile.debug.build]\ncommand = "other"\n',
    )
    assert [step.command for step in plan_build(path, profile="debug")] == ["other"]
    assert [step.command for step in plan_build(path)] == ["usual"]


def step(command: str, workdir: Path) -> BuildStep:
    """One step of a component named app."""
    return BuildStep(component_id="app", command=command, workdir=workdir)


def test_a_step_runs_in_a_shell_in_its_folder(tmp_path: Path) -> None:
    """Pipes and redirections mean what they mean in a shell."""
    run_step(step("echo built | cat > out.txt", tmp_path))
    assert (tmp_path / "out.txt").read_text() == "built\n"


def test_a_step_finds_the_programs_of_this_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment's ``edgezero`` is found where no environment is active."""
    monkeypatch.setenv("PATH", os.defpath)
    run_step(step("command -v python > where.txt", tmp_path))
    assert (tmp_path / "where.txt").read_text().strip() == str(
        Path(sys.executable).parent / "python"
    )


@pytest.mark.parametrize(
    ("command", "status"),
    [("exit 3", 3), ("no-such-program-anywhere", 127), ("kill -9 $$", 137)],
)
def test_a_failing_step_keeps_its_status(command: str, status: int, tmp_path: Path) -> None:
    """The error names component and command, and carries the child's status."""
    with pytest.raises(BuildFailedError) as caught:
        run_step(step(command, tmp_path))
    assert caught.value.exit_status == status
    assert str(caught.value) == (
        f"build command for component app failed with status {status}: {command}"
    )


def test_a_missing_workdir_is_named(tmp_path: Path) -> None:
    """A folder that is not there is an error of its own, not the shell's."""
    with pytest.raises(ProjectError, match=r"component app: the build's workdir '.*gone' is not"):
        run_step(step("true", tmp_path / "gone"))


def test_what_building_does_not_need_is_a_warning(tmp_path: Path) -> None:
    """An error elsewhere in the manifest is told, and every component is built."""
    path = manifest(
        tmp_path,
        component("one", 'command = "make"', rest="key_value_stores = [1]\nunknown = 2"),
        component("two", 'command = ["a", "b"]', rest='variables = { v = "{{ nobody }}" }'),
        '[[trigger.http]]\nroute = 1\ncomponent = "gone"\n[application]\n'.replace(
            "[application]\n", "[nonsense]\n"
        ),
    )
    with pytest.raises(InvalidManifestError):
        plan_build(path)
    warnings: list[str] = []
    steps = plan_build(path, warn=warnings.append)
    assert [step.command for step in steps] == ["make", "a", "b"]
    assert len(warnings) >= 3
    assert all(warning.startswith(f"{path}: ") for warning in warnings)


@pytest.mark.parametrize(
    ("text", "profile"),
    [
        (component("one", "command = 1"), None),
        (component("one", 'comand = "make"'), None),
        (component("one", 'command = "make"') + "[[", None),
        (component("one", 'command = "make"', rest="key_value_stores = 1"), "nobody"),
    ],
)
def test_what_building_needs_is_still_an_error(
    tmp_path: Path, text: str, profile: str | None
) -> None:
    """Commands that cannot be read, a text that is not TOML, a profile that nobody has."""
    with pytest.raises(InvalidManifestError):
        plan_build(manifest(tmp_path, text), profile=profile, warn=lambda warning: None)
