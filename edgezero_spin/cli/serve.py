"""``edgezero serve``: the application on a local port, by Spin or by the embedded host."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from edgezero_spin.cli.options import (
    KeyValue,
    adapter_name_option,
    common_options,
    manifest_option,
)
from edgezero_spin.cli.replaced import find_project, run_replacement
from edgezero_spin.cli.startup import startup_lines

if TYPE_CHECKING:
    from edgezero_spin.manifest import AppManifest
    from edgezero_spin.project.serve import Engine, ServeRequest

__all__ = ["serve"]

EPILOG = """\b
Example:
  edgezero serve --listen 127.0.0.1:8080
  edgezero serve -C examples/notes --variable admin_token=let-me-in
"""


@click.command(epilog=EPILOG, short_help="Serve the application on a local port.")
@manifest_option
@click.option(
    "--listen",
    metavar="ADDRESS",
    envvar="SPIN_HTTP_LISTEN_ADDR",
    help="Where to listen; port 0 takes a free one. Default: 127.0.0.1:3000.",
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "spin", "embedded"]),
    default="auto",
    help="What runs the components. auto, the default, is Spin where it is installed.",
)
@click.option(
    "--state-dir",
    metavar="DIR",
    help="Where data and logs go. Default: .spin beside spin.toml. '' keeps all in memory.",
)
@click.option(
    "-L",
    "--log-dir",
    metavar="DIR",
    envvar="SPIN_LOG_DIR",
    help="Where the components' output goes. Default: logs in the state folder. '' drops it.",
)
@click.option(
    "--runtime-config-file",
    metavar="FILE",
    envvar="RUNTIME_CONFIG_FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The runtime configuration. Default: runtime-config.toml beside spin.toml, if any.",
)
@click.option(
    "--variable",
    "variables",
    metavar="NAME=VALUE",
    multiple=True,
    help="An application variable: NAME=VALUE, NAME=@FILE or @FILE.toml.",
)
@click.option(
    "-e",
    "--env",
    "environment",
    metavar="NAME=VALUE",
    type=KeyValue(),
    multiple=True,
    help="An environment variable for every component.",
)
@click.option(
    "--key-value",
    "key_values",
    metavar="KEY=VALUE",
    type=KeyValue(),
    multiple=True,
    help="Write an entry to the store `default` before the first request.",
)
@click.option(
    "--follow",
    metavar="ID",
    multiple=True,
    help="Show the output of this component only. May be given several times.",
)
@click.option("-q", "--quiet", is_flag=True, help="Show no component's output.")
@adapter_name_option
@common_options
@click.pass_context
def serve(
    context: click.Context,
    manifest: str | None,
    listen: str | None,
    engine: "Engine",
    state_dir: str | None,
    log_dir: str | None,
    runtime_config_file: Path | None,
    variables: tuple[str, ...],
    environment: tuple[tuple[str, str], ...],
    key_values: tuple[tuple[str, str], ...],
    follow: tuple[str, ...],
    quiet: bool,
    adapter: str | None,
) -> None:
    """Serve the application in spin.toml until Ctrl-C.

    A command `serve` in [adapters.spin.commands] of edgezero.toml runs instead, unless
    --engine names an engine, or the command starts a Spin that is not installed.
    Components are not built first: run `edgezero build` for that.
    """
    from edgezero_spin.project.commands import check_built_in, resolve_listen
    from edgezero_spin.project.locate import spin_manifest_of
    from edgezero_spin.project.serve import (
        ServeRequest,
        choose_engine,
        find_runtime_config,
        run_spin,
        starts_missing_spin,
    )

    project, adapter = find_project(adapter, manifest)
    if engine == "auto" and starts_missing_spin(project, adapter):
        click.echo("[edgezero] Spin is not installed: the embedded host serves instead", err=True)
    elif engine == "auto":
        _refuse_flags(context, project, adapter)
        if run_replacement(project, adapter, "serve"):
            return
    check_built_in(adapter)
    if listen is None:
        listen, warnings = resolve_listen(project, adapter, os.environ)
        for warning in warnings:
            click.echo(f"[edgezero] {warning}", err=True)
    path = spin_manifest_of(project, adapter, manifest)
    request = ServeRequest(
        manifest=path,
        listen=listen,
        state_dir=state_dir,
        log_dir=log_dir,
        runtime_config=runtime_config_file or find_runtime_config(path),
        variables=variables,
        environment=dict(environment),
        key_values=dict(key_values),
        follow=follow,
        quiet=quiet,
    )
    if choose_engine(engine) == "spin":
        run_spin(request)
    else:
        _serve_embedded(request)


def _refuse_flags(context: click.Context, project: "AppManifest | None", adapter: str) -> None:
    """Stop where a flag was typed that a command of the project's own would never see."""
    declared = None if project is None else project.adapter(adapter)
    if declared is None or declared.commands.serve is None:
        return
    for name in context.params.keys() - {"manifest", "adapter", "engine"}:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            flag = "--" + {"variables": "variable", "environment": "env"}.get(name, name)
            raise click.UsageError(
                f"{flag.replace('_', '-')} does nothing here: edgezero.toml replaces serve with "
                f"`{declared.commands.serve}`. Choose --engine spin or --engine embedded to "
                "serve without it."
            )


def _serve_embedded(request: "ServeRequest") -> None:
    from edgezero_spin.host.host import Host
    from edgezero_spin.host.trigger.server import DEFAULT_LISTEN, Listening
    from edgezero_spin.host.trigger.server import serve as listen_and_serve

    with Host.from_manifest(
        request.manifest,
        state_dir=request.state_dir,
        log_dir=request.log_dir,
        runtime_config=request.runtime_config,
        variables=request.variables,
        env=request.environment,
        key_values=request.key_values,
        follow=() if request.quiet else request.follow or None,
    ) as host:
        for notice in host.notices:
            click.echo(notice, err=True)

        def announce(listening: Listening) -> None:
            for line in startup_lines(listening.url, host.routes):
                click.echo(line)

        listen_and_serve(host, request.listen or DEFAULT_LISTEN, on_listening=announce)
