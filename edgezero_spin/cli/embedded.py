"""The embedded host on a socket, with the lines that announce it."""

import contextlib
import functools
import gc
from typing import TYPE_CHECKING

import click

from edgezero_spin.cli.options import notify
from edgezero_spin.cli.startup import startup_json, startup_lines
from edgezero_spin.cli.workers import worker_processes

if TYPE_CHECKING:
    from edgezero_spin.cli.side_pages import SidePages
    from edgezero_spin.host import Host
    from edgezero_spin.host.http.server import ServerSettings
    from edgezero_spin.project.worker_processes import WorkerPlace

__all__ = ["run_host"]


SERVING_THRESHOLDS = (7000, 10, 10)
"""New objects after which garbage is looked for, and in how many of those cases among older ones.

Ten times Python's own number: a request makes and frees hundreds of objects and leaves no cycles
behind, so that looking for some is 3 % of a short one. A start looks less often still
(``cli.COLLECTED_AFTER``)."""


def run_host(
    host: "Host",
    listen: str | None,
    *,
    settings: "ServerSettings | None" = None,
    as_json: bool = False,
    pages: "SidePages | None" = None,
    workers: int = 1,
    place: "WorkerPlace | None" = None,
) -> None:
    """Serve until Ctrl-C.

    Args:
        host: What answers. It is not closed here.
        listen: Address and port; ``None`` for the usual one.
        settings: How clients are treated.
        as_json: Print address and routes as one JSON object (OUT-7).
        pages: What is served beside it.
        workers: Processes that serve, this one included.
        place: Of this one among them; ``None`` for the first, which speaks for all.
    """
    from edgezero_spin.host.http.listening import bind
    from edgezero_spin.host.http.server import DEFAULT_LISTEN, Listening, serve

    if place is not None:
        serve(host, place, on_listening=lambda _: _settle(), settings=settings, events=False)
        return
    for notice in host.notices:
        notify(notice, marked=False)
    if not host.takes_requests and listen is not None:
        no_http = "The application has no HTTP triggers: nothing listens on --listen"
        notify(no_http, marked=False)
    if not host.takes_requests and pages is not None:
        pages.serving()

    def announce(listening: Listening) -> None:
        _settle()
        if pages is not None:
            pages.serving()
        if as_json:
            click.echo(startup_json(listening.url, host.routes))
            return
        for line in startup_lines(listening.url, host.routes):
            click.echo(line)

    say = functools.partial(click.echo, err=as_json)
    where = listen or DEFAULT_LISTEN
    if workers == 1:
        serve(
            host,
            where,
            on_listening=announce,
            on_stopping=pages.stopping if pages is not None else lambda: None,
            settings=settings,
            say=say,
        )
        return
    find_free_port = settings is not None and settings.find_free_port
    with (
        contextlib.closing(bind(where, find_free_port=find_free_port)) as listener,
        worker_processes(workers, host, listener) as others,
    ):
        serve(host, others, on_listening=announce, drain=others.drain, settings=settings, say=say)


def _settle() -> None:
    """Have the collector leave alone what is there now, which stays, and look less often."""
    gc.freeze()
    gc.set_threshold(*SERVING_THRESHOLDS)
