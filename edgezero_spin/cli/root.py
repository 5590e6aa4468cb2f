"""The command group, and the one place where an error becomes a line and a status."""

import errno
import importlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from edgezero_spin import __version__
from edgezero_spin.cli.options import CommonSettings, common_options
from edgezero_spin.errors import EdgeZeroError

__all__ = ["ALIASES", "COMMANDS", "edgezero", "run"]

COMMANDS = (
    "new",
    "add",
    "componentize",
    "build",
    "serve",
    "up",
    "watch",
    "dev",
    "lock",
    "test",
    "templates",
    "plugins",
    "targets",
    "kube",
    "inspect",
    "openapi",
    "config",
    "kv",
    "provision",
    "registry",
    "deploy",
    "auth",
    "cache",
    "doctor",
    "completion",
)
"""The commands; each is in the module of its name."""

ALIASES = {
    "a": "add",
    "b": "build",
    "d": "deploy",
    "n": "new",
    "oci": "registry",
    "plugin": "plugins",
    "template": "templates",
    "u": "up",
    "w": "watch",
}
"""Other names of commands, as Spin has them (CLI-1 to CLI-3)."""


class _Commands(click.Group):
    """Imports a command when it is asked for: of all, one start needs one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            module = importlib.import_module(f"edgezero_spin.cli.{cmd_name}")
            found: click.Command = getattr(module, cmd_name)
            return found
        from edgezero_spin.cli.plugins import plugin_command

        return plugin_command(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command or plugin, or name those whose names are close (PLG-4)."""
        name = ALIASES.get(args[0], args[0])
        if not ctx.resilient_parsing and self.get_command(ctx, name) is None:
            import difflib

            from edgezero_spin.project.plugins import plugin_without_permission

            denied = plugin_without_permission(name)
            if denied is not None:
                ctx.fail(f"{denied} is not executable: chmod +x {denied} makes it a command")
            close = difflib.get_close_matches(name, COMMANDS)
            offer = f" Did you mean {' or '.join(f'`{each}`' for each in close)}?" if close else ""
            ctx.fail(
                f"{name!r} is not a command of edgezero, and no program edgezero-{name} or "
                f"spin-{name} is on PATH.{offer}"
            )
        return super().resolve_command(ctx, [name, *args[1:]])


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Run `edgezero COMMAND --help` for an example of each. A program on PATH named "
    "edgezero-NAME or spin-NAME is a command NAME; `edgezero plugins list` shows them.",
)
@common_options
@click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s")
def edgezero() -> None:
    """Build, serve and operate Spin components written in Python."""


_OUTPUT_ENDED = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})
"""Of an error that names no file: standard output takes no more."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status.

    Where Ctrl-C stopped it while the host compiled, the process ends here.
    """
    status = _run(arguments)
    compiling = sys.modules.get("edgezero_spin.host.runtime.compiling")
    if compiling is not None:
        compiling.end_process(status)
    return status


def _run(arguments: Sequence[str] | None) -> int:
    """Run one command line.

    An ``EdgeZeroError`` is a line on standard error, and so is a file or folder that the
    system refuses; what is neither is a bug and keeps its traceback.
    """
    settings = CommonSettings(sys.argv[1:] if arguments is None else arguments)
    _open_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of files need not be text, and terminals need not have all letters.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = edgezero.main(
            None if arguments is None else list(arguments),
            prog_name="edgezero",
            standalone_mode=False,
            obj=settings,
        )
    except click.Abort:
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except EdgeZeroError as error:
        _show(error, str(error), settings)
        return int(getattr(error, "exit_status", 1))
    except OSError as error:
        # A file that could not be put in its place is named by the place.
        name = error.filename2 or error.filename
        if name is not None:
            _show(error, f"cannot use {_shortened(name)}: {error.strerror}", settings)
        elif error.errno in _OUTPUT_ENDED:
            _show(error, f"cannot write the output: {error.strerror}", settings)
            # What is left of it would be tried again when the process ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        else:
            raise
        return 1
    except UnicodeEncodeError as error:
        # Bytes of an argument that are no UTF-8 are lone surrogates in its text.
        wrong = next(filter(_is_no_text, settings.arguments), None)
        if wrong is None:
            raise
        _show(error, f"the argument {wrong!r} is not UTF-8 text", settings)
        return 2
    return status if isinstance(status, int) else 0


def _show(error: Exception, message: str, settings: CommonSettings) -> None:
    if settings.verbose:
        click.echo("".join(traceback.format_exception(error)), err=True)
    mark = click.style("Error:", fg="red", bold=True)
    click.echo(f"[edgezero] {mark} {message}", err=True, color=settings.color)


def _open_closed_streams() -> None:
    """Keep files from taking the numbers of standard streams that whoever started this closed."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115


def _is_no_text(word: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in word)


def _shortened(path: object) -> str:
    text = path.decode(errors="replace") if isinstance(path, bytes) else str(path)
    return text if len(text) <= 200 else f"{text[:100]}...{text[-60:]}"
