"""Commands that a project replaces: which line runs, with which environment, for whom."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from edgezero_spin.errors import ManifestError, ProjectError
from edgezero_spin.manifest import AppManifest, load_app_manifest
from edgezero_spin.project.commands import (
    CommandFailedError,
    check_adapter,
    check_built_in,
    load_project,
    manifest_command,
    resolve_listen,
    run_manifest_command,
    shell_quote,
)


def project(folder: Path, text: str) -> AppManifest:
    """Write and load an ``edgezero.toml``."""
    path = folder / "edgezero.toml"
    path.write_text(text)
    return load_app_manifest(path)


def environment(manifest: AppManifest, parent: Mapping[str, str]) -> Mapping[str, str]:
    """What the build line of a project runs with."""
    command = manifest_command(manifest, "spin", "build", parent)
    assert command is not None
    return command.environment


@pytest.mark.parametrize(
    ("argument", "quoted"),
    [  # TV-131
        ("", "''"),
        ("a b", "'a b'"),
        ("it's", """'it'"'"'s'"""),
        ("--flag=v", "--flag=v"),
        ("a/b.c:1@x_y-z", "a/b.c:1@x_y-z"),
        ("$HOME", "'$HOME'"),
        ("ä", "'ä'"),
        ("a\n", "'a\n'"),
    ],
)
def test_arguments_are_quoted_for_the_shell(argument: str, quoted: str, tmp_path: Path) -> None:
    """Plain words stay bare, all else is quoted, and the shell sees what was typed."""  # BLD-2
    assert shell_quote(argument) == quoted
    manifest = project(tmp_path, "[adapters.spin.commands]\nbuild = 'printf \"%s\" >out.txt'\n")
    command = manifest_command(manifest, "spin", "build", {"PATH": "/usr/bin:/bin"})
    assert command is not None
    run_manifest_command(command, [argument])
    assert (tmp_path / "out.txt").read_text() == argument


BUILD = "[adapters.spin.commands]\nbuild = 'true'\n"
VARIABLE = BUILD + "[[environment.variables]]\nname = 'NAME'\nvalue = 'x'\n"


@pytest.mark.parametrize(("parent", "seen"), [({"NAME": "y"}, "y"), ({}, "x"), ({"NAME": ""}, "")])
def test_a_variable_of_the_manifest_is_a_default(
    parent: dict[str, str], seen: str, tmp_path: Path
) -> None:
    """What the shell has set wins, also when it is set to nothing."""  # BLD-4, TV-132
    assert environment(project(tmp_path, VARIABLE), parent)["NAME"] == seen


def test_a_variable_without_a_value_is_not_set(tmp_path: Path) -> None:
    """Naming a variable documents it; only a value sets it."""  # BLD-5
    manifest = project(tmp_path, BUILD + "[[environment.variables]]\nname = 'NAME'\n")
    assert "NAME" not in environment(manifest, {})


def test_a_variable_for_another_adapter_is_not_set(tmp_path: Path) -> None:
    """The adapter filter of the manifest counts here."""  # MAN-8
    manifest = project(tmp_path, VARIABLE + "adapters = ['fastly']\n")
    assert "NAME" not in environment(manifest, {})


HOST = "EDGEZERO__ADAPTER__HOST"
PORT = "EDGEZERO__ADAPTER__PORT"


def test_host_and_port_are_the_weakest_hints(tmp_path: Path) -> None:
    """The process beats the manifest's variables, and those beat host and port."""  # BLD-4
    bound = BUILD + "[adapters.spin.adapter]\nhost = '0.0.0.0'\nport = 80\n"
    assert environment(project(tmp_path, bound), {})[HOST] == "0.0.0.0"
    assert environment(project(tmp_path, bound), {})[PORT] == "80"
    variable = bound + f"[[environment.variables]]\nname = '{HOST}'\nvalue = '::1'\n"
    assert environment(project(tmp_path, variable), {})[HOST] == "::1"
    assert environment(project(tmp_path, variable), {HOST: "9.9.9.9"})[HOST] == "9.9.9.9"


def test_secrets_are_demanded_before_anything_runs(tmp_path: Path) -> None:
    """One error lists every secret that is not set; one that is set to nothing is set."""
    # BLD-6, TV-133
    secrets = "[[environment.secrets]]\nname = 'token'\nenv = 'TOKEN'\n" * 2
    manifest = project(tmp_path, BUILD + secrets.replace("TOKEN", "OTHER", 1))
    with pytest.raises(ProjectError) as caught:
        manifest_command(manifest, "spin", "build", {})
    assert "adapter `spin` requires the following secrets to be set" in str(caught.value)
    assert "token (env `OTHER`), token (env `TOKEN`)" in str(caught.value)
    assert manifest_command(manifest, "spin", "build", {"OTHER": "", "TOKEN": ""}) is not None


def test_a_line_runs_in_the_folder_of_the_manifest(tmp_path: Path) -> None:
    """It goes to sh, so pipes work; nothing is printed or passed that was not said."""  # BLD-1
    manifest = project(tmp_path, "[adapters.spin.commands]\nbuild = 'pwd | cat > here'\n")
    command = manifest_command(manifest, "SPIN", "build", {"PATH": "/usr/bin:/bin"})
    assert command is not None
    run_manifest_command(command)
    assert (tmp_path / "here").read_text() == f"{tmp_path}\n"


@pytest.mark.parametrize(
    ("line", "status", "clue"),
    [
        ("exit 3", 3, ""),
        ("kill -9 $$", 137, ""),
        ("nope", 127, ": a program in it is not installed, or not on PATH"),
        ("/", 126, ": a program in it may not be run"),
    ],
)
def test_a_line_that_fails_is_named_without_its_arguments(
    line: str, status: int, clue: str, tmp_path: Path
) -> None:
    """The status is kept; what was typed after -- may be a token and is not shown."""
    # BLD-3, BLD-7
    manifest = project(tmp_path, f"[adapters.spin.commands]\ndeploy = '{line}'\n")
    command = manifest_command(manifest, "spin", "deploy", {"PATH": "/usr/bin:/bin"})
    assert command is not None
    with pytest.raises(CommandFailedError) as caught:
        run_manifest_command(command, [";exit", "hunter2"])
    assert str(caught.value) == f"deploy command `{line}` exited with status {status}{clue}"
    assert caught.value.exit_status == status


def test_a_folder_that_is_gone_is_a_failure_to_run(tmp_path: Path) -> None:
    """What cannot be started is told from what failed."""  # BLD-7
    folder = tmp_path / "gone"
    folder.mkdir()
    command = manifest_command(project(folder, BUILD), "spin", "build", {})
    assert command is not None
    (folder / "edgezero.toml").unlink()
    folder.rmdir()
    with pytest.raises(ProjectError, match="failed to run build command `true`"):
        run_manifest_command(command)


def test_a_line_that_calls_its_own_action_gets_the_built_in(tmp_path: Path) -> None:
    """``build = "edgezero build"`` ends; another action or project is not held back."""
    manifest = project(tmp_path, BUILD + "deploy = 'true'\n")
    inside = environment(manifest, {})
    assert manifest_command(manifest, "spin", "build", inside) is None
    assert manifest_command(manifest, "spin", "deploy", inside) is not None
    other = tmp_path / "other"
    other.mkdir()
    assert manifest_command(project(other, BUILD), "spin", "build", inside) is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [  # CLI-6, TV-135
        (
            "[adapters.spin]\n",
            "adapter `ghost` is not configured in edgezero.toml (available: spin)",
        ),
        ("", "adapter `ghost` is not configured in edgezero.toml (no adapters defined)"),
    ],
)
def test_an_adapter_that_is_not_declared_is_refused(text: str, said: str, tmp_path: Path) -> None:
    """The message offers what the manifest has."""
    with pytest.raises(ProjectError) as caught:
        check_adapter(project(tmp_path, text), "ghost")
    assert str(caught.value) == said


def test_an_adapter_is_spelled_as_the_manifest_does(tmp_path: Path) -> None:
    """Case does not matter; without one named it is Spin, declared or not."""  # MAN-20
    manifest = project(tmp_path, "[adapters.Spin]\n")
    assert check_adapter(manifest, "SPIN") == "Spin"
    assert check_adapter(manifest, None) == "Spin"
    assert check_adapter(project(tmp_path, ""), None) == "spin"
    assert check_adapter(None, "ghost") == "ghost"


def test_an_adapter_that_nothing_acts_for_is_refused(tmp_path: Path) -> None:
    """Declared is enough for a command of the project's own, not for a built-in."""  # CLI-6
    check_built_in("Spin")
    manifest = project(tmp_path, "[adapters.ghost.commands]\nbuild = 'true'\n")
    assert manifest_command(manifest, "ghost", "build", {}) is not None
    with pytest.raises(ProjectError, match="`ghost` is not registered in this build"):
        manifest_command(manifest, "ghost", "serve", {})


def test_the_manifest_is_found_or_named(tmp_path: Path) -> None:
    """The variable names it and makes it mandatory; without both there is none."""
    # CLI-4, TV-134
    assert load_project({}, start=tmp_path) is None
    gone = tmp_path / "gone.toml"
    with pytest.raises(ProjectError, match=f"failed to load {gone}"):
        load_project({"EDGEZERO_MANIFEST": str(gone)}, start=tmp_path)
    project(tmp_path, "[app]\nname = 'here'\n")
    named = tmp_path / "named.toml"
    named.write_text("[app]\nname = 'named'\n")
    inner = tmp_path / "src"
    inner.mkdir()
    for start in (tmp_path, inner):
        found = load_project({}, start=start)
        assert found is not None
        assert found.name == "here"
    found = load_project({"EDGEZERO_MANIFEST": str(named)}, start=tmp_path)
    assert found is not None
    assert found.name == "named"
    (tmp_path / "edgezero.toml").write_text("not = [")
    with pytest.raises(ManifestError):
        load_project({}, start=tmp_path)


def test_a_folder_with_a_spin_manifest_only_is_a_project_of_its_own(tmp_path: Path) -> None:
    """The commands of a project further up are not run for it."""
    project(tmp_path, BUILD)
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "spin.toml").touch()
    assert load_project({}, start=inner) is None


ADAPTER = "[adapters.spin.adapter]\n"


@pytest.mark.parametrize(
    ("declared", "environ", "expected", "warned"),
    [  # ENV-20
        pytest.param("", {}, None, (), id="nothing"),
        pytest.param("host = '0.0.0.0'", {}, "0.0.0.0:3000", (), id="host of the manifest"),
        pytest.param("port = 81", {}, "127.0.0.1:81", (), id="port of the manifest"),
        pytest.param("port = 81", {PORT: "82"}, "127.0.0.1:82", (), id="variable wins"),
        pytest.param("", {HOST: "::1", PORT: "80"}, "[::1]:80", (), id="IPv6"),
        pytest.param("", {HOST: "localhost"}, None, ("not a valid IP address",), id="a name"),
        pytest.param(
            "host = '1.1.1.1'", {HOST: ""}, "1.1.1.1:3000", (HOST,), id="an empty variable"
        ),
        pytest.param("", {PORT: "x"}, None, ("not a valid port number",), id="no number"),
        pytest.param("", {PORT: "65536"}, None, ("not a valid port number",), id="too large"),
        pytest.param("port = 81", {PORT: "0"}, "127.0.0.1:81", ("falling back",), id="zero"),
        pytest.param("port = 0", {}, None, ("configured port=0",), id="zero in the manifest"),
    ],
)
def test_hints_say_where_to_listen(
    declared: str,
    environ: dict[str, str],
    expected: str | None,
    warned: tuple[str, ...],
    tmp_path: Path,
) -> None:
    """Host and port come from the nearest hint that is one; the others are warned of."""
    address, warnings = resolve_listen(project(tmp_path, ADAPTER + declared), "spin", environ)
    assert address == expected
    assert len(warnings) == len(warned)
    assert all(said in warning for said, warning in zip(warned, warnings, strict=True))
