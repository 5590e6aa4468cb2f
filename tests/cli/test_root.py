"""What every command shares: help, versions, usage mistakes, colours, missing extras."""

import importlib
import inspect
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import edgezero_spin
from edgezero_spin.cli.root import edgezero as group
from tests.cli.running import edgezero, refusal
from tests.source_tree import PACKAGE


def command_lines(outer: click.Group, *words: str) -> Iterator[tuple[str, ...]]:
    """Every command and group below a group, as it is typed."""
    context = click.Context(outer)
    for name in outer.list_commands(context):
        command = outer.get_command(context, name)
        assert command is not None
        yield (*words, name)
        if isinstance(command, click.Group):
            yield from command_lines(command, *words, name)


COMMANDS = list(command_lines(group))


def test_the_commands_of_edgezero_are_there() -> None:
    """Whoever comes from EdgeZero types what they know; its contributors' `demo` is not ours."""
    # CLI-1
    known = ["new", "build", "serve", "deploy", "provision"]
    known += ["auth login", "auth logout", "auth status", "config validate", "config push"]
    assert {tuple(words.split()) for words in known} <= set(COMMANDS)
    assert ("demo",) not in COMMANDS


@pytest.mark.parametrize(
    "function",
    [
        "new:create_project",
        "add_store:add_store",
        "add_component:add_component",
        "build:plan_build",
        "serve:run_spin",
        "deploy:run_spin_deploy",
        "deploy:run_spin_cloud",
        "provision:provision",
        "config_validate:validate_config",
        "config_push:push_config",
        "config_diff:diff_config",
        "doctor:examine",
    ],
)
def test_an_apps_own_command_can_do_the_same(function: str) -> None:
    """Each command is one call of a public function, which says what it takes and raises."""
    # CLI-7
    module, _, name = function.partition(":")
    room = importlib.import_module(f"edgezero_spin.project.{module}")
    assert name in room.__all__
    assert inspect.getdoc(getattr(room, name))
    lines = "".join(path.read_text() for path in (PACKAGE / "cli").glob("*.py"))
    assert f"import {name}" in lines or re.search(rf"import [^\n(]*\b{name}\b|\b{name},", lines)


def test_version() -> None:
    """``--version`` is the package's own version."""
    done = edgezero("--version")
    assert (done.returncode, done.stdout) == (0, f"edgezero {edgezero_spin.__version__}\n")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_shows_an_example_and_the_common_flags(command: tuple[str, ...]) -> None:
    """``--help`` of each command shows how it is typed and the flags that all take."""
    done = edgezero(*command, "--help")
    assert done.returncode == 0
    assert f"  edgezero {' '.join(command)}" in done.stdout.partition("Example:")[2]
    for flag in ("-C DIR", "--verbose", "--no-color", "--adapter"):
        assert flag in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["nothing"], id="unknown command"),
        pytest.param(["build", "--nothing"], id="unknown flag"),
        pytest.param(["componentize", "a", "-o", "b", "--adapter", "ghost"], id="unknown adapter"),
        pytest.param(["componentize", "app:app"], id="no output"),
        pytest.param(["-C", "no/such/folder", "build"], id="no folder"),
        pytest.param(["build", "-C", "no/such/folder"], id="no folder, after the command"),
        pytest.param(["serve", "--engine", "steam"], id="unknown engine"),
        pytest.param(["serve", "--env", "NAME"], id="no equals sign"),
        pytest.param(["serve", "--key-value", "=x"], id="no key"),
    ],
)
def test_usage_mistakes_end_with_2(arguments: list[str], tmp_path: Path) -> None:
    """Wrong usage is told from failure by its status, and writes nothing."""
    done = edgezero(*arguments, cwd=tmp_path)
    assert done.returncode == 2  # CLI-2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_errors_are_one_line_and_status_1(tmp_path: Path) -> None:
    """A refusal is one line on standard error, with no colour codes in a pipe."""
    message = refusal(edgezero("build", cwd=tmp_path))
    assert message.count("\n") == 1
    assert "could not locate spin.toml" in message  # BLD-9
    assert str(tmp_path) in message
    assert "\x1b" not in message


def test_verbose_shows_where_an_error_came_from(tmp_path: Path) -> None:
    """``-v`` adds the traceback and keeps the line and the status."""
    for arguments in (["-v", "build"], ["build", "-v"]):
        done = edgezero(*arguments, cwd=tmp_path)
        assert done.returncode == 1
        assert "Traceback (most recent call last)" in done.stderr
        assert done.stderr.splitlines()[-1].startswith("[edgezero] Error: ")


@pytest.mark.parametrize("arguments", [["-C", "inner", "build"], ["build", "-C", "inner"]])
def test_folder_flag_is_where_the_command_runs(arguments: list[str], tmp_path: Path) -> None:
    """``-C`` counts before and after the command's name."""
    (tmp_path / "inner").mkdir()
    assert str(tmp_path / "inner") in refusal(edgezero(*arguments, cwd=tmp_path))


def without(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in an interpreter where one module cannot be imported."""
    script = (
        f"import sys; sys.modules[{module!r}] = None; "
        "from edgezero_spin.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_click_the_command_says_what_to_install() -> None:
    """The base installation has the console script but not the extra behind it."""
    message = refusal(without("click", "--help"))
    assert 'click is not installed: pip install "edgezero-spin[tools]"' in message


def test_without_liquid_only_templates_of_others_are_refused(tmp_path: Path) -> None:
    """Our own project is made; a condition in a template names the extra, and leaves nothing."""
    made = without("liquid", "new", "mine", "--output", str(tmp_path / "mine"), "--no-vcs")
    assert made.returncode == 0, made.stderr
    assert '"{{ api_token }}"' in (tmp_path / "mine" / "spin.toml").read_text()
    template = tmp_path / "template"
    for name in ("metadata", "content"):
        (template / name).mkdir(parents=True)
    manifest = 'manifest_version = "1"\nid = "other"\n'
    (template / "metadata" / "spin-template.toml").write_text(manifest)
    (template / "content" / "a.txt").write_text("{% if x %}y{% endif %}")
    arguments = ("new", "other", "--template", str(template), "--output", str(tmp_path / "other"))
    message = refusal(without("liquid", *arguments))
    assert 'liquid is not installed: pip install "edgezero-spin[templates]"' in message
    assert not (tmp_path / "other").exists()


def at_a_terminal(*arguments: str, cwd: Path, **env: str) -> bytes:
    """What a run shows where its output is a terminal."""
    terminal, end = pty.openpty()
    try:
        subprocess.run(
            [sys.executable, "-m", "edgezero_spin.cli", *arguments],
            cwd=cwd,
            env={name: value for name, value in os.environ.items() if name != "NO_COLOR"} | env,
            stdin=end,
            stdout=end,
            stderr=end,
            timeout=60,
            check=False,
        )
        return os.read(terminal, 65536)
    finally:
        os.close(terminal)
        os.close(end)


@pytest.mark.parametrize("command", [("doctor",), ("provision",)])
def test_colours_are_for_terminals_that_want_them(command: tuple[str, ...], tmp_path: Path) -> None:
    """The flag, before or after the command, or the variable turns them off; an empty one not."""
    assert b"\x1b[" in at_a_terminal(*command, cwd=tmp_path)
    assert b"\x1b[" in at_a_terminal(*command, cwd=tmp_path, NO_COLOR="")
    assert b"\x1b[" not in at_a_terminal(*command, cwd=tmp_path, NO_COLOR="1")
    assert b"\x1b[" not in at_a_terminal("--no-color", *command, cwd=tmp_path)
    assert b"\x1b[" not in at_a_terminal(*command, "--no-color", cwd=tmp_path)


def at_a_shell(line: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a line in which ``edgezero`` stands for the command, its output kept as bytes."""
    line = line.replace("edgezero", f"'{sys.executable}' -m edgezero_spin.cli", 1)
    return subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, check=False)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A project with an entry in its store."""
    (tmp_path / "spin.toml").write_text(
        'spin_manifest_version = 2\napplication.name = "a"\n[[trigger.http]]\nroute = "/"\n'
        'component = "c"\n[component.c]\nsource = "c.wat"\n'
    )
    assert edgezero("kv", "put", "key", "value", cwd=tmp_path).returncode == 0
    return tmp_path


@pytest.mark.parametrize(
    "command", ["--version", "doctor", "kv list", "kv get key", "kv export", "lock -o -"]
)
def test_output_that_nothing_takes(command: str, store: Path) -> None:
    """A full disk is one line and status 1; a closed output is none of the command's business."""
    done = at_a_shell(f"edgezero {command} > /dev/full", store)
    said = b"[edgezero] Error: cannot write the output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, said)
    done = at_a_shell(f"edgezero {command} >&-", store)
    assert (done.returncode, done.stderr) == (int(command == "doctor"), b"")


def test_a_printed_lock_has_no_copies(store: Path) -> None:
    """Where files would have to be copied, the flag that was not given is explained."""
    manifest = store / "spin.toml"
    manifest.write_text(manifest.read_text() + 'files = ["*.txt"]\n')
    (store / "a.txt").touch()
    done = edgezero("lock", "-o", "-", cwd=store)
    assert (done.returncode, done.stdout) == (1, "")
    assert "a lock that is printed is made with --direct-mounts: give --output FILE" in done.stderr
    assert edgezero("lock", cwd=store).returncode == 0
    message = refusal(edgezero("lock", "-o", "gone/x.lock", cwd=store))
    assert "cannot write" in message


def test_input_that_is_closed(store: Path) -> None:
    """It is empty, and nobody sits there."""
    assert at_a_shell("edgezero kv put key - <&-", store).returncode == 0
    assert at_a_shell("edgezero kv get key", store).stdout == b""
    assert b"nobody can be asked" in at_a_shell("edgezero doctor --fix <&-", store).stderr


def test_arguments_that_are_not_utf8(store: Path) -> None:
    """A value may be any bytes, and so may a path; what has to be text is named, with status 2."""
    assert at_a_shell(r"edgezero kv put key $'a\xff'", store).returncode == 0
    assert at_a_shell("edgezero kv get key", store).stdout == b"a\xff"
    done = at_a_shell(r"edgezero kv get $'\xff'", store)
    assert done.returncode == 2
    assert done.stderr == b"[edgezero] Error: the argument '\\udcff' is not UTF-8 text\n"
    done = at_a_shell(r"edgezero new --no-vcs $'\xff/shop'", store)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Created shop in \\udcff/shop " in done.stdout
    assert (store / os.fsdecode(b"\xff") / "shop" / "spin.toml").is_file()


def test_letters_that_a_terminal_does_not_have(store: Path) -> None:
    """They are written as escapes."""
    edgezero("kv", "put", "\u0436", "1", cwd=store)
    done = edgezero("kv", "list", cwd=store, env={"PYTHONIOENCODING": "latin-1"})
    assert (done.returncode, done.stdout) == (0, "key\n\\u0436\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion_is_offered(shell: str) -> None:
    """click's own completion script is reachable under the command's name."""
    done = edgezero(env={"_EDGEZERO_COMPLETE": f"{shell}_source"})
    assert done.returncode == 0
    assert "_EDGEZERO_COMPLETE" in done.stdout
