"""Small programs behind a real server, in the place of an application with components."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.http.gateway import RequestHead
from edgezero_spin.host.http.request_handler import Responder, ResponseWriter

__all__ = ["Program", "Request", "Response", "Served", "answering", "echo"]

Pair = tuple[str, bytes]

logger = logging.getLogger("edgezero_spin.host")


class Request:
    """What a program is asked.

    Attributes:
        head: The head.
        body: The channel of its body; ``None`` for none.
    """

    def __init__(self, head: RequestHead, body: ByteChannel | None) -> None:
        self.head = head
        self.body = body
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        if body is not None:
            body.on_data = self._changed.set

    async def read(self) -> bytes:
        """All bytes.

        Raises:
            ConnectionError: The rest will not come.
        """
        content = b""
        while self.body is not None:
            ended = self.body.ended
            content += self.body.take_all()
            if ended:
                if self.body.failure is not None:
                    raise ConnectionError(self.body.failure)
                break
            self._changed.clear()
            await self._changed.wait()
        return content


class Response:
    """What a program answers; as the server's responder for it.

    Attributes:
        left: The client has gone.
    """

    def __init__(self, writer: ResponseWriter) -> None:
        self._writer = writer
        self.left = asyncio.Event()
        self._ready = asyncio.Event()

    def resume(self) -> None:
        self._ready.set()

    def abandon(self) -> None:
        self.left.set()

    def send(self, status: int, headers: list[Pair], body: bytes) -> None:
        """Send all of it."""
        self._writer.send(status, headers, body)

    def start(self, status: int = 200, *headers: Pair) -> None:
        """Send the head."""
        self._writer.start(status, headers)

    def write(self, data: bytes, *, last: bool = False) -> None:
        """Send a piece."""
        self._writer.write(data, last=last)

    def abort(self) -> None:
        """Break off."""
        self._writer.abort("as told")

    async def drained(self) -> None:
        """Wait until the client keeps up."""
        while not self._writer.ready():
            self._ready.clear()
            await self._ready.wait()


Program = Callable[[Request, Response], Awaitable[None]]


class Served:
    """What a server is given.

    Attributes:
        tasks: Programs at work.
    """

    origin: str | None = None

    def __init__(self, program: Program) -> None:
        self._program = program
        self.tasks: set[asyncio.Task[None]] = set()

    def begin(
        self, head: RequestHead, body: ByteChannel | None, writer: ResponseWriter
    ) -> Responder:
        response = Response(writer)
        task = asyncio.ensure_future(self._program(Request(head, body), response))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return response


def answering(*parts: bytes, status: int = 200, headers: tuple[Pair, ...] = ()) -> Program:
    """A program that answers with these pieces of a body."""

    async def program(request: Request, response: Response) -> None:
        response.start(status, *headers)
        for part in parts:
            response.write(part)
        response.write(b"", last=True)

    return program


async def echo(request: Request, response: Response) -> None:
    """Answer with the method, the path and the body."""
    try:
        body = await request.read()
    except ConnectionError:
        return
    said = f"{request.head.method} {request.head.path} ".encode() + body
    response.send(200, [("content-length", str(len(said)).encode())], said)
