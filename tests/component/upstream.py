"""A server for components to call: it tells what it was sent, or sends what it is told."""

import contextlib
import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["upstream"]


class _Server(ThreadingHTTPServer):
    """Knows when it ends, and how many requests have to meet."""

    daemon_threads = True
    meeting = threading.Barrier(8)

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ended = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("transfer-encoding", ""):
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data
        return self.rfile.read(int(self.headers.get("content-length", "0")))

    def _answer(self) -> None:
        body = self._body()
        if self.path == "/echo":
            self._send(200, body, "text/plain")
        elif self.path == "/gzip":
            self._send(200, gzip.compress(b"hello gzip"), "text/plain", encoding="gzip")
        elif self.path == "/large":
            self._send(200, bytes(range(256)) * 20_000, "application/octet-stream")
        elif self.path == "/meet":
            # Answered once eight requests are there at the same time.
            self.server.meeting.wait(20)
            self._send(200, b"met", "text/plain")
        elif self.path == "/never":
            self.server.ended.wait()
        elif self.path == "/endless":
            self.send_response(200)
            self.send_header("content-length", "10")
            self.end_headers()
            self.wfile.write(b"begun")
            self.server.ended.wait()
        elif self.path == "/framing":
            names = ("content-length", "transfer-encoding")
            seen = {name: self.headers.get_all(name) for name in names}
            self._send(200, json.dumps(seen).encode(), "application/json")
        elif self.path == "/teapot":
            self._send(418, b"short and stout", "text/plain")
        else:
            request = {
                "method": self.command,
                "path": self.path,
                "host": self.headers["host"],
                "tags": self.headers.get_all("x-tag"),
                "length": len(body),
            }
            self._send(200, json.dumps(request).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str, encoding: str | None = None) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        if encoding is not None:
            self.send_header("content-encoding", encoding)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_OPTIONS = do_PATCH = _answer  # noqa: N815 - http.server's own names

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


@contextlib.contextmanager
def upstream() -> Iterator[int]:
    """Serve on loopback; yield the port."""
    server = _Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
