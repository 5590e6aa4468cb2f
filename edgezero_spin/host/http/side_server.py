"""Side servers: pages about a host, on a socket and a thread of their own.

In: a ``RequestHandler`` that answers at once, and a socket. Out: a server that runs while a block
does. It shares nothing with the server of the application, so that it answers while that one is
busy or drains.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence

from edgezero_spin.host.exchange.fields import Pair
from edgezero_spin.host.http.listening import Listening
from edgezero_spin.host.http.request_handler import RequestHandler, ResponseWriter
from edgezero_spin.host.http.responses import is_bodiless
from edgezero_spin.host.http.server import serve_async
from edgezero_spin.host.http.settings import ServerSettings

__all__ = ["send_text", "side_server"]


@contextlib.contextmanager
def side_server(
    handler: RequestHandler,
    listener: socket.socket,
    settings: ServerSettings | None = None,
    *,
    on_end: Callable[[], None] = lambda: None,
) -> Iterator[Listening]:
    """Serve on a thread of its own while the block runs.

    Args:
        handler: What answers.
        listener: A socket that listens; it is closed at the end.
        settings: How clients are treated; the usual ends what is under way at once.
        on_end: Called in the server's loop before that.
    """
    address, port = listener.getsockname()[:2]
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    ready = threading.Event()

    async def run() -> None:
        ended = asyncio.Event()
        loops.append((asyncio.get_running_loop(), ended))
        await serve_async(
            handler,
            listener,
            on_listening=lambda _: ready.set(),
            settings=settings or ServerSettings(drain_s=0),
            stop=ended,
        )

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="edgezero-side", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield Listening(address, port)
    finally:
        loop, ended = loops[0]
        loop.call_soon_threadsafe(on_end)
        loop.call_soon_threadsafe(ended.set)
        thread.join()


def send_text(
    writer: ResponseWriter,
    method: str,
    status: int,
    content: str | bytes,
    media_type: str = "text/plain; charset=utf-8",
    fields: Sequence[Pair] = (),
) -> None:
    """Send a whole response that no cache keeps."""
    body = content.encode() if isinstance(content, str) else content
    headers: list[Pair] = [
        ("content-type", media_type.encode()),
        ("cache-control", b"no-store"),
        ("content-length", b"%d" % len(body)),
        *fields,
    ]
    writer.send(status, headers, b"" if is_bodiless(method, status) else body)
