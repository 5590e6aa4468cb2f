"""``edgezero new``: a name in, a project out."""

from pathlib import Path
from typing import Literal

import click

from edgezero_spin.cli.options import adapter_name_option, common_options
from edgezero_spin.cli.template_options import ask_or_none, given_values, value_options

__all__ = ["new"]

Wasi = Literal["0.2", "0.3"]

EPILOG = """\b
Example:
  edgezero new my-app
  edgezero new my-app --dir services --value project-description="What it does"
"""


@click.command(epilog=EPILOG, short_help="Make a new project.")
@click.argument("name")
@click.option(
    "--dir",
    "parent",
    metavar="PARENT",
    type=click.Path(path_type=Path),
    default=Path(),
    help="The folder to make it in. Default: the current one.",
)
@click.option(
    "--template",
    metavar="NAME",
    default="edgezero-http",
    show_default=True,
    help="A template of ours, or a folder that holds one, as `spin new` takes it.",
)
@value_options
@click.option(
    "--wasi",
    type=click.Choice(["0.2", "0.3"]),
    default="0.2",
    show_default=True,
    help="The WASI that the project is compiled for: 0.2 runs on every Spin, 0.3 on Spin 4.1 and "
    "later.",
)
@click.option("--no-vcs", is_flag=True, help="No `git init` and no .gitignore.")
@adapter_name_option
@common_options
def new(
    name: str,
    parent: Path,
    template: str,
    values: tuple[tuple[str, str], ...],
    values_file: Path | None,
    wasi: Wasi,
    no_vcs: bool,
    adapter: str | None,
) -> None:
    """Make a new project in the folder NAME, which must not exist yet.

    NAME is put into lower case, and what cannot stand in a name becomes a dash. The
    project builds, serves and passes its own tests as it is.
    """
    from edgezero_spin.project.commands import check_built_in
    from edgezero_spin.project.new import create_project
    from edgezero_spin.project.template_manifest import find_template

    check_built_in(adapter or "spin")
    made = create_project(
        name,
        find_template(template),
        parent=parent,
        values=given_values(values, values_file),
        vcs=not no_vcs,
        ask=ask_or_none(),
        wasi=wasi,
    )
    click.echo(f"Created {made.name} in {made.path} ({len(made.files)} files)")
    for warning in made.warnings:
        click.echo(f"[edgezero] {warning}", err=True)
    click.echo(f"Next:\n  cd {made.path}\n  edgezero build\n  edgezero serve")
