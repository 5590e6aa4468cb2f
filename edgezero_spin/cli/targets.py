"""``edgezero targets``: the catalogue of target environments, as Spin's command shows it."""

import click

from edgezero_spin.cli.options import examples, spin_options
from edgezero_spin.cli.progress import busy

__all__ = ["list_targets", "targets", "update"]


@click.group(
    epilog=examples("edgezero targets update", "edgezero targets list"),
    short_help="List and fetch target environments.",
)
@spin_options
def targets() -> None:
    """Show which environments `targets` in spin.toml may name.

    `edgezero build` compares components with these. The catalogue is a git repository; its copy
    on this machine is the one that Spin keeps.
    """


@targets.command(
    "list", epilog=examples("edgezero targets list"), short_help="List the target environments."
)
@spin_options
def list_targets() -> None:
    """List the environments in the copy of this machine."""
    from edgezero_spin.project.target_catalogue import known_environments

    found = known_environments()
    if not found:
        click.echo(
            "No target environments found. Run `edgezero targets update` to fetch target "
            "environments.",
            err=True,
        )
    for name in found:
        click.echo(name)


@targets.command(
    epilog=examples("edgezero targets update"), short_help="Fetch the target environments."
)
@spin_options
def update() -> None:
    """Bring the copy of this machine up to date."""
    from edgezero_spin.project.target_catalogue import update_catalogue

    with busy("Fetching the target environments..."):
        update_catalogue()
    click.echo("Target environments updated", err=True)
