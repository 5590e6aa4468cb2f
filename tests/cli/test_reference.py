"""The page of commands is the current one, and what it shows can be typed."""

import os
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from edgezero_spin.cli.root import edgezero as group
from tests.cli.running import edgezero
from tests.cli.test_root import COMMANDS

ROOT = Path(__file__).parent.parent.parent
GENERATOR = ROOT / "docs" / "generate_commands.py"


def test_the_page_is_current() -> None:
    """Whoever changes a command runs ``python docs/generate_commands.py``."""
    written = runpy.run_path(str(GENERATOR))
    assert written["PAGE"].read_text(encoding="utf-8") == written["reference"]()


def inner(outer: click.Group, word: str) -> click.Command:
    """The command of this name in a group."""
    found = outer.get_command(click.Context(outer), word)
    assert found is not None
    return found


def examples() -> list[list[str]]:
    """Every command line in an epilog, as words."""
    lines = []
    for words in COMMANDS:
        command: click.Command = group
        for word in words:
            assert isinstance(command, click.Group)
            command = inner(command, word)
        lines += [line.strip() for line in (command.epilog or "").splitlines()[2:]]
    return [shlex.split(line.partition(" > ")[0].partition(" >> ")[0]) for line in lines]


@pytest.mark.parametrize("words", examples(), ids=" ".join)
def test_every_example_can_be_typed(words: list[str]) -> None:
    """Its commands and flags exist, and nothing that is needed lacks."""
    assert words.pop(0) == "edgezero"
    command: click.Command = group
    context = click.Context(command, info_name="edgezero")
    while isinstance(command, click.Group):
        command = inner(command, words.pop(0))
        context = click.Context(command, parent=context, info_name=command.name)
    if "--" in words:
        words = words[: words.index("--")]
    values, rest, _ = command.make_parser(context).parse_args(words)
    assert rest == []
    for parameter in command.params:
        assert not parameter.required or values.get(str(parameter.name)) is not None


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("edgezero prov", "plain,provision"),
        ("edgezero config va", "plain,validate"),
        ("edgezero serve --eng", "plain,--engine"),
        ("edgezero serve --engine emb", "plain,embedded"),
    ],
)
def test_a_shell_completes(typed: str, offered: str) -> None:
    """What bash asks for is answered: commands, flags and choices."""
    count = len(typed.split()) - 1
    env = {"_EDGEZERO_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(count)}
    assert edgezero(env=env).stdout.splitlines() == [offered]


@pytest.mark.parametrize(
    ("shell", "offered"),
    [
        ("bash", ["plain,component"]),
        ("zsh", ["plain", "component", "Add a component to the application."]),
        ("fish", ["plain,component\tAdd a component to the application."]),
    ],
)
def test_every_shell_completes_inner_commands(shell: str, offered: list[str]) -> None:
    """Each in its own form; zsh and fish show what a command does."""
    position = "comp" if shell == "fish" else "2"
    env = {
        "_EDGEZERO_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": "edgezero add comp",
        "COMP_CWORD": position,
    }
    assert edgezero(env=env).stdout.splitlines() == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell(shell: str, tmp_path: Path) -> None:
    """It names the command, and bash can read its own."""
    done = edgezero("completion", shell)
    assert done.returncode == 0, done.stderr
    assert "_EDGEZERO_COMPLETE" in done.stdout
    if shell == "bash":
        script = tmp_path / "script"
        script.write_text(done.stdout)
        subprocess.run(["bash", "-n", script], check=True)


def test_the_generator_runs_as_the_page_says(tmp_path: Path) -> None:
    """The command in the page's head writes the page that is there."""
    copy = tmp_path / "docs"
    copy.mkdir()
    (copy / GENERATOR.name).write_text(GENERATOR.read_text())
    subprocess.run(
        [sys.executable, copy / GENERATOR.name],
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (copy / "commands.md").read_text() == (ROOT / "docs" / "commands.md").read_text()
