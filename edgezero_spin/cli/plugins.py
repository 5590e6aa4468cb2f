"""``edgezero plugins``, and the plugins themselves as commands."""

import json
from pathlib import Path

import click

from edgezero_spin.cli.not_here import refused_flag
from edgezero_spin.cli.options import examples, format_option, spin_options

__all__ = ["list_plugins", "plugin_command", "plugins"]


_DOWNLOADS = ("install", "uninstall", "upgrade", "search", "show", "update", "rm")


class _Plugins(click.Group):
    """Says of the other commands of ``spin plugins`` who does them."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Refuse what would download or remove a plugin."""
        if args and args[0] in _DOWNLOADS and not ctx.resilient_parsing:
            raise click.UsageError(
                f"this command downloads and removes no plugins: use `spin plugins {args[0]}`, or "
                "put a program named edgezero-NAME or spin-NAME on PATH",
                ctx,
            )
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Plugins,
    epilog=examples("edgezero plugins list"),
    short_help="List the plugins of this machine.",
)
@spin_options
def plugins() -> None:
    """Show which other programs are commands of `edgezero`.

    A program on PATH named edgezero-NAME or spin-NAME is run by `edgezero NAME`, and so is a
    plugin that `spin plugins install` installed. It gets what is typed after NAME and the
    variables that Spin gives its plugins, SPIN_BIN_PATH being this command.
    """


@plugins.command("list", epilog=examples("edgezero plugins list"), short_help="List the plugins.")
@click.option("--installed", is_flag=True, hidden=True, help="All that are listed are installed.")
@click.option("--summary", is_flag=True, hidden=True, help="There is one line for each anyway.")
@refused_flag(
    *("--all", "-E", "--target-environment"),
    is_flag=True,
    reason="other plugins are in a catalogue on the network: use `spin plugins list`",
)
@click.option("--filter", "part", metavar="TEXT", default="", help="Those with this in the name.")
@format_option("plain", "json", help="How they are written.")
@spin_options
def list_plugins(installed: bool, summary: bool, part: str, form: str) -> None:
    """List the plugins that `edgezero NAME` runs, and where they lie."""
    from edgezero_spin.cli.root import COMMANDS
    from edgezero_spin.project.plugins import installed_plugins

    found = {name: path for name, path in installed_plugins().items() if part.lower() in name}
    if form == "json":
        rows = [{"name": name, "path": str(path)} for name, path in found.items()]
        click.echo(json.dumps(rows, indent=2))
        return
    if not found:
        click.echo("No plugins found")
    for name, path in found.items():
        hidden = " (not run: edgezero has a command of that name)" if name in COMMANDS else ""
        click.echo(f"{name}  {path}{hidden}")


def plugin_command(name: str) -> click.Command | None:
    """Return a command that runs a plugin; ``None`` where there is none of that name."""
    from edgezero_spin.project.plugins import find_plugin, run_plugin

    program = find_plugin(name)
    if program is None:
        return None

    def run(arguments: tuple[str, ...]) -> None:
        run_plugin(program, arguments)

    return _PluginCommand(
        name,
        callback=run,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
        short_help=str(Path(program)),
    )


class _PluginCommand(click.Command):
    """Hands on every word, ``--`` included."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Leave the words as they are."""
        ctx.params["arguments"] = tuple(args)
        return []
