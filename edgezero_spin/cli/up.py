"""``edgezero up``: an application on the embedded host, with the flags of ``spin up``."""

import click

from edgezero_spin.cli.build import build_components
from edgezero_spin.cli.embedded import run_host
from edgezero_spin.cli.host_options import HostFlags, host_options
from edgezero_spin.cli.options import adapter_option, common_options
from edgezero_spin.cli.run_options import RunFlags, run_options

__all__ = ["up"]

EPILOG = """\b
Example:
  edgezero up --build
  edgezero up -f app.wasm --listen 127.0.0.1:0 --format json
  edgezero up -f spin.lock --request-timeout 2s --max-instance-reuse-count 100
"""

LOCK_SUFFIXES = (".lock", ".json")


@click.command(epilog=EPILOG, short_help="Serve any Spin application by the embedded host.")
@click.option(
    "-f",
    "--from",
    "--from-file",
    "--file",
    "source",
    metavar="PATH",
    type=click.Path(),
    help="spin.toml or its folder, a .wasm file, or a spin.lock. Default: the nearest spin.toml.",
)
@click.option(
    "-c",
    "--component-id",
    "component_ids",
    metavar="ID",
    multiple=True,
    help="Run this component only. May be given several times.",
)
@click.option("--profile", metavar="NAME", help="Use this profile of the manifest.")
@click.option(
    "--build", is_flag=True, envvar="SPIN_ALWAYS_BUILD", help="Run the build commands first."
)
@run_options
@host_options
@adapter_option
@common_options
def up(
    source: str | None,
    component_ids: tuple[str, ...],
    profile: str | None,
    build: bool,
    flags: RunFlags,
    more: HostFlags,
) -> None:
    """Serve an application until Ctrl-C, as `spin up` does.

    Always by the embedded host, whatever is installed; `edgezero serve` leaves that open
    and knows edgezero.toml.
    """
    from edgezero_spin.host import Host, RunOptions
    from edgezero_spin.project.locate import find_spin_manifest
    from edgezero_spin.project.serve import find_runtime_config

    path = find_spin_manifest(source)
    is_lock = path.suffix in LOCK_SUFFIXES
    if build:
        if is_lock:
            raise click.UsageError("--build needs a spin.toml; a lock has no build commands")
        build_components(path, component_ids, profile=profile)
    options: RunOptions = {
        **flags.host_options(find_runtime_config(path)),
        **more.run_options(),
        "components": component_ids,
        "profile": profile,
    }
    start = Host.from_lock if is_lock else Host.from_manifest
    with start(path, **options) as host:
        run_host(host, flags.listen, settings=more.server_settings(), as_json=more.as_json)
