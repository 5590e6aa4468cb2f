"""``edgezero up``: an application on the embedded host, with the flags of ``spin up``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from edgezero_spin.cli.build import build_components
from edgezero_spin.cli.embedded import run_host
from edgezero_spin.cli.options import adapter_option, common_options
from edgezero_spin.cli.run_options import RunFlags, run_options
from edgezero_spin.cli.values import Duration, Span

if TYPE_CHECKING:
    from edgezero_spin.host import HostSettings

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
@click.option("--find-free-port", is_flag=True, help="If the port is taken, try the next ones.")
@click.option(
    "--tls-cert",
    metavar="FILE",
    envvar="SPIN_TLS_CERT",
    help="Serve https with this certificate chain, in PEM. Needs --tls-key.",
)
@click.option(
    "--tls-key",
    metavar="FILE",
    envvar="SPIN_TLS_KEY",
    help="The private key of the certificate, in PEM.",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["plain", "json"]),
    default="plain",
    help="How to print address and routes. Default: plain.",
)
@click.option("--truncate-logs", is_flag=True, help="Empty the log files of earlier runs.")
@click.option(
    "--sqlite",
    metavar="STATEMENT",
    multiple=True,
    help="Run SQL first: a statement for the database `default`, @FILE or @FILE:LABEL.",
)
@click.option(
    "--allow-transient-write",
    is_flag=True,
    help="Let components change their copy of the files, until this command ends.",
)
@click.option(
    "--direct-mounts",
    is_flag=True,
    help="Show components the folders themselves, not a copy, so that edits are seen.",
)
@click.option(
    "--request-timeout", metavar="TIME", type=Duration(), help="Stop an instance after this time."
)
@click.option(
    "--max-instance-memory",
    metavar="BYTES",
    envvar="SPIN_MAX_INSTANCE_MEMORY",
    type=click.IntRange(min=1),
    help="Most memory of one instance.",
)
@click.option(
    "--max-instance-reuse-count",
    "reuse",
    metavar="N|A..B",
    type=Span(),
    default=(1, 1),
    help="How many requests an instance serves. Default: 1, a fresh one for each.",
)
@click.option(
    "--ready-instances",
    "ready",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    help="Instances of each component to make ahead of time. Default: 0.",
)
@click.option(
    "--temp",
    "--tmp",
    "work_dir",
    metavar="DIR",
    help="Where copies of files and a spin.lock of this run go, to stay.",
)
@click.option("--cache-dir", metavar="DIR", help="Where downloaded components are kept.")
@click.option("--disable-cache", is_flag=True, help="Compile components anew.")
@click.option("--disable-pooling", is_flag=True, help="Allocate instances one by one.")
@adapter_option
@common_options
def up(
    source: str | None,
    component_ids: tuple[str, ...],
    profile: str | None,
    build: bool,
    flags: RunFlags,
    find_free_port: bool,
    tls_cert: str | None,
    tls_key: str | None,
    output_format: str,
    truncate_logs: bool,
    sqlite: tuple[str, ...],
    allow_transient_write: bool,
    direct_mounts: bool,
    work_dir: str | None,
    cache_dir: str | None,
    **instances: Any,
) -> None:
    """Serve an application until Ctrl-C, as `spin up` does.

    Always by the embedded host, whatever is installed; `edgezero serve` leaves that open
    and knows edgezero.toml.
    """
    from edgezero_spin.host import Host, RunOptions
    from edgezero_spin.host.trigger.server import ServerSettings
    from edgezero_spin.project.locate import find_spin_manifest
    from edgezero_spin.project.serve import find_runtime_config

    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together")
    tls = None if tls_cert is None or tls_key is None else (tls_cert, tls_key)
    path = find_spin_manifest(source)
    is_lock = path.suffix in LOCK_SUFFIXES
    if build:
        if is_lock:
            raise click.UsageError("--build needs a spin.toml; a lock has no build commands")
        build_components(path, component_ids, profile=profile)
    options: RunOptions = {
        **flags.host_options(find_runtime_config(path)),
        "components": component_ids,
        "profile": profile,
        "truncate_logs": truncate_logs,
        "sqlite": sqlite,
        "transient_write": allow_transient_write,
        "direct_mounts": direct_mounts,
        "work_dir": work_dir,
        "downloads_dir": None if cache_dir is None else Path(cache_dir) / "registry",
        "settings": _settings(**instances),
    }
    start = Host.from_lock if is_lock else Host.from_manifest
    with start(path, **options) as host:
        run_host(
            host,
            flags.listen,
            settings=ServerSettings(find_free_port=find_free_port, tls=tls),
            as_json=output_format == "json",
        )


def _settings(
    request_timeout: float | None,
    max_instance_memory: int | None,
    reuse: tuple[int, int],
    ready: int,
    disable_cache: bool,
    disable_pooling: bool,
) -> "HostSettings":
    from edgezero_spin.host import HostSettings, ReusePolicy

    settings = HostSettings(
        request_timeout_s=request_timeout,
        max_instance_memory=max_instance_memory,
        pooling=not disable_pooling,
        reuse=ReusePolicy(ready=ready, least_served=reuse[0], most_served=reuse[1]),
    )
    return attrs.evolve(settings, cache_dir=None) if disable_cache else settings
