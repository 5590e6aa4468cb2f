"""``edgezero completion``: the script that completes this command in a shell."""

import click

from edgezero_spin.cli.options import examples, spin_options

__all__ = ["completion"]

_PROGRAM = "edgezero"
_VARIABLE = "_EDGEZERO_COMPLETE"


@click.command(
    epilog=examples(
        "edgezero completion bash >> ~/.bashrc",
        "edgezero completion zsh >> ~/.zshrc",
        "edgezero completion fish > ~/.config/fish/completions/edgezero.fish",
    ),
    short_help="Print the completion script of a shell.",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@spin_options
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands and flags in SHELL.

    Add it to what the shell reads when it starts.
    """
    from click.shell_completion import get_completion_class

    maker = get_completion_class(shell)
    if maker is not None:
        click.echo(maker(context.find_root().command, {}, _PROGRAM, _VARIABLE).source())
