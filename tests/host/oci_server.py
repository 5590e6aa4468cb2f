"""A registry that follows the OCI distribution specification, as far as reading packages goes."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

__all__ = ["Registry", "running_registry"]

PAGE = 3
"""Tags in one answer."""


class Registry(ThreadingHTTPServer):
    """Its content, and what it wants to know.

    Attributes:
        packages: Repository to version to bytes.
        metadata: What it says of itself; ``None`` for nothing.
        users: Who may read, by password; anybody when empty.
        open_to_all: Tokens are given to anybody, but there have to be some.
        basic: It wants passwords, no tokens.
        broken: Blobs are not what their digest says.
        manifests: Manifests of its own, by repository and tag.
        asked: Paths, in order.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.packages: dict[str, dict[str, bytes]] = {}
        self.metadata: dict[str, Any] | None = None
        self.users: dict[str, str] = {}
        self.open_to_all = False
        self.basic = False
        self.broken = False
        self.manifests: dict[tuple[str, str], Any] = {}
        self.asked: list[str] = []

    @property
    def host(self) -> str:
        """Its name for a client; of ``localhost`` it is asked without TLS."""
        return f"localhost:{self.server_port}"


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class _Handler(BaseHTTPRequestHandler):
    server: Registry
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""

    def _send(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        """Answer, or ask who it is."""
        registry = self.server
        url = urlsplit(self.path)
        registry.asked.append(url.path)
        if url.path == "/.well-known/wasm-pkg/registry.json":
            found = registry.metadata
            self._send(404 if found is None else 200, json.dumps(found).encode())
        elif url.path == "/token":
            self._token(parse_qs(url.query))
        elif url.path.startswith("/moved/"):
            self._blob(url.path.removeprefix("/moved/"))
        elif self._is_known():
            self._read(url.path.removeprefix("/v2/"), parse_qs(url.query))
        else:
            self._challenge(url.path)

    def _user(self) -> str | None:
        """Who a password says that it is."""
        kind, _, text = self.headers.get("authorization", "").partition(" ")
        if kind != "Basic":
            return None
        name, _, password = base64.b64decode(text).decode().partition(":")
        return name if self.server.users.get(name) == password else None

    def _is_known(self) -> bool:
        registry = self.server
        if not registry.users and not registry.open_to_all:
            return True
        if registry.basic:
            return self._user() is not None
        return self.headers.get("authorization") == "Bearer a-token"

    def _challenge(self, path: str) -> None:
        if self.server.basic:
            self._send(401, b"", www_authenticate='Basic realm="here"')
            return
        repository = path.removeprefix("/v2/").rpartition("/")[0].rpartition("/")[0]
        where = f"http://{self.server.host}/token"
        scope = f"repository:{repository}:pull"
        text = f'Bearer realm="{where}",service="here",scope="{scope}"'
        self._send(401, b"", www_authenticate=text)

    def _token(self, query: dict[str, list[str]]) -> None:
        registry = self.server
        said = self.headers.get("authorization") is not None
        known = self._user() is not None
        if query.get("service") != ["here"] or not query["scope"][0].endswith(":pull"):
            self._send(400, b"")
        elif known or (registry.open_to_all and not said):
            self._send(200, json.dumps({"token": "a-token"}).encode())
        else:
            self._send(401, b"")

    def _read(self, path: str, query: dict[str, list[str]]) -> None:
        registry = self.server
        repository, _, name = path.rpartition("/")
        repository, _, kind = repository.rpartition("/")
        versions = registry.packages.get(repository)
        if versions is None:
            self._send(404, b"")
        elif kind == "tags":
            self._tags(repository, ["latest", *versions], query)
        elif kind == "manifests":
            content = versions.get(name)
            if content is None:
                self._send(404, b"")
                return
            layer = {"mediaType": "application/wasm", "digest": _digest(content), "size": 1}
            manifest = registry.manifests.get(
                (repository, name), {"schemaVersion": 2, "layers": [layer]}
            )
            self._send(200, json.dumps(manifest).encode())
        else:
            # As registries do that keep blobs elsewhere.
            self._send(307, b"", location=f"/moved/{name}")

    def _tags(self, repository: str, tags: list[str], query: dict[str, list[str]]) -> None:
        last = query.get("last", [""])[0]
        start = tags.index(last) + 1 if last else 0
        page = tags[start : start + PAGE]
        headers = {}
        if start + PAGE < len(tags):
            headers["link"] = f'</v2/{repository}/tags/list?last={page[-1]}>; rel="next"'
        self._send(200, json.dumps({"name": repository, "tags": page}).encode(), **headers)

    def _blob(self, digest: str) -> None:
        registry = self.server
        for versions in registry.packages.values():
            for content in versions.values():
                if _digest(content) == digest:
                    self._send(200, content[:-1] if registry.broken else content)
                    return
        self._send(404, b"")


@contextmanager
def running_registry() -> Iterator[Registry]:
    """Serve an empty registry on a free port."""
    with Registry() as server:
        thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
