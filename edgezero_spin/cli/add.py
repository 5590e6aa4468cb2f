"""``edgezero add``: one more store, in every file that has to know of it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgezero_spin.cli.options import adapter_name_option, common_options

if TYPE_CHECKING:
    from edgezero_spin.project.add import StoreKind

__all__ = ["add"]

EPILOG = """\b
Example:
  edgezero add kv sessions
  edgezero add config feature_flags --manifest services/notes/edgezero.toml
"""


@click.command(epilog=EPILOG, short_help="Add a store to the project.")
@click.argument("kind", type=click.Choice(["kv", "config", "secrets"]))
@click.argument("id")
@click.option(
    "--manifest",
    metavar="FILE",
    type=click.Path(path_type=Path),
    default=Path("edgezero.toml"),
    show_default=True,
    help="The project's manifest.",
)
@adapter_name_option
@common_options
def add(kind: "StoreKind", id: str, manifest: Path, adapter: str | None) -> None:
    """Add the store ID to edgezero.toml, spin.toml and runtime-config.toml.

    Every other byte of the files stays as it is. A second store of a kind makes the first
    one the default, unless the manifest names one. Its data goes to the local SQLite file;
    change its stanza in runtime-config.toml to keep it elsewhere.
    """
    from edgezero_spin.project.add import add_store
    from edgezero_spin.project.commands import check_adapter, check_built_in, load_manifest

    project = load_manifest(manifest)
    check_built_in(check_adapter(project, adapter or "spin"))
    done = add_store(project, kind, id, os.environ)
    for line in done.lines():
        click.echo(line)
