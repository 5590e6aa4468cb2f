"""Flags of the commands that make files from a template: which one, its values, what stays.

In: a command function. Out: the same with the flags of ``spin new`` and ``spin add`` added,
their values gathered in one ``TemplateFlags``.

Source: contract spin-host.md, CLI-18, CLI-19, TPL-11, TPL-12; services.md, NEW-1 to NEW-3.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from edgezero_spin.cli.not_here import refused_flag
from edgezero_spin.cli.options import KeyValue, gathered, notify

if TYPE_CHECKING:
    from edgezero_spin.project.template_manifest import ProjectTemplate, TemplateParameter
    from edgezero_spin.project.template_values import Ask

__all__ = ["TemplateFlags", "name_and_template", "template_options"]


# No attrs class: importing attrs for it would be a sixth of the time of `--help`.
class TemplateFlags(NamedTuple):
    """What the flags say, each in the field of its option; ``None`` means the usual one."""

    template: str | None
    tags: tuple[str, ...]
    output: Path | None
    init: bool
    values: tuple[tuple[str, str], ...]
    values_file: Path | None
    accept_defaults: bool
    no_vcs: bool
    allow_overwrite: bool

    @property
    def folder(self) -> Path | None:
        """The folder that a flag names for the files."""
        return Path() if self.init else self.output

    def given_values(self) -> dict[str, str]:
        """Return the parameters of both flags.

        Raises:
            ProjectError: The file cannot be read, or holds something else than texts.
        """
        from edgezero_spin.project.template_values import load_values

        file = self.values_file
        return {**({} if file is None else load_values(file)), **dict(self.values)}

    def find_template(self, usual: str) -> "ProjectTemplate":
        """Return the template that is named or has the tags, else the usual one.

        Raises:
            ProjectError: There is none, or there are several and nobody to ask.
        """
        from edgezero_spin.project.template_store import find_template, tagged_template

        if self.template is not None or not self.tags:
            return find_template(usual if self.template is None else self.template)
        return tagged_template(self.tags, None if self.ask() is None else _choose)

    def ask_name(self) -> str:
        """Ask a person for a name.

        Raises:
            click.UsageError: There is nobody to ask.
        """
        if not _at_terminal():
            raise click.UsageError("a name is missing")
        name: str = click.prompt("Name", err=True)
        return name

    def ask(self) -> "Ask | None":
        """Return a way to ask, ``None`` when nobody sits at a terminal or wants to be asked."""
        asked = not self.accept_defaults and _at_terminal()
        return _ask if asked else None


_OPTIONS = (
    click.option(
        "-t",
        "--template",
        metavar="NAME",
        help="A template: one of ours, one that `edgezero templates install` or `spin templates "
        "install` installed, or a folder that holds one.",
    ),
    click.option(
        "--tag",
        "tags",
        metavar="TAG",
        multiple=True,
        help="Choose among the templates that have this tag. May be given several times.",
    ),
    click.option(
        "-o",
        "--output",
        metavar="DIR",
        type=click.Path(path_type=Path),
        help="The folder for the files. Default: one of the same name.",
    ),
    click.option("--init", is_flag=True, help="Put the files into the current folder."),
    click.option(
        "-v",
        "--value",
        "values",
        metavar="NAME=VALUE",
        type=KeyValue(),
        multiple=True,
        help="A parameter of the template. May be given several times.",
    ),
    click.option(
        "--values-file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help='Parameters of the template as TOML: NAME = "VALUE". --value beats it.',
    ),
    click.option(
        "-a",
        "--accept-defaults",
        is_flag=True,
        help="Ask nothing: what has a default gets it, what has none is an error.",
    ),
    click.option("--no-vcs", is_flag=True, help="No `git init` and no .gitignore."),
    click.option(
        "--allow-overwrite",
        "--allow-overwrites",
        is_flag=True,
        help="Write into a folder that has files, and over those of the same name.",
    ),
    refused_flag(
        *("-E", "--target-environment"),
        reason="the templates of a target environment are named by a catalogue on the network, "
        "which this command does not ask; name a template with -t",
    ),
)


def _flags(values: dict[str, Any]) -> TemplateFlags:
    flags = TemplateFlags(**{name: values.pop(name) for name in TemplateFlags._fields})
    if flags.init and flags.output is not None:
        raise click.UsageError("--init and --output exclude each other")
    if flags.template is not None and flags.tags:
        raise click.UsageError("--template and --tag exclude each other")
    return flags


template_options = gathered("flags", _flags, *_OPTIONS)
"""Adds the flags; the command gets them as ``flags``."""


def name_and_template(
    words: tuple[str, ...], flags: TemplateFlags
) -> tuple[str | None, TemplateFlags]:
    """Tell the name from the template in what was typed without a flag.

    Two words are ``TEMPLATE NAME``, as Spin 1 had it (NEW-1). A name may be a path.

    Raises:
        click.UsageError: There are too many words.
    """
    if len(words) > 2:
        raise click.UsageError(f"unexpected argument {words[2]!r}: a name is one word")
    if not words:
        return None, flags
    if len(words) == 1:
        if flags.template is None:
            _warn_of_template(words[0])
        return _name_in_folder(words[0], flags)
    template, name = words
    if flags.template is not None:
        raise click.UsageError(f"two templates are named: {template} and {flags.template}")
    return _name_in_folder(name, flags._replace(template=template))


def _name_in_folder(name: str, flags: TemplateFlags) -> tuple[str, TemplateFlags]:
    """Take a path as the folder, and its last part as the name, as `cargo new` does."""
    if os.sep not in name and name not in (os.curdir, os.pardir):
        return name, flags
    path = Path(name).expanduser()
    if flags.folder is None:
        flags = flags._replace(output=path)
    return (path.name or Path.cwd().joinpath(path).resolve().name), flags


def _warn_of_template(name: str) -> None:
    from edgezero_spin.project.template_store import template_ids

    if name in template_ids():
        notify(f"{name} is the name here; if you meant the template, write -t {name}")


def _at_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _choose(ids: "list[str]") -> str:
    chosen: str = click.prompt("Template", type=click.Choice(ids), err=True)
    return chosen


def _ask(parameter: "TemplateParameter") -> str:
    from edgezero_spin.errors import ProjectError

    def fitting(text: str) -> str:
        try:
            return parameter.check(text)
        except ProjectError as error:
            raise click.UsageError(str(error)) from error

    kind = click.Choice(parameter.allowed) if parameter.allowed else None
    text: str = click.prompt(
        parameter.prompt, type=kind, value_proc=None if kind else fitting, err=True
    )
    return text
