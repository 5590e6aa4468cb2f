"""``edgezero auth``: log in to where the application is deployed, by the Spin CLI."""

from typing import TYPE_CHECKING

import click

from edgezero_spin.cli.options import adapter_name_option, common_options
from edgezero_spin.cli.replaced import find_project, run_replacement

if TYPE_CHECKING:
    from edgezero_spin.project.commands import CommandName
    from edgezero_spin.project.deploy import AuthAction

__all__ = ["auth", "login", "logout", "status"]

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


@auth.command(epilog=EPILOG.format("login"))
@adapter_name_option
@common_options
@click.pass_context
def login(context: click.Context, adapter: str | None) -> None:
    """Log in, by `spin cloud login`."""
    _run("login", adapter or context.meta[__name__])


@auth.command(epilog=EPILOG.format("logout"))
@adapter_name_option
@common_options
@click.pass_context
def logout(context: click.Context, adapter: str | None) -> None:
    """Log out, by `spin cloud logout`."""
    _run("logout", adapter or context.meta[__name__])


@auth.command(epilog=EPILOG.format("status"))
@adapter_name_option
@common_options
@click.pass_context
def status(context: click.Context, adapter: str | None) -> None:
    """Show who is logged in, by `spin cloud info`."""
    _run("status", adapter or context.meta[__name__])


_ACTIONS: "dict[AuthAction, CommandName]" = {
    "login": "auth login",
    "logout": "auth logout",
    "status": "auth status",
}


def _run(action: "AuthAction", adapter: str | None) -> None:
    from edgezero_spin.project.deploy import run_spin_cloud

    project, adapter = find_project(adapter)
    if not run_replacement(project, adapter, _ACTIONS[action]):
        run_spin_cloud(action)
