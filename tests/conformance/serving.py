"""A host on a socket as ``edgezero serve`` puts it there, and the check of one exchange."""

import asyncio
import contextlib
import http.client
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import attrs

from edgezero_spin.host import Host
from edgezero_spin.host.http.server import Listening, serve_async

__all__ = ["Answer", "ask", "http_echo", "serving"]


@contextlib.contextmanager
def serving(host: Host | contextlib.AbstractContextManager[int]) -> Iterator[int]:
    """Serve on a free port of loopback; yield the port.

    Args:
        host: What answers, or something else that serves while it is entered, at the port
            that it gives.
    """
    if not isinstance(host, Host):
        with host as port:
            yield port
        return
    ready = threading.Event()
    ports: list[int] = []
    handles: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def listening(where: Listening) -> None:
        ports.append(where.port)
        ready.set()

    async def run() -> None:
        stop = asyncio.Event()
        handles.append((asyncio.get_running_loop(), stop))
        try:
            await serve_async(
                host,
                "127.0.0.1:0",
                on_listening=listening,
                stop=stop,
            )
        finally:
            ready.set()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        ready.wait()
        yield ports[0]
    finally:
        loop, stop = handles[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join()


@attrs.frozen
class Answer:
    """What a client saw.

    Attributes:
        status: Of the response.
        headers: Pairs as they came, names in lower case, without ``date`` (CONF-0b).
        body: All of it.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def must_be(
        self,
        status: int,
        body: bytes | str = b"",
        *,
        required: Mapping[str, str] | None = None,
        optional: Mapping[str, str | None] | None = None,
    ) -> None:
        """Hold the answer to a vector: a header that it does not list fails (CONF-0b).

        The body is compared exactly, and is empty unless the vector has one (CONF-0a).

        Args:
            status: As the vector has it.
            body: All of it.
            required: Headers that have to be there, with their values.
            optional: Headers that may be; a value of ``None`` stands for any.
        """
        expected = body.encode() if isinstance(body, str) else body
        assert (self.status, self.body) == (status, expected), self
        assert len(dict(self.headers)) == len(self.headers), f"repeated: {self.headers}"
        needed = {name: value.lower() for name, value in (required or {}).items()}
        for name, value in self.headers:
            if name in needed:
                assert value.lower() == needed.pop(name), self
                continue
            assert name in (optional or {}), f"not in the vector: {name}: {value}"
            wanted = (optional or {})[name]
            assert wanted is None or value.lower() == wanted.lower(), self
        assert not needed, f"missing: {needed}"


def ask(
    port: int,
    target: str = "/",
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    body: bytes = b"",
) -> Answer:
    """Send a request that has no header but ``Host: example.com`` and those given."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in {"host": "example.com", **(headers or {})}.items():
            connection.putheader(name, value)
        if body:
            connection.putheader("content-length", str(len(body)))
        connection.endheaders(body or None)
        response = connection.getresponse()
        content = response.read()
        pairs = [(name.lower(), value) for name, value in response.getheaders()]
    finally:
        connection.close()
    dates = [value for name, value in pairs if name == "date"]
    assert len(dates) <= 1, dates
    return Answer(response.status, [pair for pair in pairs if pair[0] != "date"], content)


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        self._send(body)

    def do_GET(self) -> None:
        self._send(b"x" * int(self.path.removeprefix("/")))

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


@contextlib.contextmanager
def http_echo() -> Iterator[int]:
    """The service double ``http-echo``, which also sends ``/<n>`` bytes; yield its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
