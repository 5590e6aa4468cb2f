"""The command group, and the one place where an error becomes a line and a status."""

import sys
import traceback
from collections.abc import Sequence

import click

from edgezero_spin import __version__
from edgezero_spin.cli.add import add
from edgezero_spin.cli.auth import auth
from edgezero_spin.cli.build import build
from edgezero_spin.cli.cache import cache
from edgezero_spin.cli.completion import completion
from edgezero_spin.cli.componentize import componentize
from edgezero_spin.cli.config import config
from edgezero_spin.cli.deploy import deploy
from edgezero_spin.cli.doctor import doctor
from edgezero_spin.cli.inspect import inspect
from edgezero_spin.cli.kv import kv
from edgezero_spin.cli.lock import lock
from edgezero_spin.cli.new import new
from edgezero_spin.cli.openapi import openapi
from edgezero_spin.cli.options import Settings, common_options
from edgezero_spin.cli.provision import provision
from edgezero_spin.cli.registry import registry
from edgezero_spin.cli.serve import serve
from edgezero_spin.cli.test import test
from edgezero_spin.cli.up import up
from edgezero_spin.cli.watch import watch
from edgezero_spin.errors import EdgeZeroError

__all__ = ["edgezero", "run"]


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Run `edgezero COMMAND --help` for an example of each.",
)
@common_options
@click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s")
def edgezero() -> None:
    """Build, serve and operate Spin components written in Python."""


edgezero.add_command(new)
edgezero.add_command(add)
edgezero.add_command(componentize)
edgezero.add_command(build)
edgezero.add_command(serve)
edgezero.add_command(up)
edgezero.add_command(watch)
edgezero.add_command(lock)
edgezero.add_command(test)
edgezero.add_command(inspect)
edgezero.add_command(openapi)
edgezero.add_command(config)
edgezero.add_command(kv)
edgezero.add_command(provision)
edgezero.add_command(registry)
edgezero.add_command(deploy)
edgezero.add_command(auth)
edgezero.add_command(cache)
edgezero.add_command(doctor)
edgezero.add_command(completion)


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
    settings = Settings()
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
        if error.filename is None:
            raise
        _show(error, f"cannot use {_shortened(error.filename)}: {error.strerror}", settings)
        return 1
    return status if isinstance(status, int) else 0


def _show(error: Exception, message: str, settings: Settings) -> None:
    if settings.verbose:
        click.echo("".join(traceback.format_exception(error)), err=True)
    mark = click.style("Error:", fg="red", bold=True)
    click.echo(f"[edgezero] {mark} {message}", err=True, color=settings.color)


def _shortened(path: object) -> str:
    text = path.decode(errors="replace") if isinstance(path, bytes) else str(path)
    return text if len(text) <= 200 else f"{text[:100]}...{text[-60:]}"
