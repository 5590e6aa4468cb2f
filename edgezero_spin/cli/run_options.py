"""The flags of every command that serves an application.

In: a command function. Out: the same with the flags added, their values gathered in one
``RunFlags``.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from edgezero_spin.cli.options import KeyValue, gathered, runtime_config_option
from edgezero_spin.cli.telemetry import telemetry_observer

if TYPE_CHECKING:
    from edgezero_spin.host.observers import Observer
    from edgezero_spin.host.settings import RunOptions

__all__ = ["ACCESS_LOG_OPTIONS", "RunFlags", "run_options"]


# No attrs class: importing attrs for it would be a sixth of the time of `--help`.
class RunFlags(NamedTuple):
    """What the flags say, each in the field of its option.

    ``None`` and empty mean: as the engine does by itself. An empty text for ``state_dir`` keeps
    everything in memory, one for ``log_dir`` drops the components' output; ``access_log`` is
    ``None`` for no line per request.
    """

    listen: str | None
    find_free_port: bool
    state_dir: str | None
    log_dir: str | None
    runtime_config_file: Path | None
    variables: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    key_values: tuple[tuple[str, str], ...]
    follow: tuple[str, ...]
    quiet: bool
    access_log: str | None

    def host_options(self) -> "RunOptions":
        """Return what the embedded host takes."""
        options: RunOptions = {
            "state_dir": self.state_dir,
            "log_dir": self.log_dir,
            "variables": self.variables,
            "env": dict(self.environment),
            "key_values": dict(self.key_values),
            "follow": () if self.quiet else self.follow or None,
            "observers": self._observers(),
        }
        if self.runtime_config_file is not None:
            options["runtime_config"] = self.runtime_config_file
        return options

    def _observers(self) -> "list[Observer]":
        observers: list[Observer] = []
        if self.access_log is not None:
            from edgezero_spin.host.http.access_log import AccessLog

            observers.append(AccessLog(self.access_log))
        telemetry = telemetry_observer()
        if telemetry is not None:
            observers.append(telemetry)
        return observers


ACCESS_LOG_OPTIONS = (
    click.option(
        "--access-log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="How the line of each request is written, on standard error.",
    ),
    click.option("--no-access-log", is_flag=True, help="Write no line for each request."),
)

_OPTIONS = (
    click.option(
        "--listen",
        metavar="ADDRESS",
        envvar="SPIN_HTTP_LISTEN_ADDR",
        show_envvar=True,
        help="Where to listen; port 0 takes a free one. Default: 127.0.0.1:3000.",
    ),
    click.option("--find-free-port", is_flag=True, help="If the port is taken, try the next ones."),
    click.option(
        "--state-dir",
        metavar="DIR",
        help="Where data and logs go. Default: .spin beside spin.toml. '' keeps all in memory.",
    ),
    click.option(
        "-L",
        "--log-dir",
        metavar="DIR",
        envvar="SPIN_LOG_DIR",
        show_envvar=True,
        help="Where the components' output goes. Default: logs in the state folder. '' drops it.",
    ),
    runtime_config_option,
    click.option(
        "--variable",
        "variables",
        metavar="NAME=VALUE",
        multiple=True,
        help="An application variable: NAME=VALUE, NAME=@FILE, @FILE.toml or @FILE.json.",
    ),
    click.option(
        "-e",
        "--env",
        "environment",
        metavar="NAME=VALUE",
        type=KeyValue(),
        multiple=True,
        help="An environment variable for every component.",
    ),
    click.option(
        "--key-value",
        "key_values",
        metavar="KEY=VALUE",
        type=KeyValue(),
        multiple=True,
        help="Write an entry to the store `default` before the first request.",
    ),
    click.option(
        "--follow",
        metavar="ID",
        multiple=True,
        help="Show the output of this component only. May be given several times.",
    ),
    click.option(
        "-q", "--quiet", "--sh", "--shush", is_flag=True, help="Show no component's output."
    ),
    *ACCESS_LOG_OPTIONS,
)


def _flags(values: dict[str, Any]) -> RunFlags:
    form, silent = values.pop("access_log_format"), values.pop("no_access_log")
    own = {name: values.pop(name) for name in RunFlags._fields if name != "access_log"}
    if own["quiet"] and own["follow"]:
        raise click.UsageError("--quiet and --follow do not go together")
    return RunFlags(**own, access_log=None if silent else form)


run_options = gathered("flags", _flags, *_OPTIONS)
"""Adds the flags; the command gets them as ``flags``."""
