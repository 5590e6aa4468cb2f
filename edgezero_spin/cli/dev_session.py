"""One run of ``edgezero dev``: serve until Ctrl-C, and say what was loaded.

Stands apart from its command because asyncio would be a third of the time of ``--help``.
"""

import asyncio
import socket

import click

from edgezero_spin.cli.options import notify
from edgezero_spin.development.supervisor import AppLoad, DevSettings, supervise
from edgezero_spin.host.execution.signals import ending_signals

__all__ = ["serve_until_stopped"]


def serve_until_stopped(settings: DevSettings, listening: socket.socket) -> None:
    """Serve until a signal ends it.

    Raises:
        ProjectError: The process that loads the app ended by itself.
    """
    asyncio.run(_serve(settings, listening))


async def _serve(settings: DevSettings, listening: socket.socket) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in ending_signals():
        loop.add_signal_handler(number, stop.set)
    await supervise(settings, listening, _Report(), stop)


class _Report:
    """Tells whoever sits before it what was loaded."""

    def __init__(self) -> None:
        self._notices: tuple[str, ...] = ()

    def __call__(self, load: AppLoad) -> None:
        if load.error is not None:
            notify(load.error, is_error=True)
            notify("waiting for a change")
            return
        for notice in load.notices:
            # What was said of the load before need not be said again.
            if notice not in self._notices:
                click.echo(notice, err=True)
        self._notices = load.notices
        what = "Loaded" if load.first else "Reloaded"
        took = f"{(load.seconds or 0) * 1000:.0f} ms"
        routes = "1 route" if load.routes == 1 else f"{load.routes} routes"
        click.echo(f"{what} the app, {routes}, in {took}", err=True)
