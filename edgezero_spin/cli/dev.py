"""``edgezero dev``: an app served natively, loaded anew at every save."""

import contextlib
from pathlib import Path

import click

from edgezero_spin.cli.explorer_options import bind_explorer, explorer_options
from edgezero_spin.cli.options import examples, notify, spin_options
from edgezero_spin.cli.run_options import RunFlags, run_options

__all__ = ["dev"]

DIFFERENCES = (
    "Natively, not as a component: threads, sockets and every module work here. "
    "`edgezero test` and `edgezero up` run the component."
)


@click.command(
    epilog=examples(
        "edgezero dev", "edgezero dev --listen 127.0.0.1:0 --variable api_token=secret"
    ),
    short_help="Serve an app natively, anew at every save.",
)
@click.option(
    "-f",
    "--from",
    "source",
    metavar="PATH",
    type=click.Path(),
    help="spin.toml or its folder. Default: the one here, else above, else the nearest below.",
)
@click.option(
    "--component-id",
    metavar="ID",
    help="The component whose app is served. Default: the only one that is an app.",
)
@run_options
@explorer_options
@spin_options
def dev(
    source: str | None, component_id: str | None, flags: RunFlags, explorer_port: int | None
) -> None:
    """Serve an app without compiling it, and load it again whenever one of its files changes.

    Stores are the files of Spin, below .spin, and stay. Variables, stores and outbound requests are
    those that spin.toml grants. An app that cannot be loaded answers with its traceback until the
    fix is saved.

    Handlers of Redis, MQTT and cron triggers get their events, by the servers and schedules that
    spin.toml names.

    What runs is CPython, not the component: an app may use threads, sockets, every module and the
    whole disk here. Files of the manifest are not mounted; the current folder is that of the app.
    """
    import attrs

    from edgezero_spin.cli.dev_session import serve_until_stopped
    from edgezero_spin.development.application import app_of
    from edgezero_spin.development.supervisor import DevSettings
    from edgezero_spin.explorer.serving import new_token
    from edgezero_spin.host.http.listening import DEFAULT_LISTEN, Listening, bind
    from edgezero_spin.manifest.spin import load_spin_manifest
    from edgezero_spin.project.locate import find_spin_manifest

    path = find_spin_manifest(source)
    place = app_of(load_spin_manifest(path), component_id)
    options = dict(flags.host_options())
    # Made again in the process that answers.
    del options["observers"]
    runtime_config = options.get("runtime_config")
    if isinstance(runtime_config, Path):
        options["runtime_config"] = str(runtime_config)
    settings = DevSettings(
        manifest=path,
        place=place,
        # What the app writes is on this terminal.
        run={**options, "log_dir": "", "follow": None},
        access_log=flags.access_log,
    )
    with contextlib.ExitStack() as owned:
        listening = owned.enter_context(
            bind(flags.listen or DEFAULT_LISTEN, find_free_port=flags.find_free_port)
        )
        address, port = listening.getsockname()[:2]
        click.echo(f"Serving {Listening(address, port).url}")
        click.echo(f"  {place.component_id}: {place.target} in {place.folder}")
        click.echo(DIFFERENCES)
        if explorer_port is not None:
            token = new_token()
            shown = owned.enter_context(bind_explorer(explorer_port))
            settings = attrs.evolve(settings, explorer=(shown, token))
            url = Listening(*shown.getsockname()[:2]).url
            notify(f"explorer at {url}/{token}/")
        serve_until_stopped(settings, listening)
