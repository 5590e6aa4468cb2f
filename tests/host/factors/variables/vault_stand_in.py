"""A server that follows the HTTP API of Vault, as far as variables need it."""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from edgezero_spin.host.factors.variables.backends.vault import VaultProvider

__all__ = ["TOKEN", "Vault", "running_vault"]

TOKEN = "s.root"


class Vault(ThreadingHTTPServer):
    """The read path of a version 2 key-value engine.

    Attributes:
        secrets: Fields by path, such as ``secret/data/app/token``; bytes are sent as they are.
        asked: The paths, in order.
        connections: How many were made.
        opened: Closes the providers.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.secrets: dict[str, object] = {}
        self.asked: list[str] = []
        self.connections = 0
        self.opened = ExitStack()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def provider(self, **fields: Any) -> VaultProvider:
        """A provider that asks this server, closed with it."""
        usual = {"url": self.url, "token": TOKEN, "mount": "secret"}
        return self.opened.enter_context(closing(VaultProvider(**usual | fields)))


class Handler(BaseHTTPRequestHandler):
    """Answers reads."""

    server: Vault
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        self.server.connections += 1
        super().setup()

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        found = self.server.secrets.get(self.path.removeprefix("/v1/"))
        if self.headers["X-Vault-Token"] != TOKEN:
            self.answer(403, {"errors": ["permission denied"]})
        elif found is None:
            self.answer(404, {"errors": []})
        else:
            self.answer(200, {"data": {"data": found, "metadata": {"version": 1}}})

    def answer(self, status: int, body: object) -> None:
        """Send JSON."""
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def running_vault() -> Iterator[Vault]:
    """Run a server with no secrets yet."""
    with Vault() as server, server.opened:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
