"""A registry that follows the OCI distribution specification, as far as this library needs it."""

import base64
import hashlib
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.certificates import Certificate

__all__ = ["IMAGE_MANIFEST", "Registry", "client_environment", "digest_of", "running_registry"]

PAGE = 3
"""Tags in one answer."""

IMAGE_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Registry(ThreadingHTTPServer):
    """Its content, and what it wants to know.

    Attributes:
        packages: Repository to version to bytes: images of one layer.
        manifests: Those of other images, by repository and tag or digest; JSON values or bytes.
        media_types: Of manifests, where it is another one.
        blobs: Content by digest; what stands under a digest need not have it.
        files: Other content, by path.
        metadata: What it says of itself; ``None`` for nothing.
        users: Who may read, by password; anybody when empty.
        open_to_all: Tokens are given to anybody, but there have to be some.
        basic: It wants passwords, no tokens.
        broken: Blobs are not what their digest says.
        headers: Said with every manifest and list of tags.
        refusing: A status that it answers everything with.
        silent: It says no digest of what was pushed.
        referrers: What refers to a digest, as an index has it.
        lists_referrers: It has a list of them to ask for.
        upload_host: Where uploads are sent to; itself when ``None``.
        uploaded: Digests that were sent, in order.
        authorized: Values of ``Authorization`` that it was sent, for what.
        asked: Paths, in order.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, tls: Certificate | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tls = tls is not None
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.chain, tls.key)
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
        self.packages: dict[str, dict[str, bytes]] = {}
        self.manifests: dict[tuple[str, str], Any] = {}
        self.media_types: dict[tuple[str, str], str] = {}
        self.blobs: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}
        self.metadata: dict[str, Any] | None = None
        self.users: dict[str, str] = {}
        self.open_to_all = False
        self.basic = False
        self.broken = False
        self.headers: dict[str, str] = {}
        self.refusing: int | None = None
        self.silent = False
        self.referrers: dict[str, list[dict[str, Any]]] = {}
        self.lists_referrers = True
        self.upload_host: str | None = None
        self.uploaded: list[str] = []
        self.authorized: list[tuple[str, str]] = []
        self.asked: list[str] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that break off, as those do that trust no certificate."""

    @property
    def host(self) -> str:
        """Its name for a client; of ``localhost`` packages are asked for without TLS."""
        return f"localhost:{self.server_port}"

    def add_blob(self, content: bytes, media_type: str) -> dict[str, Any]:
        """Keep a blob; return what a manifest says of it."""
        digest = digest_of(content)
        self.blobs[digest] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def add_manifest(self, repository: str, tag: str, value: Any) -> str:
        """Keep a manifest by a tag and by its digest, which is returned."""
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.manifests[repository, tag] = content
        digest = digest_of(content)
        self.manifests[repository, digest] = content
        return digest

    def manifest(self, repository: str, version: str) -> bytes | None:
        """What it answers for a tag or a digest."""
        value = self.manifests.get((repository, version))
        content = self.packages.get(repository, {}).get(version)
        if value is None and content is not None:
            layer = {
                "mediaType": "application/wasm",
                "digest": digest_of(content),
                "size": len(content),
            }
            value = {"schemaVersion": 2, "layers": [layer]}
        return value if value is None or isinstance(value, bytes) else json.dumps(value).encode()

    def blob(self, digest: str) -> bytes | None:
        """What it answers for a digest."""
        content = self.blobs.get(digest)
        for versions in self.packages.values():
            for package in versions.values():
                if digest_of(package) == digest:
                    content = package
        return content[:-1] + b"?" if content and self.broken else content


def client_environment(home: Path) -> dict[str, str]:
    """Variables of a machine on which nobody logged in, nothing was pulled and no proxy is."""
    return {
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_CACHE_HOME": str(home / "user-cache"),
        "DOCKER_CONFIG": str(home / "docker"),
        "no_proxy": "127.0.0.1,localhost",
    }


def digest_of(content: bytes) -> str:
    """``sha256:<hex>``."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class _Handler(BaseHTTPRequestHandler):
    server: Registry
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""

    def _send(self, status: int, content: bytes = b"", **headers: str) -> None:
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
        self._note()
        if registry.refusing is not None:
            self._send(registry.refusing)
        elif url.path in registry.files:
            self._send(200, registry.files[url.path])
        elif url.path == "/.well-known/wasm-pkg/registry.json":
            found = registry.metadata
            self._send(404 if found is None else 200, json.dumps(found).encode())
        elif url.path == "/token":
            self._token(parse_qs(url.query))
        elif url.path == "/v2/":
            if self._is_known():
                self._send(200)
            else:
                self._challenge(url.path)
        elif url.path.startswith("/moved/"):
            content = registry.blob(url.path.removeprefix("/moved/"))
            self._send(404 if content is None else 200, content or b"")
        elif self._is_known():
            self._read(url.path.removeprefix("/v2/"), parse_qs(url.query))
        else:
            self._challenge(url.path)

    def _note(self) -> None:
        path = urlsplit(self.path).path
        self.server.asked.append(path)
        said = self.headers.get("authorization")
        if said is not None:
            self.server.authorized.append((path, said))

    def do_HEAD(self) -> None:
        """Say whether there is a blob."""
        self._note()
        path = urlsplit(self.path).path
        if not self._is_known():
            self._challenge(path)
            return
        content = self.server.blob(path.rpartition("/")[2])
        self.send_response(404 if content is None else 200)
        self.send_header("content-length", str(len(content or b"")))
        self.end_headers()

    def do_POST(self) -> None:
        """Say where a blob goes."""
        self._note()
        path = urlsplit(self.path).path
        if not self._may_write():
            self._challenge(path)
        elif self.server.refusing is not None:
            body = {"errors": [{"code": "DENIED", "message": "no"}]}
            self._send(self.server.refusing, json.dumps(body).encode())
        else:
            where = "" if self.server.upload_host is None else f"http://{self.server.upload_host}"
            self._send(202, location=f"{where}{path}an-upload?state=x%2Fy")

    def do_PUT(self) -> None:
        """Take a blob or a manifest."""
        self._note()
        registry = self.server
        url = urlsplit(self.path)
        content = self.rfile.read(int(self.headers["content-length"]))
        if "/blobs/uploads/" in url.path:
            digest = parse_qs(url.query)["digest"][0]
            if not self._may_write() and registry.upload_host is None:
                self._challenge(url.path)
            elif digest_of(content) != digest or parse_qs(url.query)["state"] != ["x/y"]:
                self._send(400)
            else:
                registry.uploaded.append(digest)
                registry.blobs[digest] = content
                self._send(201)
        elif not self._may_write():
            self._challenge(url.path)
        else:
            repository, _, tag = url.path.removeprefix("/v2/").rpartition("/manifests/")
            manifest = json.loads(content)
            parts = [manifest["config"], *manifest["layers"]]
            if any(len(registry.blobs.get(part["digest"], b"?")) != part["size"] for part in parts):
                self._send(400)
                return
            digest = registry.add_manifest(repository, tag, content)
            registry.media_types[repository, tag] = self.headers["content-type"]
            headers = {} if registry.silent else {"docker_content_digest": digest}
            self._send(201, b"", **{**headers, **registry.headers})

    def _may_write(self) -> bool:
        registry = self.server
        if not registry.users and not registry.open_to_all:
            return True
        if registry.basic:
            return self._user() is not None
        return self.headers.get("authorization") == "Bearer write-token"

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
        return self.headers.get("authorization") in ("Bearer a-token", "Bearer write-token")

    def _challenge(self, path: str) -> None:
        if self.server.basic:
            self._send(401, www_authenticate='Basic realm="here"')
            return
        repository = path.removeprefix("/v2/").partition("/blobs/")[0].partition("/manifests/")[0]
        repository = repository.partition("/tags/")[0]
        scheme = "https" if self.server.tls else "http"
        where = f"{scheme}://{self.server.host}/token"
        scope = f"repository:{repository}:pull"
        text = f'Bearer realm="{where}",service="here"'
        if repository:
            text += f',scope="{scope}"'
        self._send(401, www_authenticate=text)

    def _token(self, query: dict[str, list[str]]) -> None:
        registry = self.server
        said = self.headers.get("authorization") is not None
        known = self._user() is not None
        [scope] = query.get("scope", ["registry:catalog:pull"])
        writing = scope.endswith(":pull,push")
        if query.get("service") != ["here"] or not scope.endswith((":pull", ":pull,push")):
            self._send(400)
        elif known or (registry.open_to_all and not said):
            token = "write-token" if writing and known else "a-token"
            self._send(200, json.dumps({"token": token}).encode())
        else:
            self._send(401)

    def _read(self, path: str, query: dict[str, list[str]]) -> None:
        registry = self.server
        repository, _, name = path.rpartition("/")
        repository, _, kind = repository.rpartition("/")
        if kind == "tags":
            versions = registry.packages.get(repository)
            if versions is None:
                self._send(404)
            else:
                self._tags(repository, ["latest", *versions], query)
        elif kind == "manifests":
            content = registry.manifest(repository, name)
            if content is None:
                self._send(404)
                return
            media_type = registry.media_types.get((repository, name), IMAGE_MANIFEST)
            self._send(200, content, content_type=media_type, **registry.headers)
        elif kind == "referrers":
            index = {"schemaVersion": 2, "manifests": registry.referrers.get(name, [])}
            listed = registry.lists_referrers
            self._send(200 if listed else 404, json.dumps(index).encode())
        elif registry.blob(name) is None:
            self._send(404)
        else:
            # As registries do that keep blobs elsewhere.
            self._send(307, location=f"/moved/{name}")

    def _tags(self, repository: str, tags: list[str], query: dict[str, list[str]]) -> None:
        registry = self.server
        last = query.get("last", [""])[0]
        start = tags.index(last) + 1 if last else 0
        page = tags[start : start + PAGE]
        headers = dict(registry.headers)
        if start + PAGE < len(tags):
            headers["link"] = f'</v2/{repository}/tags/list?last={page[-1]}>; rel="next"'
        self._send(200, json.dumps({"name": repository, "tags": page}).encode(), **headers)


@contextmanager
def running_registry(tls: Certificate | None = None) -> Iterator[Registry]:
    """Serve an empty registry on a free port, with TLS or without."""
    with Registry(tls) as server:
        thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
