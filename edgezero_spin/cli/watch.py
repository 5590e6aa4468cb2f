"""``edgezero watch``: build and serve an application, again whenever its files change."""

import contextlib

import click

from edgezero_spin.cli.host_options import HostFlags, host_options
from edgezero_spin.cli.not_here import refused_flag
from edgezero_spin.cli.options import PassThrough, component_ids_option, examples, spin_options
from edgezero_spin.cli.progress import show_compilations
from edgezero_spin.cli.run_options import RunFlags, run_options
from edgezero_spin.cli.side_pages import side_pages
from edgezero_spin.cli.trigger_options import TriggerFlags, trigger_options

__all__ = ["watch"]


class _Watch(PassThrough):
    """Takes flags behind ``--`` as well, where ``spin watch`` wants those of ``spin up``.

    Behind a second one are the arguments of a program.
    """

    behind = "[-- FLAG...] [-- ARGUMENT...]"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Leave the separator out; behind it, ``-c`` is the component and not the screen."""
        at = args.index("--") if "--" in args else len(args)
        flags = args[at + 1 :]
        end = flags.index("--") if "--" in flags else len(flags)
        flags, arguments = flags[:end], flags[end:]
        flags = [
            f"--component-id={word[2:]}" if word.startswith("-c") and word != "-c" else word
            for word in flags
        ]
        flags = ["--component-id" if word == "-c" else word for word in flags]
        return super().parse_args(ctx, [*args[:at], *flags, *arguments])


@click.command(
    cls=_Watch,
    epilog=examples(
        "edgezero watch",
        "edgezero watch --clear --quiet --listen 127.0.0.1:0",
        "edgezero watch -f examples/notes --skip-build --debounce 500",
    ),
    short_help="Build and serve, again whenever a file changes.",
)
@click.option(
    "-f",
    "--from",
    "--from-file",
    "--file",
    "source",
    metavar="PATH",
    type=click.Path(),
    help="spin.toml or its folder. Default: the one here, else above, else the nearest below.",
)
@click.option("--profile", metavar="NAME", help="Build and use this profile of the manifest.")
@click.option("-c", "--clear", is_flag=True, help="Clear the screen before each run.")
@click.option(
    "-d",
    "--debounce",
    "debounce_ms",
    metavar="MS",
    type=click.IntRange(min=0, max=60_000),
    default=100,
    help="Milliseconds without a further change before one is acted upon. Default: 100.",
)
@click.option("--skip-build", is_flag=True, help="Build nothing; reload when a build was run.")
@component_ids_option("--component-id")
@click.option("--build", is_flag=True, hidden=True)
@refused_flag(
    "--from-registry",
    reason="watch builds and serves files; `edgezero up` runs what is in a registry",
)
@refused_flag(
    *("-k", "--insecure"),
    is_flag=True,
    reason="watch asks no registry; `edgezero up` runs what is in one",
)
@run_options
@trigger_options
@host_options
@spin_options
def watch(
    source: str | None,
    profile: str | None,
    clear: bool,
    debounce_ms: int,
    skip_build: bool,
    component_ids: tuple[str, ...],
    build: bool,
    flags: RunFlags,
    triggers: TriggerFlags,
    more: HostFlags,
) -> None:
    """Build and serve an application until Ctrl-C, as `spin watch` does.

    A change of what `build.watch` names, or of spin.toml, builds and reloads; one of a
    component file or of `files` reloads. Requests that are being answered are answered by
    the application that they came to. While a build fails, or what was built does not fit
    the targets of the manifest, what ran before goes on.
    """
    from edgezero_spin.cli.build import check_targets
    from edgezero_spin.cli.watch_session import Screen, run_on_thread, watch_and_serve
    from edgezero_spin.host import Host, RunOptions
    from edgezero_spin.project.locate import find_spin_manifest
    from edgezero_spin.project.watching import WatchSettings

    if build and skip_build:
        raise click.UsageError("--build and --skip-build contradict each other")
    path = find_spin_manifest(source)
    show_compilations()

    run = flags.host_options()

    def start() -> Host:
        options: RunOptions = {
            **run,
            **more.run_options(durable=False),
            "observers": (*run["observers"], *pages.observers),
            "components": component_ids,
            "profile": profile,
            "triggers": triggers.kinds(),
        }
        with contextlib.ExitStack() as failing:
            host = failing.enter_context(Host.from_manifest(path, **options))
            triggers.check(host)
            failing.pop_all()
        return host

    settings = WatchSettings(
        manifest=path,
        profile=profile,
        debounce_ms=debounce_ms,
        skip_build=skip_build,
        skip_assets=more.direct_mounts,
        check=lambda: run_on_thread(lambda: check_targets(path, profile=profile)),
    )
    with side_pages(more.operation_listen, more.explorer_port) as pages:
        watch_and_serve(settings, start, flags, more, Screen(clear), pages)
