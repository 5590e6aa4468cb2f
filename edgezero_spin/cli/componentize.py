"""``edgezero componentize``: one app in, one component out, one line said about it."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import click

from edgezero_spin.cli.options import examples, notify, spin_options
from edgezero_spin.cli.progress import busy

__all__ = ["componentize"]

Wasi = Literal["0.2", "0.3"]


@click.command(
    epilog=examples("edgezero componentize app:app -o app.wasm"),
    short_help="Compile an app to a component.",
)
@click.argument("app", metavar="MODULE[:ATTRIBUTE]")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Where the component goes.",
)
@click.option(
    "--world",
    metavar="NAME",
    help="The WIT world to compile against. Default: what the app answers and uses, and nothing "
    "else.",
)
@click.option(
    "--wasi",
    envvar="EDGEZERO_WASI",
    show_envvar=True,
    type=click.Choice(["0.2", "0.3"]),
    help="The WASI to compile for: 0.2 runs on every Spin, 0.3 on Spin 4.1 and later. Default: "
    "wasi in [adapters.spin] of edgezero.toml, else 0.2.",
)
@click.option(
    "--include",
    metavar="NAME",
    multiple=True,
    help="A module or package to import later that no import statement names. Repeatable; "
    "include in [adapters.spin.build] of edgezero.toml adds to it.",
)
@click.option(
    "--exclude",
    metavar="NAME",
    multiple=True,
    help="A module or package that is never imported later. Repeatable; exclude in "
    "[adapters.spin.build] of edgezero.toml adds to it.",
)
@spin_options
@click.pass_context
def componentize(
    context: click.Context,
    app: str,
    output: Path,
    world: str | None,
    wasi: Wasi | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
) -> None:
    """Compile the app MODULE:ATTRIBUTE to one component.

    MODULE is looked up from the current folder and ATTRIBUTE is the App in it; without
    one, MODULE has a class IncomingHandler, made by run_app. FILE is replaced only by a
    component that was built completely.

    What the app and the standard library can import while a request is answered is bundled in
    the component, compressed, and so are the files of the app's packages.
    """
    from edgezero_spin.project.bundle_settings import bundle_settings
    from edgezero_spin.project.componentize import componentize_app
    from edgezero_spin.project.world import DEFAULT_WASI, SPIN_FOR

    bundle = bundle_settings(include, exclude, os.environ, wasi=wasi)
    with busy(f"Compiling {app}"), _ended_by_sigterm():
        built = componentize_app(
            app,
            output=output,
            world=world,
            wasi=bundle.wasi,
            include=bundle.include,
            exclude=bundle.exclude,
        )
    click.echo(
        f"{output}  {built.size_bytes / 1_000_000:.1f} MB, "
        f"for later imports {built.bundled_bytes / 1_000_000:.1f} MB  "
        f"world {built.world}  {built.seconds:.1f} s"
    )
    for what in built.left_out:
        notify(
            f"Warning: {what} does not travel with the component, which takes 64 MiB of "
            "files; mount it by `files` in spin.toml"
        )
    if built.spin not in ("", SPIN_FOR[DEFAULT_WASI]):
        click.echo(f"needs Spin {built.spin} or later")


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """End what runs, and remove what it wrote, when a build or `edgezero watch` is stopped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
