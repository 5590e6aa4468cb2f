"""One repository of an OCI registry: its tags, manifests and blobs, read over HTTP.

In: the registry's host, the repository and whom to ask as. Out: values and bytes. A registry
that wants a token says where it is; who has no credentials, or the wrong ones, asks for one
without.

Source: https://github.com/opencontainers/distribution-spec; RFC 6750 for the challenge.
"""

import base64
import json
import os
import re
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urljoin

import httpx

from edgezero_spin.host.package_config import Credentials, Registry, decode_auth
from edgezero_spin.manifest.spin import FetchError

__all__ = ["OciRepository"]

TIMEOUT_S = 30.0
MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
MAX_PAGES = 1000

_MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_NEXT = re.compile(r"<([^>]+)>\s*;\s*rel=\"?next\"?")


class OciRepository:
    """A repository that can be read. Use it in ``with``."""

    def __init__(self, registry: Registry, host: str, name: str) -> None:
        """Connect to nothing yet.

        Args:
            registry: How to ask.
            host: Where it is.
            name: The repository.

        Raises:
            FetchError: A certificate of the configuration cannot be used.
        """
        scheme = "http" if registry.plain else "https"
        # A password that was promised TLS goes nowhere without it.
        self._realms = ("http://", "https://") if registry.plain else ("https://",)
        self._host = host
        self._name = name
        self._url = f"{scheme}://{host}/v2/{name}/"
        self._credentials = registry.credentials or _docker_credentials(host)
        self._authorization: str | None = None
        self._client = httpx.Client(
            timeout=TIMEOUT_S, follow_redirects=True, verify=_trust_of(registry)
        )

    def tags(self) -> list[str]:
        """Return all tags.

        Raises:
            FetchError: The registry cannot be asked, or has no such repository.
        """
        found: list[str] = []
        url = f"{self._url}tags/list"
        for _ in range(MAX_PAGES):
            with self._answer(url) as response:
                document = _document(response)
                following = _NEXT.search(response.headers.get("link", ""))
            tags = document.get("tags") or ()
            found += [tag for tag in tags if isinstance(tag, str)]
            if following is None:
                return found
            url = urljoin(url, following[1])
        raise FetchError(f"{self._host} lists the tags of {self._name} without end")

    def manifest(self, tag: str) -> dict[str, Any]:
        """Return a manifest.

        Raises:
            FetchError: The registry cannot be asked, or has none.
        """
        with self._answer(f"{self._url}manifests/{tag}", accept=_MANIFESTS) as response:
            return _document(response)

    def blob(self, digest: str) -> Iterator[bytes]:
        """Yield a blob piece by piece; nobody checked its digest.

        Raises:
            FetchError: The registry cannot be asked, has none, or breaks off.
        """
        with self._answer(f"{self._url}blobs/{digest}") as response:
            yield from response.iter_raw()

    @contextmanager
    def _answer(self, url: str, accept: str = "*/*") -> Iterator[httpx.Response]:
        try:
            response = self._send(url, accept)
            if response.status_code == 401:
                challenge = response.headers.get("www-authenticate", "")
                response.close()
                self._authorization = self._answer_to(challenge)
                response = self._send(url, accept)
            try:
                if response.status_code != 200:
                    raise FetchError(self._refusal(response.status_code))
                yield response
            finally:
                response.close()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise FetchError(f"the registry {self._host} cannot be asked: {reason}") from error

    def _refusal(self, status: int) -> str:
        if status == 404:
            return f"the registry {self._host} has no {self._name} of that version"
        if status in (401, 403):
            return (
                f"the registry {self._host} lets nobody read {self._name} with what it was told; "
                f"log in with `docker login {self._host}`"
            )
        return f"the registry {self._host} answered {status}"

    def _send(self, url: str, accept: str) -> httpx.Response:
        # Content as it is kept, whatever the client could unpack: it is hashed.
        headers = {"accept": accept, "accept-encoding": "identity"}
        if self._authorization is not None:
            headers["authorization"] = self._authorization
        request = self._client.build_request("GET", url, headers=headers)
        return self._client.send(request, stream=True)

    def _answer_to(self, challenge: str) -> str | None:
        """Return an ``Authorization`` for a challenge; ``None`` where there is none to give."""
        kind, _, rest = challenge.partition(" ")
        credentials = self._credentials
        if kind.lower() == "basic":
            return None if credentials is None else _basic(credentials)
        given = dict(_PARAMETER.findall(rest))
        realm = given.get("realm", "")
        if kind.lower() != "bearer" or not realm.startswith(self._realms):
            return None
        asked = {"scope": given.get("scope", f"repository:{self._name}:pull")}
        if "service" in given:
            asked["service"] = given["service"]
        token = None if credentials is None else self._token(realm, asked, _basic(credentials))
        # What was told may be for other repositories; this one may be open to everybody.
        token = token or self._token(realm, asked, None)
        return None if token is None else f"Bearer {token}"

    def _token(self, realm: str, asked: dict[str, str], authorization: str | None) -> str | None:
        headers = {} if authorization is None else {"authorization": authorization}
        with self._client.stream("GET", realm, params=asked, headers=headers) as response:
            if response.status_code != 200:
                return None
            document = _document(response)
        token = document.get("token") or document.get("access_token")
        return token if isinstance(token, str) else None

    def close(self) -> None:
        """Close the connections. Twice is harmless."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _basic(credentials: Credentials) -> str:
    whole = f"{credentials.username}:{credentials.password}".encode()
    return f"Basic {base64.b64encode(whole).decode()}"


def _document(response: httpx.Response) -> dict[str, Any]:
    content = bytearray()
    for piece in response.iter_bytes():
        content += piece
        if len(content) > MAX_DOCUMENT_BYTES:
            raise FetchError(f"{response.url.host} answered with more than a manifest can be")
    try:
        document = json.loads(bytes(content))
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise FetchError(f"{response.url.host} answered with what is no JSON object")
    return document


def _trust_of(registry: Registry) -> ssl.SSLContext | bool:
    if registry.trusting:
        return False
    if not registry.roots:
        return True
    context = ssl.create_default_context()
    try:
        for root in registry.roots:
            context.load_verify_locations(cadata=root)
    except ssl.SSLError as error:
        raise FetchError(f"an extra_root_certificate of {registry.name} is no PEM") from error
    return context


def _docker_credentials(host: str) -> Credentials | None:
    """Look credentials up where ``docker login`` leaves them."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(config, dict):
        return None
    helpers = config.get("credHelpers")
    helper = helpers.get(host) if isinstance(helpers, dict) else None
    helper = helper or config.get("credsStore")
    if isinstance(helper, str) and helper:
        return _from_helper(helper, host)
    auths = config.get("auths")
    for name in (host, f"https://{host}", f"https://{host}/v2/", f"https://{host}/v1/"):
        entry = auths.get(name) if isinstance(auths, dict) else None
        if isinstance(entry, dict) and isinstance(entry.get("auth"), str):
            return decode_auth(entry["auth"])
    return None


def _from_helper(helper: str, host: str) -> Credentials | None:
    try:
        done = subprocess.run(
            [f"docker-credential-{helper}", "get"],
            input=f"https://{host}",
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=True,
        )
        found = json.loads(done.stdout)
        username, password = found["Username"], found["Secret"]
    except (OSError, ValueError, KeyError, TypeError, subprocess.SubprocessError):
        # It has none, or cannot be asked; most packages are open to everybody.
        return None
    # Such a user name says that the secret is a token for another protocol.
    return None if username == "<token>" else Credentials(username, password)
