"""``edgezero provision``: let the component open the stores that the app declares."""

import os
from pathlib import Path

import click

from edgezero_spin.cli.options import (
    adapter_name_option,
    common_options,
    examples,
    notify,
    project_manifest_option,
)

__all__ = ["provision"]


@click.command(
    epilog=examples(
        "edgezero provision --dry-run",
        "edgezero provision --adapter spin --manifest services/notes/edgezero.toml",
    ),
    short_help="Add the app's stores to spin.toml.",
)
@project_manifest_option
@click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
@adapter_name_option
@common_options
def provision(manifest: Path, dry_run: bool, adapter: str | None) -> None:
    """Add the label of every key-value and config store to the component in spin.toml.

    Labels come from EDGEZERO__STORES__<KIND>__<ID>__NAME, else they are the ids. Every
    other byte of spin.toml stays as it is, and runtime-config.toml is never touched: what
    it lacks is said. Secrets are for a person to declare; the lines to paste are shown.
    """
    from edgezero_spin.project.commands import check_adapter, check_built_in, load_manifest
    from edgezero_spin.project.provision import provision as provision_project

    project = load_manifest(manifest)
    name = check_adapter(project, adapter or "spin")
    check_built_in(name)
    done = provision_project(project, os.environ, dry_run=dry_run)
    if dry_run:
        click.echo(f"[edgezero] provision --dry-run for `{name}`:")
    for line in done.lines():
        click.echo(line)
    for notice in done.notices:
        notify(notice)
