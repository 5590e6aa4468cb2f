"""``edgezero auth``: log in to where the application is deployed, by the Spin CLI."""

from typing import TYPE_CHECKING

import click

from edgezero_spin.cli.options import adapter_name_option, common_options
from edgezero_spin.cli.replaced import find_project, run_replacement

if TYPE_CHECKING:
    from edgezero_spin.project.commands import CommandName
    from edgezero_spin.project.deploy import AuthAction

__all__ = ["auth"]

EPILOG = """\b
Example:
  edgezero auth {}
"""


@click.group(
    epilog=EPILOG.format("login"),
    short_help="Log in to and out of the platform.",
    no_args_is_help=True,
)
@adapter_name_option
@common_options
@click.pass_context
def auth(context: click.Context, adapter: str | None) -> None:
    """Log in to and out of the platform that the application is deployed to.

    The Spin CLI does it, or the commands auth-login, auth-logout and auth-status of
    [adapters.spin.commands] in edgezero.toml. No credential is read or kept here.
    """
    context.meta[__name__] = adapter


def _add(action: "AuthAction", replaced_by: "CommandName", help: str) -> None:
    @auth.command(action, epilog=EPILOG.format(action), help=help)
    @adapter_name_option
    @common_options
    @click.pass_context
    def command(context: click.Context, adapter: str | None) -> None:
        from edgezero_spin.project.deploy import run_spin_cloud

        project, adapter = find_project(adapter or context.meta[__name__])
        if not run_replacement(project, adapter, replaced_by):
            run_spin_cloud(action)


_add("login", "auth login", "Log in, by `spin cloud login`.")
_add("logout", "auth logout", "Log out, by `spin cloud logout`.")
_add("status", "auth status", "Show who is logged in, by `spin cloud info`.")
