"""``edgezero up``: an application on the embedded host, with the flags of ``spin up``."""

import click

from edgezero_spin.cli.build import build_components, warn_of_another_profile
from edgezero_spin.cli.embedded import run_host
from edgezero_spin.cli.host_options import HostFlags, host_options
from edgezero_spin.cli.options import (
    PassThrough,
    build_option,
    component_ids_option,
    examples,
    insecure_option,
    spin_options,
    verify_key_option,
)
from edgezero_spin.cli.progress import show_compilations
from edgezero_spin.cli.run_options import RunFlags, run_options
from edgezero_spin.cli.side_pages import side_pages
from edgezero_spin.cli.trigger_options import TriggerFlags, trigger_options
from edgezero_spin.cli.workers import check_workers, worker_options, workers_option

__all__ = ["up"]


class _Up(PassThrough):
    """Knows what a name without a flag was meant to be."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse what no flag takes, with the flag that would."""
        ctx.allow_extra_args = True
        super().parse_args(ctx, args)
        if ctx.args and not ctx.resilient_parsing:
            from edgezero_spin.manifest.image_reference import without_credentials

            name = without_credentials(ctx.args[0])
            raise click.UsageError(
                f"unexpected argument {name!r}. Did you mean `edgezero up -f {name}`?", ctx
            )
        return ctx.args


@click.command(
    cls=_Up,
    epilog=examples(
        "edgezero up --build",
        "edgezero up -f app.wasm --listen 127.0.0.1:0 --format json",
        "edgezero up -f ghcr.io/acme/shop:1.0 --state-dir state --verify-key cosign.pub",
        "edgezero up -f spin.lock --request-timeout 2s --max-instance-reuse-count 100",
        "edgezero up --workers 4",
    ),
    short_help="Serve any Spin application by the embedded host.",
)
@click.option(
    "-f",
    "--from",
    "source",
    metavar="PATH|IMAGE",
    help="spin.toml or its folder, a .wasm file, a spin.lock, or an image in a registry. "
    "Default: the spin.toml here, else above, else the nearest below.",
)
@click.option(
    "--from-file",
    "--file",
    "file",
    metavar="PATH",
    type=click.Path(),
    help="The same, and never an image.",
)
@click.option(
    "--from-registry",
    "image",
    metavar="IMAGE",
    help="The same, and always an image: ghcr.io/acme/shop:1.0, or with @sha256:... at its end.",
)
@insecure_option
@verify_key_option
@component_ids_option()
@click.option("--profile", metavar="NAME", help="Use this profile of the manifest.")
@build_option
@run_options
@workers_option
@trigger_options
@host_options
@spin_options
def up(
    source: str | None,
    file: str | None,
    image: str | None,
    insecure: bool,
    verify_keys: tuple[str, ...],
    component_ids: tuple[str, ...],
    profile: str | None,
    build: bool,
    workers: int,
    flags: RunFlags,
    triggers: TriggerFlags,
    more: HostFlags,
) -> None:
    """Serve an application until Ctrl-C, as `spin up` does.

    Always by the embedded host, whatever is installed; `edgezero serve` leaves that open
    and knows edgezero.toml. Logins to registries are those of `spin registry login`, else
    of `docker login`. Only a spin.toml is built by --build. What stands behind -- are the
    arguments of the program of a command trigger, with whose end all of it ends.
    """
    from edgezero_spin.host import Host, RunOptions
    from edgezero_spin.manifest.image_reference import parse_image_reference
    from edgezero_spin.project.app_source import choose_source
    from edgezero_spin.project.worker_processes import WorkerPlace

    if sum(name is not None for name in (source, file, image)) > 1:
        raise click.UsageError(
            "more than one application: --from, --from-file and --from-registry exclude each other"
        )
    app = choose_source(source, file=file, image=image)
    path = app.path
    check_workers(workers, flags, more, is_image=path is None)
    place = WorkerPlace.inherited()
    if place is None:
        show_compilations()
    options: RunOptions = {
        **flags.host_options(),
        **more.run_options(),
        "components": component_ids,
        "profile": profile,
        "triggers": triggers.kinds(),
    }
    if place is not None:
        options = worker_options(options)
    with side_pages(more.operation_listen, more.explorer_port) as pages:
        options["observers"] = (*options["observers"], *pages.observers)
        if path is None:
            _refuse_local_flags(profile, more.direct_mounts)
            reference = app.reference or ""
            if place is not None and place.digest is not None:
                reference = str(parse_image_reference(reference).at(place.digest))
            starting = Host.from_registry(
                reference, insecure=insecure, verify=verify_keys or None, **options
            )
        elif verify_keys:
            raise click.UsageError("--verify-key checks images; this application is on this disk")
        elif app.is_lock:
            starting = Host.from_lock(path, **options)
        else:
            if app.is_manifest and place is None:
                if build:
                    build_components(path, component_ids, profile=profile)
                else:
                    warn_of_another_profile(path, profile)
            starting = Host.from_manifest(path, **options)
        with starting as host:
            triggers.check(host)
            pages.host = lambda: host
            run_host(
                host,
                flags.listen,
                settings=more.server_settings(flags.find_free_port),
                as_json=more.as_json,
                pages=pages,
                workers=workers,
                place=place,
            )
            pages.host = lambda: None


def _refuse_local_flags(profile: str | None, direct_mounts: bool) -> None:
    """Stop where a flag was typed that only makes sense with an application's files."""
    if profile is not None:
        raise click.UsageError(
            "--profile chooses what is built and pushed; an image has one profile already"
        )
    if direct_mounts:
        raise click.UsageError(
            "--direct-mounts shows folders of this machine; an image has copies of its own"
        )
