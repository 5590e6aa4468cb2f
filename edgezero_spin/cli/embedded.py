"""The embedded host on a socket, with the lines that announce it."""

import functools
import gc
from typing import TYPE_CHECKING

import click

from edgezero_spin.cli.options import notify
from edgezero_spin.cli.startup import startup_json, startup_lines

if TYPE_CHECKING:
    from edgezero_spin.cli.side_pages import SidePages
    from edgezero_spin.host import Host
    from edgezero_spin.host.http.server import ServerSettings

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
) -> None:
    """Serve until Ctrl-C.

    Args:
        host: What answers. It is not closed here.
        listen: Address and port; ``None`` for the usual one.
        settings: How clients are treated.
        as_json: Print address and routes as one JSON object (OUT-7).
        pages: What is served beside it.
    """
    from edgezero_spin.host.http.server import DEFAULT_LISTEN, Listening, serve

    for notice in host.notices:
        notify(notice, marked=False)
    if not host.takes_requests and listen is not None:
        no_http = "The application has no HTTP triggers: nothing listens on --listen"
        notify(no_http, marked=False)
    if not host.takes_requests and pages is not None:
        pages.serving()

    def announce(listening: Listening) -> None:
        # What is there now stays: the collector need never look at it again.
        gc.freeze()
        gc.set_threshold(*SERVING_THRESHOLDS)
        if pages is not None:
            pages.serving()
        if as_json:
            click.echo(startup_json(listening.url, host.routes))
            return
        for line in startup_lines(listening.url, host.routes):
            click.echo(line)

    serve(
        host,
        listen or DEFAULT_LISTEN,
        on_listening=announce,
        on_stopping=pages.stopping if pages is not None else lambda: None,
        settings=settings,
        say=functools.partial(click.echo, err=as_json),
    )
