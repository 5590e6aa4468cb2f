"""``edgezero new``: a name in, a project out, with the flags of ``spin new``."""

import shlex
from pathlib import Path
from typing import Literal

import click

from edgezero_spin.cli.options import (
    adapter_name_option,
    common_options_without_v,
    examples,
    notify,
)
from edgezero_spin.cli.template_options import TemplateFlags, name_and_template, template_options

__all__ = ["new"]

Wasi = Literal["0.2", "0.3"]


@click.command(
    epilog=examples(
        "edgezero new my-app",
        'edgezero new my-app --dir services --value project-description="What it does"',
        "edgezero new -t http-acme -a --init",
    ),
    short_help="Make a new project.",
)
@click.argument("words", metavar="[NAME]", nargs=-1)
@click.option(
    "--dir",
    "parent",
    metavar="PARENT",
    type=click.Path(path_type=Path),
    help="The folder to make it in. Default: the current one.",
)
@template_options
@click.option(
    "--wasi",
    type=click.Choice(["0.2", "0.3"]),
    default="0.2",
    show_default=True,
    help="The WASI that the project is compiled for: 0.2 runs on every Spin, 0.3 on Spin 4.1 and "
    "later.",
)
@adapter_name_option
@common_options_without_v
def new(
    words: tuple[str, ...],
    parent: Path | None,
    flags: TemplateFlags,
    wasi: Wasi,
    adapter: str | None,
) -> None:
    """Make a new project in the folder NAME, which must not exist yet.

    NAME is put into lower case, and what cannot stand in a name becomes a dash; with --init
    it is the current folder's by itself. A path, as in `edgezero new services/my-app`, is the
    folder, and its last part the name; it may exist, if nothing is in it. The project builds,
    serves and passes its own tests as it is. Two words are TEMPLATE NAME.
    """
    from edgezero_spin.project.commands import check_built_in
    from edgezero_spin.project.new import create_project
    from edgezero_spin.project.template_manifest import PROJECT_ID

    check_built_in(adapter or "spin")
    if parent is not None and flags.folder is not None:
        raise click.UsageError("--dir does not go with --output or --init")
    name, flags = name_and_template(words, flags)
    if parent is not None and flags.folder is not None:
        flags = flags._replace(output=parent / flags.folder)
    template = flags.find_template(PROJECT_ID)
    if name is None:
        name = Path.cwd().name if flags.init else flags.ask_name()
    made = create_project(
        name,
        template,
        parent=parent or Path(),
        folder=flags.folder,
        values=flags.given_values(),
        vcs=not flags.no_vcs,
        overwrite=flags.allow_overwrite,
        ask=flags.ask(),
        wasi=wasi,
    )
    click.echo(f"Created {made.name} in {made.path} ({len(made.files)} files)")
    for warning in made.warnings:
        notify(warning)
    enter = "" if flags.init else f"  cd {shlex.quote(str(made.path))}\n"
    click.echo(f"Next:\n{enter}  edgezero build\n  edgezero serve")
