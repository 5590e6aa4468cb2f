"""A server that components are downloaded from."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.host.support import SCRIPT

__all__ = ["DIGEST", "WASM", "Shop"]

WASM = SCRIPT.read_bytes()
DIGEST = f"sha256:{hashlib.sha256(WASM).hexdigest()}"


class Shop:
    """A server with one component, and the paths that it was asked for.

    Attributes:
        asked: The paths, in order.
        url: Where it is.
    """

    def __init__(self) -> None:
        shop = self
        self.asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                shop.asked.append(self.path)
                if self.path == "/moved":
                    self.send_response(302)
                    self.send_header("location", "/app.wasm")
                    self.end_headers()
                    return
                if self.path == "/elsewhere":
                    self.send_response(302)
                    self.send_header("location", "file:///etc/passwd")
                    self.end_headers()
                    return
                found = self.path in ("/app.wasm", "/cut")
                self.send_response(200 if found else 404)
                self.send_header("content-length", str(len(WASM) if found else 0))
                self.end_headers()
                if found:
                    self.wfile.write(WASM if self.path == "/app.wasm" else WASM[:1000])

            def log_message(self, format: str, *arguments: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(
            target=lambda: self.server.serve_forever(poll_interval=0.01)
        )
        self._thread.start()

    def close(self) -> None:
        """Answer no more. Twice is harmless."""
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()
