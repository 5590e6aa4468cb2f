"""One run of ``edgezero watch``: a socket, the application behind it, and the files it came from.

In: what to watch and how to load. Effect: serves until Ctrl-C, and loads again when asked to.
Stands apart from its command because asyncio would be a third of the time of ``--help``.

Source: contract spin-host.md, CLI-17 and LIFE-10.
"""

import asyncio
import contextlib
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgezero_spin.cli.build import say_build_step
from edgezero_spin.cli.host_options import HostFlags
from edgezero_spin.cli.options import notify
from edgezero_spin.cli.run_options import RunFlags
from edgezero_spin.cli.side_pages import SidePages
from edgezero_spin.cli.startup import startup_json, startup_lines
from edgezero_spin.errors import EdgeZeroError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from edgezero_spin.host import Host, Switch
    from edgezero_spin.host.http.server import Listening
    from edgezero_spin.host.load.application import PublicRoute
    from edgezero_spin.project.build import BuildStep
    from edgezero_spin.project.watching import WatchSettings

__all__ = ["Screen", "run_on_thread", "watch_and_serve"]

_Result = TypeVar("_Result")


class Screen:
    """Tells whoever sits before it what happens."""

    def __init__(self, clear: bool) -> None:
        self._clear = clear

    def building(self, step: "BuildStep") -> None:
        say_build_step(step)

    def built(self, steps: int) -> None:
        if steps:
            click.echo("Finished building all Spin components")

    def failed(self, error: EdgeZeroError, *, serving: bool) -> None:
        notify(str(error), is_error=True)
        notify("what ran before goes on" if serving else "waiting for a change")

    def unwatched(self, component_id: str) -> None:
        notify(
            f"You haven't configured what to watch for the component: '{component_id}'. "
            f"Name its sources in component.{component_id}.build.watch.",
            marked=False,
        )

    def clear(self) -> None:
        if self._clear:
            click.clear()


async def run_on_thread(run: Callable[[], _Result]) -> _Result:
    """Run something that takes a while; what it returns to nobody is closed, if it can be."""
    from edgezero_spin.host.runtime.compiling import on_thread

    running = on_thread(run)
    try:
        return await asyncio.shield(asyncio.wrap_future(running))
    except asyncio.CancelledError:
        # The thread does not stop, and nobody waits for it.
        running.add_done_callback(_close)
        raise


def _close(running: "Future[_Result]") -> None:
    if running.exception() is None:
        close = getattr(running.result(), "close", None)
        if close is not None:
            close()


class _Serving:
    """One socket, and behind it the application as it was loaded last.

    Attributes:
        over: Done when the server ended, with its error where it failed.
    """

    def __init__(
        self, start: "Callable[[], Host]", flags: RunFlags, more: HostFlags, pages: SidePages
    ) -> None:
        self._start = start
        self._pages = pages
        pages.host = lambda: None if self._switch is None else self._switch.current
        self._flags = flags
        self._more = more
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stop = asyncio.Event()
        self._switch: Switch | None = None
        self._server: asyncio.Task[None] | None = None
        self._url = ""
        self._routes: tuple[PublicRoute, ...] = ()
        self._draining: set[asyncio.Task[bool]] = set()
        self._noticed: set[str] = set()

    async def reload(self) -> None:
        """Load the application and serve it from now on.

        Raises:
            EdgeZeroError: It cannot be run as it stands.
        """
        from edgezero_spin.host import Switch

        host = await run_on_thread(self._start)
        for notice in host.notices:
            if notice not in self._noticed:
                self._noticed.add(notice)
                notify(notice, marked=False)
        if self._switch is None:
            self._switch = Switch(host)
            await self._serve(self._switch)
            return
        # What is still being answered is no reason to wait with the next change.
        draining = asyncio.create_task(self._switch.replace(host))
        self._draining.add(draining)
        draining.add_done_callback(self._draining.discard)
        # Its first step puts the new one in place.
        await asyncio.sleep(0)
        if host.routes != self._routes:
            self._announce(host.routes)
        notify("Reloaded the application", marked=False)

    async def _serve(self, switch: "Switch") -> None:
        from edgezero_spin.host.http.server import DEFAULT_LISTEN, serve_async

        ready = asyncio.Event()

        def listening(where: "Listening") -> None:
            self._url = where.url
            self._announce(switch.current.routes)
            self._pages.serving()
            ready.set()

        self._server = asyncio.create_task(
            serve_async(
                switch,
                self._flags.listen or DEFAULT_LISTEN,
                on_listening=listening,
                on_stopping=self._pages.stopping,
                settings=self._more.server_settings(self._flags.find_free_port),
                say=functools.partial(click.echo, err=self._more.as_json),
                stop=self._stop,
            )
        )
        self._server.add_done_callback(self._ended)
        # If it ends before it is ready, so does the command: there is nothing to go on with.
        await ready.wait()

    def _ended(self, server: "asyncio.Task[None]") -> None:
        if self.over.done():
            return
        error = None if server.cancelled() else server.exception()
        if error is None:
            self.over.set_result(None)
        else:
            self.over.set_exception(error)

    def _announce(self, routes: "tuple[PublicRoute, ...]") -> None:
        self._routes = routes
        if self._more.as_json:
            click.echo(startup_json(self._url, routes))
            return
        for line in startup_lines(self._url, routes):
            click.echo(line)

    async def close(self) -> None:
        """Stop listening and close what is loaded."""
        self._stop.set()
        if self._server is not None:
            await asyncio.wait({self._server})
        for draining in self._draining:
            draining.cancel()
        if self._draining:
            await asyncio.wait(self._draining)
        if self._switch is not None:
            await self._switch.close(drain_s=0)


def watch_and_serve(
    settings: "WatchSettings",
    start: "Callable[[], Host]",
    flags: RunFlags,
    more: HostFlags,
    screen: Screen,
    pages: SidePages,
) -> None:
    """Build, serve and reload until Ctrl-C.

    Args:
        flags: Say where to listen.
        more: How the server and the host are set.
        pages: What is served beside it.

    Raises:
        EdgeZeroError: It cannot be served at all.
    """
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(settings, lambda: _Serving(start, flags, more, pages), screen))


async def _run(settings: "WatchSettings", make: "Callable[[], _Serving]", screen: Screen) -> None:
    from edgezero_spin.host.execution.signals import ending_signals
    from edgezero_spin.project.watching import watch as watch_files

    serving = make()
    interrupted = asyncio.Event()
    for number in ending_signals():
        # LIFE-10
        asyncio.get_running_loop().add_signal_handler(number, interrupted.set)
    watching = asyncio.create_task(watch_files(settings, serving.reload, screen))
    waiting = asyncio.ensure_future(interrupted.wait())
    try:
        ends: list[asyncio.Future[Any]] = [watching, waiting, serving.over]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        watching.cancel()
        await asyncio.wait({watching})
        await serving.close()
    for future in (watching, serving.over):
        if future.done() and not future.cancelled():
            future.result()
