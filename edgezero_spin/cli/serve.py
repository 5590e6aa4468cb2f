"""``edgezero serve``: the application on a local port, by Spin or by the embedded host."""

import os
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from edgezero_spin.cli.embedded import run_host
from edgezero_spin.cli.not_here import refused_flag
from edgezero_spin.cli.options import (
    PassThrough,
    adapter_name_option,
    common_options,
    component_ids_option,
    examples,
    manifest_option,
    notify,
)
from edgezero_spin.cli.progress import show_compilations
from edgezero_spin.cli.replaced import find_project, run_replacement
from edgezero_spin.cli.reuse_options import ReuseFlags, reuse_options
from edgezero_spin.cli.run_options import RunFlags, run_options
from edgezero_spin.cli.trigger_options import TriggerFlags, trigger_options

if TYPE_CHECKING:
    from edgezero_spin.manifest import AppManifest
    from edgezero_spin.project.serve import EngineChoice

__all__ = ["serve"]


@click.command(
    cls=PassThrough,
    epilog=examples(
        "edgezero serve --listen 127.0.0.1:8080",
        "edgezero serve -C examples/notes --variable admin_token=let-me-in",
    ),
    short_help="Serve the application on a local port.",
)
@manifest_option
@click.option(
    "--engine",
    type=click.Choice(["auto", "spin", "embedded"]),
    default="auto",
    help="What runs the components. auto, the default, is Spin where it is installed.",
)
@refused_flag(
    "--from-registry",
    reason="serve runs a project's files; `edgezero up` runs what is in a registry",
)
@component_ids_option()
@run_options
@trigger_options
@reuse_options
@adapter_name_option
@common_options
@click.pass_context
def serve(
    context: click.Context,
    manifest: str | None,
    engine: "EngineChoice",
    component_ids: tuple[str, ...],
    flags: RunFlags,
    triggers: TriggerFlags,
    reuse: ReuseFlags,
    adapter: str | None,
) -> None:
    """Serve the application in spin.toml until Ctrl-C.

    A command `serve` in [adapters.spin.commands] of edgezero.toml runs instead, unless
    --engine names an engine, or the command starts a Spin that is not installed.
    Components are not built first: run `edgezero build` for that.
    """
    from edgezero_spin.manifest.runtime_config import find_runtime_config
    from edgezero_spin.project.commands import check_built_in, resolve_listen
    from edgezero_spin.project.locate import spin_manifest_of
    from edgezero_spin.project.serve import (
        ServeRequest,
        choose_engine,
        run_spin,
        starts_missing_spin,
    )

    project, adapter = find_project(adapter, manifest)
    if engine == "auto" and starts_missing_spin(project, adapter):
        notify("Spin is not installed: the embedded host serves instead")
    elif engine == "auto":
        _refuse_flags(context, project, adapter)
        if run_replacement(project, adapter, "serve", manifest=manifest):
            return
    check_built_in(adapter)
    listen = flags.listen
    if listen is None:
        listen, warnings = resolve_listen(project, adapter, os.environ)
        for warning in warnings:
            notify(warning)
    path = spin_manifest_of(project, adapter, manifest)
    if choose_engine(engine) == "embedded":
        from edgezero_spin.host import Host, HostSettings
        from edgezero_spin.host.http.server import ServerSettings

        show_compilations()
        options = flags.host_options()
        options["components"] = component_ids
        options["triggers"] = triggers.kinds()
        options["settings"] = HostSettings(**reuse.policies())
        with Host.from_manifest(path, **options) as host:
            triggers.check(host)
            run_host(host, listen, settings=ServerSettings(find_free_port=flags.find_free_port))
        return
    run_spin(
        ServeRequest(
            manifest=path,
            listen=listen,
            find_free_port=flags.find_free_port,
            state_dir=flags.state_dir,
            log_dir=flags.log_dir,
            runtime_config=flags.runtime_config_file or find_runtime_config(path.parent),
            variables=flags.variables,
            environment=dict(flags.environment),
            key_values=dict(flags.key_values),
            follow=flags.follow,
            quiet=flags.quiet,
            components=component_ids,
            more=(*reuse.spin_arguments(), *triggers.spin_arguments()),
        )
    )


def _refuse_flags(context: click.Context, project: "AppManifest | None", adapter: str) -> None:
    """Stop where a flag was typed that a command of the project's own would never see."""
    declared = None if project is None else project.adapter(adapter)
    if declared is None or declared.commands.serve is None:
        return
    for option in context.command.params:
        name = option.name or ""
        if name in ("manifest", "adapter", "engine"):
            continue
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"{max(option.opts, key=len)} does nothing here: edgezero.toml replaces serve with "
                f"`{declared.commands.serve}`. Choose --engine spin or --engine embedded to "
                "serve without it."
            )
