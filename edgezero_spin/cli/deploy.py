"""``edgezero deploy``: the project's own command, or ``spin deploy``."""

import click

from edgezero_spin.cli.options import (
    PassThrough,
    adapter_name_option,
    common_options,
    examples,
    manifest_option,
    rest_of,
)
from edgezero_spin.cli.replaced import find_project, run_replacement

__all__ = ["deploy"]


@click.command(
    cls=PassThrough,
    epilog=examples(
        "edgezero deploy", "edgezero deploy -- --build --variable admin_token=let-me-in"
    ),
    short_help="Deploy the application.",
)
@manifest_option
@adapter_name_option
@common_options
@click.pass_context
def deploy(context: click.Context, manifest: str | None, adapter: str | None) -> None:
    """Deploy the application with `spin deploy`.

    A command `deploy` in [adapters.spin.commands] of edgezero.toml runs instead. What
    follows -- is added to the command. Ends with the command's status.
    """
    from edgezero_spin.project.deploy import run_spin_deploy
    from edgezero_spin.project.locate import spin_manifest_of

    project, adapter = find_project(adapter, manifest)
    if not run_replacement(project, adapter, "deploy", rest_of(context), manifest):
        run_spin_deploy(spin_manifest_of(project, adapter, manifest), rest_of(context))
