"""A stand-in for Azure Key Vault, and for the service that hands out tokens, over TLS.

It follows the part of both protocols that reading a secret takes: the challenge, the token
for a client's secret, and the secret. It is neither of the real services.

Source: https://learn.microsoft.com/rest/api/keyvault/ and RFC 6749, 4.4
"""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import trustme

__all__ = ["CLIENT", "SECRET", "TENANT", "KeyVault", "running_key_vault"]

TENANT, CLIENT, SECRET = "acme-tenant", "acme-client", "s3cret-of-the-client"
_TOKEN = "a-token"


class KeyVault(ThreadingHTTPServer):
    """Both services at one address.

    Attributes:
        secrets: By name.
        asked: Paths, in order.
        busy: So many reads are answered with 503 before the next one counts.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.secrets: dict[str, str] = {}
        self.asked: list[str] = []
        self.busy = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://127.0.0.1:{self.server_port}"

    @property
    def resource(self) -> str:
        """What a token is for: a domain that the vault's address belongs to."""
        return f"https://0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: KeyVault
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""

    def _send(self, status: int, value: Any, **headers: str) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        """Answer a read of a secret, or say where tokens are."""
        vault = self.server
        path = urlsplit(self.path).path
        tenant = f"{vault.url}/{TENANT}"
        if path.endswith("/.well-known/openid-configuration"):
            self._send(
                200,
                {
                    "issuer": f"{tenant}/v2.0",
                    "authorization_endpoint": f"{tenant}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{tenant}/oauth2/v2.0/token",
                },
            )
            return
        vault.asked.append(path)
        if self.headers.get("authorization") != f"Bearer {_TOKEN}":
            challenge = f'Bearer authorization="{tenant}", resource="{vault.resource}"'
            self._send(401, {"error": {"code": "Unauthorized"}}, www_authenticate=challenge)
            return
        if vault.busy > 0:
            vault.busy -= 1
            self._send(503, {"error": {"code": "Busy"}}, retry_after="0")
            return
        name = path.removeprefix("/secrets/").strip("/")
        if name not in vault.secrets:
            message = f"A secret with (name/id) {name} was not found in this key vault."
            self._send(404, {"error": {"code": "SecretNotFound", "message": message}})
            return
        id = f"{vault.url}/secrets/{name}/1"
        self._send(200, {"value": vault.secrets[name], "id": id, "attributes": {"enabled": True}})

    def do_POST(self) -> None:
        """Hand out a token."""
        sent = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        if sent.get("client_id") != [CLIENT] or sent.get("client_secret") != [SECRET]:
            self._send(401, {"error": "invalid_client", "error_description": "AADSTS7000215"})
            return
        self._send(200, {"access_token": _TOKEN, "expires_in": 3600, "token_type": "Bearer"})


@contextmanager
def running_key_vault(authority: trustme.CA) -> Iterator[KeyVault]:
    """Serve both on a free port, with a certificate of this authority."""
    with KeyVault() as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
