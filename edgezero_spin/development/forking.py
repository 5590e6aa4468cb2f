"""The process that has imported all but the app, and forks for each load.

``python -m edgezero_spin.development.forking`` is started by the supervisor with a listening socket
and a control socket. A line on the control socket is a load: the fork that answers so far stops to
accept and ends its requests, and a new one takes over. The control socket's end is the end.

In: options as JSON. Out: for each load one line of JSON: how long it took, or why it failed.
``run_app`` stands for all that an app imports of this library: it is loaded here, before any fork.

Source: our own; ``fork`` leaves no thread behind because this process has none.
"""

import asyncio
import contextlib
import functools
import gc
import io
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, NoReturn

from edgezero_spin import run_app
from edgezero_spin.development.answering import AppHandler, FailureHandler
from edgezero_spin.development.application import load_native
from edgezero_spin.development.observed import output_followed
from edgezero_spin.errors import EdgeZeroError
from edgezero_spin.explorer.recorder import Recorder
from edgezero_spin.host.http.access_log import AccessLog
from edgezero_spin.host.http.server import ServerSettings, serve_async
from edgezero_spin.host.observers import Observer, combine

if TYPE_CHECKING:
    from edgezero_spin.explorer.application import ExploredApplication

__all__ = ["main", "run_app"]

DRAIN_S = 5.0
"""Seconds that requests may take which the code before a save still answers."""

BEGIN_S = 2.0
"""Seconds that triggers have to connect before the app counts as loaded without them."""

STOP_S = 1.0
"""Seconds that the code before a save has to stop accepting."""


def main() -> None:
    """Fork at each order until the orders end."""
    listening = socket.socket(fileno=int(sys.argv[1]))
    control = socket.socket(fileno=int(sys.argv[2]))
    options: dict[str, Any] = json.loads(sys.argv[3])
    # Ctrl-C is for the supervisor, which ends this process by closing the control socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    orders = control.makefile("rb")
    # Bytecode is taken for that of a source by its second and its size, and two saves in one second
    # may well have one size.
    sys.dont_write_bytecode = True
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What an app prints is seen when it does, also behind a pipe.
        sys.stdout.reconfigure(line_buffering=True)
    # What is there now is shared with every fork, and no collector has to look at it.
    gc.freeze()
    before: _Worker | None = None
    running: set[int] = set()
    while _is_ordered(orders):
        _reap(running)
        heard, held = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(heard)
            _run_worker(listening, control, options, before, held)
        os.close(held)
        if before is not None:
            os.close(before.accepting)
        before = _Worker(pid, heard)
        running.add(pid)
    _reap(running)
    # Not the last one alone: while that one loads, the one before it still answers.
    for pid in running:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    for pid in running:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _is_ordered(orders: IO[bytes]) -> bool:
    """Wait for an order; ``False`` when no more will come."""
    try:
        return bool(orders.readline())
    except ConnectionError:
        # The supervisor was killed with something unread.
        return False


class _Worker(NamedTuple):
    """A fork that answers.

    Attributes:
        pid: Its process.
        accepting: A pipe that ends when it accepts no connection any more.
    """

    pid: int
    accepting: int

    def stop(self) -> None:
        """Have it accept no connection any more, and wait until it does not."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        select.select([self.accepting], [], [], STOP_S)


def _reap(running: set[int]) -> None:
    """Take forks that have ended out of those that run."""
    with contextlib.suppress(ChildProcessError):
        while pid := os.waitpid(-1, os.WNOHANG)[0]:
            running.discard(pid)


def _run_worker(
    listening: socket.socket,
    control: socket.socket,
    options: dict[str, Any],
    before: _Worker | None,
    held: int,
) -> NoReturn:
    """Serve until SIGTERM, and end this process."""
    status = 0
    try:
        with contextlib.ExitStack() as owned:
            recorder = Recorder() if options["explorer"] is not None else None
            handler, said = _load(owned, options, _observer(options, recorder))
            if before is not None:
                before.stop()
            shown = owned.enter_context(contextlib.ExitStack())
            shown.enter_context(_exploring(options, recorder, handler))

            def stopping() -> None:
                # The next load takes over both sockets.
                shown.close()
                os.close(held)

            def loaded(lines: list[str]) -> None:
                said.setdefault("notices", []).extend(lines)
                with contextlib.suppress(ConnectionError):
                    control.sendall(json.dumps(said).encode() + b"\n")

            asyncio.run(_serve(handler, listening, loaded, stopping))
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Not sys.exit: what the process that was forked would do at its end is not ours.
        os._exit(status)


def _load(
    owned: contextlib.ExitStack, options: dict[str, Any], observer: Observer | None
) -> tuple[AppHandler | FailureHandler, dict[str, Any]]:
    started = time.perf_counter()
    path = Path(options["manifest"])
    try:
        native = load_native(path, options["component_id"], owned, options["run"])
    except EdgeZeroError as error:
        title, _, rest = str(error).partition("\n")
        return FailureHandler(title, rest, observer), {"error": str(error)}
    except BaseException as error:
        text = _own_traceback(error)
        title = f"{type(error).__name__}: {error}".splitlines()[0]
        return FailureHandler(title, text, observer), {"error": text}
    took = time.perf_counter() - started
    return AppHandler(native, observer), {
        "seconds": took,
        "component": native.place.component_id,
        "routes": len(native.app.routes),
        "notices": list(native.notices),
    }


def _observer(options: dict[str, Any], recorder: Recorder | None) -> Observer | None:
    form = options["access_log"]
    observers: list[Observer] = []
    if recorder is not None:
        observers.append(recorder)
    if form is not None:
        # What is printed while a request is answered is the app's; these lines are not.
        errors = sys.stderr
        observers.append(AccessLog(form, lambda line: print(line, file=errors, flush=True)))
    return combine(observers)


@contextlib.contextmanager
def _exploring(
    options: dict[str, Any], recorder: Recorder | None, handler: AppHandler | FailureHandler
) -> Iterator[None]:
    """Serve the explorer while the block runs, where one is wanted."""
    if recorder is None:
        yield
        return
    from edgezero_spin.development.exploring import explored_native
    from edgezero_spin.explorer.serving import Explorer
    from edgezero_spin.host.http.side_server import side_server

    def explored() -> "ExploredApplication | None":
        if isinstance(handler, FailureHandler):
            return None
        return explored_native(handler.native, options["url"])

    explorer = Explorer(recorder, explored, options["explorer"]["token"])
    # The next load has the same socket.
    listener = socket.socket(fileno=os.dup(options["explorer"]["socket"]))
    with side_server(explorer, listener, on_end=explorer.end):
        component = "" if isinstance(handler, FailureHandler) else handler.native.part.id
        with output_followed(component):
            yield


def _own_traceback(error: BaseException) -> str:
    """The traceback from the app's own module on."""
    frames = traceback.extract_tb(error.__traceback__)
    skipped = 0
    for frame in frames:
        if "importlib" in frame.filename or f"edgezero_spin{os.sep}development" in frame.filename:
            skipped += 1
        else:
            break
    shown = traceback.format_exception(error, limit=skipped - len(frames))
    if skipped == len(frames):
        shown = traceback.format_exception_only(error)
    return "".join(shown).rstrip()


async def _serve(
    handler: AppHandler | FailureHandler,
    listening: socket.socket,
    loaded: Callable[[list[str]], None],
    stopping: Callable[[], None],
) -> None:
    """Serve until SIGTERM.

    Args:
        loaded: Called once requests and events are taken, with what there is to say of these.
        stopping: Called when no more are.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end(number: int, frame: object) -> None:
        # The alarm ends this process where a handler never gives way.
        signal.alarm(int(DRAIN_S) + 2)
        loop.call_soon_threadsafe(stop.set)

    signal.signal(signal.SIGTERM, end)
    lines: list[str] = []
    say: Callable[[str], None] = lines.append

    async def tell() -> None:
        nonlocal say
        if isinstance(handler, AppHandler):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(handler.begun(), BEGIN_S)
        # A server that comes later has its lines by themselves.
        say = functools.partial(print, file=sys.stderr, flush=True)
        loaded(lines)

    telling = asyncio.create_task(tell())
    await serve_async(
        handler,
        listening,
        on_stopping=stopping,
        settings=ServerSettings(drain_s=DRAIN_S),
        say=lambda line: say(line),
        stop=stop,
    )
    telling.cancel()
    await handler.aclose()


if __name__ == "__main__":
    main()
