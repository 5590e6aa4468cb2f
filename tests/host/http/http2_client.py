"""A client of HTTP/2 that does as it is told, also what no good client would."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any, Self

import attrs
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    Event,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from hyperframe.frame import Frame, GoAwayFrame

from edgezero_spin.host.http.listening import Listening
from tests.host.http.test_http1_connection import serving
from tests.host.programs import Program
from tests.host.wire import WAIT_S

__all__ = ["PREFACE", "Answer", "Http2Client", "ask", "fields", "with_client"]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

RawPair = tuple[bytes, bytes]


@attrs.define
class Answer:
    """What came back on one stream so far.

    Attributes:
        status: 0 before the head.
        headers: Without the status and the date.
        dates: How many there were.
        body: Its bytes so far.
        trailers: Behind the body.
        informed: Statuses before the final one.
        ended: All is there.
        reset: Code of a reset.
    """

    status: int = 0
    headers: list[RawPair] = attrs.field(factory=list)
    dates: int = 0
    body: bytes = b""
    trailers: list[RawPair] = attrs.field(factory=list)
    informed: list[int] = attrs.field(factory=list)
    ended: bool = False
    reset: int | None = None

    @property
    def done(self) -> bool:
        """Nothing will follow."""
        return self.ended or self.reset is not None


class Http2Client:
    """One connection.

    Attributes:
        frames: h2's part, for what this class has no method for.
        answers: By the number of the stream.
        reads: Whether the server is given room for more when bytes came in.
        goodbye: Code of the server's GOAWAY.
        closed: The server closed the connection.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.frames = H2Connection(
            H2Configuration(
                client_side=True,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        # h2 takes nothing more behind a GOAWAY, which only says that no more is begun.
        self.frames._frame_dispatch_table[GoAwayFrame] = self._goodbye
        self.answers: dict[int, Answer] = {}
        self.reads = True
        self.goodbye: int | None = None
        self.closed = False
        self.writer = writer
        self._reader = reader

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(
        cls, where: Listening, trusting: ssl.SSLContext | None = None
    ) -> AsyncIterator[Self]:
        """A client that has sent its preface."""
        name = None if trusting is None else "localhost"
        reader, writer = await asyncio.open_connection(
            where.host, where.port, ssl=trusting, server_hostname=name
        )
        client = cls(reader, writer)
        client.frames.initiate_connection()
        client.flush()
        try:
            yield client
        finally:
            writer.transport.abort()

    def flush(self) -> None:
        """Send what was made."""
        self.writer.write(self.frames.data_to_send())

    def begin(
        self,
        path: str = "/",
        method: str = "GET",
        headers: Iterable[RawPair] = (),
        *,
        ends: bool = True,
    ) -> int:
        """Begin a request; return its stream."""
        pseudo = [
            (b":method", method.encode()),
            (b":scheme", b"http"),
            (b":authority", b"example.com"),
            (b":path", path.encode()),
        ]
        return self.begin_with([*pseudo, *headers], ends=ends)

    def begin_with(self, fields: list[RawPair], *, ends: bool = True) -> int:
        """Begin a request with these fields."""
        id = self.frames.get_next_available_stream_id()
        self.frames.send_headers(id, fields, end_stream=ends)
        self.answers[id] = Answer()
        self.flush()
        return id

    def send(self, id: int, data: bytes, *, ends: bool = False) -> None:
        """Send a piece of a body that there is room for."""
        self.frames.send_data(id, data, end_stream=ends)
        self.flush()

    async def upload(self, id: int, data: bytes) -> None:
        """Send a whole body, as there is room."""
        while data:
            await self.until(lambda: self.frames.local_flow_control_window(id) > 0)
            room = self.frames.local_flow_control_window(id)
            piece = data[: min(room, self.frames.max_outbound_frame_size)]
            data = data[len(piece) :]
            self.send(id, piece, ends=not data)

    async def until(self, true: Callable[[], bool]) -> None:
        """Take what comes in until something is true."""
        async with asyncio.timeout(WAIT_S):
            while not true():
                data = await self._reader.read(65536)
                if not data:
                    self.closed = True
                    assert true(), "the server closed the connection"
                    return
                for event in self.frames.receive_data(data):
                    self._note(event)
                self.flush()

    async def answer(self, id: int) -> Answer:
        """All of an answer."""
        answer = self.answers[id]
        await self.until(lambda: answer.done)
        return answer

    async def end(self) -> None:
        """Read until the server closes."""
        with contextlib.suppress(ConnectionError):
            await self.until(lambda: self.closed)

    def _goodbye(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        self.goodbye = frame.error_code
        return [], []

    def _note(self, event: Event) -> None:
        answer = self.answers.get(getattr(event, "stream_id", 0) or 0)
        if answer is None:
            return
        if isinstance(event, InformationalResponseReceived):
            answer.informed += [int(value) for _, value in event.headers[:1]]
        elif isinstance(event, ResponseReceived):
            answer.status = int(dict(event.headers)[b":status"])
            rest = event.headers[1:]
            answer.dates = sum(name == b"date" for name, _ in rest)
            answer.headers = [pair for pair in rest if pair[0] != b"date"]
        elif isinstance(event, DataReceived):
            answer.body += event.data
            if self.reads:
                self.frames.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, TrailersReceived):
            answer.trailers = list(event.headers)
        elif isinstance(event, StreamEnded):
            answer.ended = True
        elif isinstance(event, StreamReset):
            answer.reset = event.error_code


async def ask(where: Listening, *begun: object, **options: object) -> Answer:
    """One request on a connection of its own; the arguments are those of ``begin``."""
    async with Http2Client.connected(where) as client:
        return await client.answer(client.begin(*begun, **options))  # type: ignore[arg-type]


def with_client(
    program: Program, run: Callable[[Http2Client], Coroutine[Any, Any, Any]], **options: Any
) -> Any:
    """Run one client of a program; what comes of it."""

    async def connected() -> Any:
        async with (
            serving(program, **options) as where,
            Http2Client.connected(where) as client,
        ):
            return await run(client)

    return asyncio.run(connected())


def fields(**changed: bytes | None) -> list[RawPair]:
    """The fields of a plain GET, some of them changed or left out."""
    plain: dict[str, bytes | None] = {
        "method": b"GET",
        "scheme": b"http",
        "authority": b"a",
        "path": b"/",
        **changed,
    }
    return [(f":{name}".encode(), value) for name, value in plain.items() if value is not None]
