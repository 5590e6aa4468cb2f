"""Requests as a guest makes them, and servers that answer as a test says."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_http.client import HttpClient
from edgezero_spin.host.factors.outbound_http.interface import Destination
from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.factors.wasi.http.outbound import (
    FutureIncomingResponse,
    OutgoingRequest,
    RequestOptions,
)
from edgezero_spin.host.runtime.interface import Err, WitError
from tests.host.support import call

__all__ = [
    "Peer",
    "Talk",
    "Upload",
    "content",
    "read",
    "request_of",
    "send",
    "settled",
    "stream_of",
]

WAIT_S = 15

Handler = Callable[["Talk"], None]


class Talk:
    """One connection, as its server sees it.

    Attributes:
        received: Everything that came in so far.
    """

    def __init__(self, connection: socket.socket, asked: threading.Event) -> None:
        self.connection = connection
        self.received = b""
        self._asked = asked

    def until(self, text: str) -> None:
        """Receive until ``text`` came in."""
        while text.encode() not in self.received:
            data = self.connection.recv(65536)
            assert data, f"no {text!r} in {self.received!r}"
            self.received += data
        self._asked.set()

    def say(self, data: bytes) -> None:
        """Send."""
        self.connection.sendall(data)

    def drain(self) -> None:
        """Receive until the client leaves."""
        try:
            while data := self.connection.recv(65536):
                self.received += data
        except OSError:
            pass


class Peer:
    """A server whose every connection is handled as its test says.

    Attributes:
        port: Where it listens.
        talks: The connections so far.
        met: A client connected.
        asked: A wait for a text came to an end.
        left: A client left.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._tls = tls
        self.port = self._listener.getsockname()[1]
        self.talks: list[Talk] = []
        self.met = threading.Event()
        self.asked = threading.Event()
        self.left = threading.Event()
        self.faults: list[BaseException] = []

    @property
    def received(self) -> bytes:
        """What came in over the last connection."""
        return self.talks[-1].received if self.talks else b""

    def serve(self, *handlers: Handler) -> None:
        """Accept one connection for each handler, one after the other."""
        threading.Thread(target=self._serve, args=(handlers,), daemon=True).start()

    def answer(self, *steps: bytes | str) -> None:
        """Play steps on one connection: a text is waited for, bytes are sent."""

        def play(talk: Talk) -> None:
            for step in steps:
                if isinstance(step, bytes):
                    talk.say(step)
                else:
                    talk.until(step)
            talk.drain()
            self.left.set()

        self.serve(play)

    def _serve(self, handlers: tuple[Handler, ...]) -> None:
        for handler in handlers:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(WAIT_S)
            try:
                with contextlib.ExitStack() as open_:
                    open_.enter_context(connection)
                    if self._tls is not None:
                        connection = self._tls.wrap_socket(connection, server_side=True)
                        open_.enter_context(connection)
                    talk = Talk(connection, self.asked)
                    self.talks.append(talk)
                    self.met.set()
                    handler(talk)
            except (OSError, AssertionError) as fault:
                self.faults.append(fault)

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()


def request_of(method: str = "get", path: str | None = "/", **headers: str) -> OutgoingRequest:
    """A request as a guest makes it."""
    made = OutgoingRequest(Fields([(name, value.encode()) for name, value in headers.items()]))
    made.method = (method, None)
    made.path = path
    return made


class Upload:
    """The body of a request, written by a guest."""

    def __init__(self, state: InstanceState, request: OutgoingRequest) -> None:
        self._state = state
        self.body = call(state, "wasi:http/types [method]outgoing-request.body", request)
        self.stream = call(state, "wasi:http/types [method]outgoing-body.write", self.body)

    def write(self, data: bytes) -> None:
        """Write and wait until it was taken."""
        for at in range(0, len(data), 4096):
            call(
                self._state,
                "wasi:io/streams [method]output-stream.blocking-write-and-flush",
                self.stream,
                data[at : at + 4096],
            )

    def finish(self, trailers: Fields | None = None) -> None:
        """End the body."""
        self.stream.drop(self._state)
        call(self._state, "wasi:http/types [static]outgoing-body.finish", self.body, trailers)

    def drop(self) -> None:
        """Leave it unfinished."""
        self.stream.drop(self._state)
        self.body.drop(self._state)


def send(
    client: HttpClient,
    state: InstanceState,
    port: int,
    request: OutgoingRequest,
    options: RequestOptions | None = None,
    host: str = "127.0.0.1",
    scheme: str = "http",
) -> FutureIncomingResponse:
    """Send to a port of this machine."""
    future = FutureIncomingResponse(state)
    client.send(Destination(scheme, f"{host}:{port}", host, port), request, options, future)
    return future


def settled(state: InstanceState, future: FutureIncomingResponse) -> Any:
    """Wait as a guest does; return the response or the error code."""
    pollable = call(state, "wasi:http/types [method]future-incoming-response.subscribe", future)
    call(state, "wasi:io/poll [method]pollable.block", pollable)
    answer = future.get()
    assert answer is not None
    assert not isinstance(answer, Err)
    return answer.value.value


def stream_of(state: InstanceState, response: Any) -> Any:
    """The stream of a response's body."""
    body = call(state, "wasi:http/types [method]incoming-response.consume", response)
    return call(state, "wasi:http/types [method]incoming-body.stream", body)


def read(state: InstanceState, stream: Any, most: int = 65536) -> bytes:
    """Wait for bytes."""
    return bytes(call(state, "wasi:io/streams [method]input-stream.blocking-read", stream, most))


def pieces(state: InstanceState, stream: Any) -> Iterator[bytes]:
    """Read to the clean end."""
    while True:
        try:
            yield read(state, stream)
        except WitError as error:
            assert error.payload == ("closed", None), error.payload
            return


def content(state: InstanceState, response: Any) -> bytes:
    """Read a response body to its end."""
    return b"".join(pieces(state, stream_of(state, response)))
