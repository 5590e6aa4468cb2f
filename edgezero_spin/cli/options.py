"""Flags that every command takes, before or after its name.

In: a command function. Out: the same with ``-C``, ``-v`` and ``--no-color`` added, or with flags
that several commands have, their values gathered in one argument.
What they say is kept in the one ``CommonSettings`` of the run. Where Spin's command has another
``-v``, ``common_options_without_v`` leaves that letter to it.
"""

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

__all__ = [
    "CommonSettings",
    "KeyValue",
    "PassThrough",
    "adapter_name_option",
    "adapter_option",
    "all_options",
    "build_option",
    "common_options",
    "common_options_without_v",
    "component_ids_option",
    "examples",
    "format_option",
    "gathered",
    "insecure_option",
    "manifest_option",
    "notify",
    "project_manifest_option",
    "rest_of",
    "runtime_config_option",
    "spin_options",
    "verify_key_option",
]

Command = Callable[..., object]
F = TypeVar("F", bound=Command)


class CommonSettings:
    """What the common flags of one run say.

    No attrs class: importing attrs for it would be a tenth of the time of ``--help``.

    Attributes:
        verbose: Show the traceback behind an error.
        color: ``False`` never, ``None`` when the stream is a terminal.
        arguments: What was typed behind ``edgezero``.
        started_in: The folder that ``-C`` left; ``None`` without one.
    """

    def __init__(self, arguments: Sequence[str] = ()) -> None:
        self.arguments = tuple(arguments)
        self.started_in: Path | None = None
        self.verbose = False
        self.color: bool | None = False if os.environ.get("NO_COLOR") else None


class KeyValue(click.ParamType[tuple[str, str]]):
    """A ``NAME=VALUE`` argument, as the pair; the value may hold more ``=`` or be empty."""

    name = "NAME=VALUE"

    def convert(
        self, value: object, parameter: click.Parameter | None, context: click.Context | None
    ) -> tuple[str, str]:
        """Split at the first ``=``; a text without one, or without a name, is wrong usage."""
        name, equals, text = str(value).partition("=")
        if not (name and equals):
            # Not quoted: what is typed in the wrong form may be a secret.
            self.fail(f"this must be of the form {self.name}", parameter, context)
        return name, text


class PassThrough(click.Command):
    """A command that hands on what is typed after ``--``, see ``rest_of``.

    Attributes:
        behind: How the line of usage shows that.
    """

    behind = "[-- ARGUMENT...]"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Set aside what follows the first ``--``, then read the flags before it."""
        at = args.index("--") if "--" in args else len(args)
        # Also where nothing follows: a command that runs another one has its meta in common.
        ctx.meta[_REST] = tuple(args[at + 1 :])
        return super().parse_args(ctx, args[:at])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Name it in the usage line."""
        return [*super().collect_usage_pieces(ctx), self.behind]


_REST = "edgezero_spin.rest"


def rest_of(context: click.Context) -> tuple[str, ...]:
    """Return what was typed after ``--``."""
    rest: tuple[str, ...] = context.meta.get(_REST, ())
    return rest


def notify(text: str, *, marked: bool = True, is_error: bool = False) -> None:
    """Tell a person on standard error what a command does, or what keeps it from that.

    Args:
        text: One line.
        marked: Say that it comes from this command, where it is not a line of a log in JSON.
        is_error: It is an error.
    """
    context = click.get_current_context(silent=True)
    if context is not None and context.params.get("log_format") == "json":
        # Slow to import where nobody asked for it.
        from edgezero_spin.cli.log_format import json_line

        text = json_line(text, "ERROR" if is_error else "INFO")
    else:
        text = f"{click.style('Error:', fg='red', bold=True)} {text}" if is_error else text
        text = f"[edgezero] {text}" if marked else text
    click.echo(text, err=True)


def all_options(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Return what adds several options to a command, in this order."""

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def examples(*lines: str) -> str:
    """Return the end of a command's help: command lines to try."""
    return "\n".join(["\b", "Example:", *(f"  {line}" for line in lines), ""])


def gathered(
    name: str, read: Callable[[dict[str, Any]], object], *options: Callable[[Command], Command]
) -> Callable[[Command], Command]:
    """Return what adds several options to a command, which gets what they say as one argument.

    Args:
        name: Of the argument.
        read: Makes it, and takes the values of the options out of those of the command.
    """

    def add(command: Command) -> Command:
        @functools.wraps(command)
        def run(*arguments: Any, **values: Any) -> object:
            said = read(values)
            return command(*arguments, **{name: said}, **values)

        return all_options(*options)(run)

    return add


def _change_directory(
    context: click.Context, parameter: click.Parameter, folder: str | None
) -> None:
    if folder is None or context.resilient_parsing:
        return
    settings = context.ensure_object(CommonSettings)
    try:
        settings.started_in = settings.started_in or Path.cwd()
        os.chdir(folder)
    except OSError as error:
        raise click.BadParameter(f"cannot enter {folder!r}: {error.strerror}") from error


def _set_verbose(context: click.Context, parameter: click.Parameter, chosen: bool) -> None:
    if chosen:
        context.ensure_object(CommonSettings).verbose = True


def _disable_color(context: click.Context, parameter: click.Parameter, chosen: bool) -> None:
    settings = context.ensure_object(CommonSettings)
    if chosen:
        settings.color = False
    context.color = settings.color


def _common_options(*verbose: str) -> Callable[[F], F]:
    return all_options(
        click.option(
            "-C",
            "folder",
            metavar="DIR",
            is_eager=True,
            expose_value=False,
            callback=_change_directory,
            help="Run as if started in DIR.",
        ),
        click.option(
            *verbose,
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_set_verbose,
            help="Show the traceback behind an error.",
        ),
        click.option(
            "--no-color",
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_disable_color,
            help="No colours. So does the variable NO_COLOR.",
        ),
    )


common_options = _common_options("-v", "--verbose")
"""``-C DIR``, ``-v`` and ``--no-color``."""

common_options_without_v = _common_options("--verbose")
"""``-C DIR``, ``--verbose`` and ``--no-color``: ``-v`` means something else here."""

adapter_option = click.option(
    "--adapter",
    type=click.Choice(["spin"], case_sensitive=False),
    default="spin",
    expose_value=False,
    help="The platform. Default: spin.",
)
"""``--adapter``; Spin is the only platform, and the default."""

spin_options = all_options(adapter_option, common_options)
"""``--adapter``, which can be Spin alone, and the common options."""

adapter_name_option = click.option(
    "--adapter", metavar="NAME", help="The platform, as edgezero.toml names it. Default: spin."
)
"""``--adapter`` for commands on a project, whose manifest says which there are."""

manifest_option = click.option(
    "-f",
    "--from",
    "--file",
    "manifest",
    metavar="PATH",
    type=click.Path(),
    help="spin.toml, or its folder. Default: the one here, else above, else the nearest below.",
)
"""``-f/--from``: the manifest of the application, or the folder that holds it."""


def _project_manifest(context: click.Context, parameter: click.Parameter, given: Path) -> Path:
    """Say where the file is that nobody named and that is not in this folder (CLI-5)."""
    if context.get_parameter_source("manifest") is ParameterSource.DEFAULT and not given.exists():
        from edgezero_spin.project.locate import find_app_manifest

        above = find_app_manifest()
        if above is not None:
            notify(f"{above} is in a folder above: name its folder with -C, or it by --manifest")
    return given


project_manifest_option = click.option(
    "--manifest",
    metavar="FILE",
    type=click.Path(path_type=Path),
    default=Path("edgezero.toml"),
    callback=_project_manifest,
    show_default=True,
    help="The project's manifest.",
)
"""``--manifest``: the ``edgezero.toml`` of the project."""


def component_ids_option(*names: str) -> Callable[[F], F]:
    """Add a flag, by default ``-c/--component-id``: the components that run."""
    return click.option(
        *(names or ("-c", "--component-id")),
        "component_ids",
        metavar="ID",
        multiple=True,
        help="Run this component only. May be given several times.",
    )


def format_option(*forms: str, help: str) -> Callable[[F], F]:
    """Add ``--format``, whose value the command gets as ``form``; the first is the default."""
    return click.option(
        "--format", "form", type=click.Choice(forms), default=forms[0], show_default=True, help=help
    )


runtime_config_option = click.option(
    "--runtime-config-file",
    metavar="FILE",
    envvar="RUNTIME_CONFIG_FILE",
    show_envvar=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The runtime configuration. Default: runtime-config.toml beside spin.toml, if any.",
)
"""``--runtime-config-file``: what Spin's variable names, too."""

build_option = click.option(
    "--build",
    is_flag=True,
    envvar="SPIN_ALWAYS_BUILD",
    show_envvar=True,
    help="Run the build commands first.",
)
"""``--build``: build before what the command does."""

insecure_option = click.option(
    "-k", "--insecure", is_flag=True, help="Ask the registry over plain HTTP, without TLS."
)
"""``-k/--insecure``: whether the registry is asked without TLS."""

verify_key_option = click.option(
    "--verify-key",
    "verify_keys",
    metavar="FILE",
    type=click.Path(),
    multiple=True,
    help="Refuse an image that the key of this file did not sign: a cosign.pub. May be given "
    "several times; one signature suffices.",
)
"""``--verify-key``: who must have signed an image."""
