"""Write docs/commands.md from the commands themselves.

    python docs/generate_commands.py

In: the click commands of ``edgezero_spin.cli``. Out: one page; ``tests/cli/test_reference.py``
fails when it is not the current one.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from edgezero_spin.cli.root import edgezero

__all__ = ["PAGE", "reference"]

PAGE = Path(__file__).with_name("commands.md")

# Every command takes these, so they are described once.
COMMON = ("-C", "-v", "--no-color", "--help")
HEAD = """\
# Commands

The commands of `edgezero`, which comes with the extra `tools`. This page is written by
`docs/generate_commands.py`: change the text where the command is.

A command ends with 0 when it is done, 1 when it refused or failed, 2 for wrong usage, 130 when it
was interrupted; one that runs another program ends with that program's status. Results go to
standard output; progress, warnings and errors to standard error. Errors start with `[edgezero]`.
`EDGEZERO_MANIFEST` names the `edgezero.toml` for `build`, `serve`, `deploy` and `auth`; without it,
it is looked for in the current folder and above.
"""


def reference() -> str:
    """Return the text of the page."""
    context = click.Context(edgezero, info_name="edgezero", **edgezero.context_settings)
    parts = [HEAD, "## Every command\n", *_options(edgezero, context, common=True)]
    parts.append("\nFor completion in a shell, see `edgezero completion`.\n")
    for name in edgezero.list_commands(context):
        command = edgezero.get_command(context, name)
        if command is not None:
            parts += _command(command, context, name)
    return "\n".join(parts)


def _command(command: click.Command, outer: click.Context, name: str) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=outer)
    yield f"\n## {context.command_path}\n"
    yield _prose(inspect.cleandoc(command.help or "")) + "\n"
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"```text\n{usage}\n```\n"
    yield from _options(command, context, common=False)
    example = inspect.cleandoc((command.epilog or "").replace("\b\n", "")).partition("\n")[2]
    yield f"\n```text\n{inspect.cleandoc(example)}\n```"
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            yield from _command(command.commands[inner], context, inner)


def _options(command: click.Command, context: click.Context, *, common: bool) -> Iterator[str]:
    rows = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and any(flag in parameter.opts for flag in COMMON) is common:
            flag, meaning = (text.replace("|", "\\|") for text in record)
            rows.append(f"| `{flag}` | {' '.join(_prose(meaning).split())} |")
    if rows:
        yield "\n".join(["| Flag | Meaning |", "| --- | --- |", *rows])


def _prose(text: str) -> str:
    """Keep Markdown from taking a placeholder for a tag."""
    return text.replace("<", "\\<")


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
