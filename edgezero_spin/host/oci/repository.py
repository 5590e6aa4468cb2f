"""One repository of an OCI registry: its tags, manifests and blobs, over HTTP.

In: where the registry is, the repository and whom to ask as. Out: values and bytes. A registry
that wants a token says where it is; who has no credentials, or the wrong ones, asks for one
without.

Source: https://github.com/opencontainers/distribution-spec; RFC 6750 for the challenge;
contract spin-host.md, OCI-25 and OCI-28.
"""

import hashlib
import json
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import urljoin

import attrs
import httpx

from edgezero_spin.host.oci.credentials import Credentials
from edgezero_spin.manifest.spin import FetchError

__all__ = ["Blob", "Endpoint", "Manifest", "OciRepository"]

TIMEOUT_S = 30.0
MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
"""Most bytes of a manifest; registries take no larger ones."""
MAX_PAGES = 1000

_IMAGES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_ACCEPT = ", ".join((*_IMAGES, *_INDEXES))
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_NEXT = re.compile(r"<([^>]+)>\s*;\s*rel=\"?next\"?")


@attrs.frozen(kw_only=True)
class Endpoint:
    """How a registry is asked.

    Attributes:
        host: Where it is, with a port where it has one.
        plain: Without TLS.
        trusting: Accept any certificate.
        roots: Certificates in PEM that it is trusted by, besides the system's.
        credentials: Who asks; ``None`` for nobody in particular.
    """

    host: str
    plain: bool = False
    trusting: bool = False
    roots: tuple[str, ...] = ()
    credentials: Credentials | None = None


@attrs.frozen(kw_only=True)
class Blob:
    """What a manifest says of some bytes.

    Attributes:
        media_type: What they are.
        digest: Of them, as it stands in the manifest.
        size: How many there are.
    """

    media_type: str
    digest: str
    size: int


@attrs.frozen(kw_only=True)
class Manifest:
    """The manifest of one image.

    Attributes:
        content: As the registry has it.
        digest: Of ``content``.
        config: The image's configuration, ``None`` where it has none that makes sense.
        layers: What it is made of.
        document: All that it says.
    """

    content: bytes = attrs.field(repr=False)
    digest: str
    config: Blob | None
    layers: tuple[Blob, ...]
    document: dict[str, Any] = attrs.field(repr=False)


class OciRepository:
    """A repository that can be read, by several threads at once. Use it in ``with``."""

    def __init__(self, endpoint: Endpoint, name: str) -> None:
        """Connect to nothing yet.

        Args:
            endpoint: How to ask.
            name: The repository.

        Raises:
            FetchError: A certificate of the configuration cannot be used.
        """
        scheme = "http" if endpoint.plain else "https"
        # A password that was promised TLS goes nowhere without it.
        self._realms = ("http://", "https://") if endpoint.plain else ("https://",)
        self._host = endpoint.host
        self._name = name
        self._url = f"{scheme}://{endpoint.host}/v2/{name}/"
        self._credentials = endpoint.credentials
        self._authorization: str | None = None
        self._client = httpx.Client(
            timeout=TIMEOUT_S, follow_redirects=True, verify=_trust_of(endpoint)
        )

    def tags(self) -> list[str]:
        """Return all tags.

        Raises:
            FetchError: The registry cannot be asked, or has no such repository.
        """
        found: list[str] = []
        url = f"{self._url}tags/list"
        for _ in range(MAX_PAGES):
            with self._answer(url, self._name) as response:
                document = _document(_content(response), self._host)
                following = _NEXT.search(response.headers.get("link", ""))
            tags = document.get("tags") or ()
            found += [tag for tag in tags if isinstance(tag, str)]
            if following is None:
                return found
            url = urljoin(url, following[1])
        raise FetchError(f"{self._host} lists the tags of {self._name} without end")

    def manifest(self, version: str) -> Manifest:
        """Return the manifest of an image.

        Args:
            version: Its tag, or the digest that the manifest must have.

        Raises:
            FetchError: The registry cannot be asked or has none, it has another digest, or is
                no manifest of an image.
        """
        by_digest = version.startswith("sha256:")
        what = f"{self._name}{'@' if by_digest else ':'}{version}"
        with self._answer(f"{self._url}manifests/{version}", what, _ACCEPT) as response:
            content = _content(response)
            promised = response.headers.get("docker-content-digest", "")
            type_of_answer = response.headers.get("content-type", "").partition(";")[0].strip()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        wanted = version if by_digest else promised
        if wanted.startswith("sha256:") and wanted != digest:
            raise FetchError(
                f"the manifest of {what} has the digest {digest}, not {wanted}: the registry "
                f"{self._host}, or something between, changed it"
            )
        document = _document(content, self._host)
        media_type = document.get("mediaType", type_of_answer)
        if media_type in _INDEXES or "manifests" in document:
            raise FetchError(
                f"{what} is an index of images for several platforms ({media_type}), not one "
                "image; name one of them by its digest"
            )
        return Manifest(
            content=content,
            digest=digest,
            config=_blob_of(document.get("config")),
            layers=_layers_of(document, what),
            document=document,
        )

    def blob(self, digest: str) -> Iterator[bytes]:
        """Yield a blob piece by piece; nobody checked its digest.

        Raises:
            FetchError: The registry cannot be asked, has none, or breaks off.
        """
        what = f"blob {digest} in {self._name}"
        with self._answer(f"{self._url}blobs/{digest}", what) as response:
            yield from response.iter_raw()

    @contextmanager
    def _answer(self, url: str, what: str, accept: str = "*/*") -> Iterator[httpx.Response]:
        try:
            response = self._send(url, accept)
            if response.status_code == 401:
                challenge = response.headers.get("www-authenticate", "")
                response.close()
                self._authorization = self._answer_to(challenge)
                response = self._send(url, accept)
            try:
                if response.status_code != 200:
                    raise FetchError(self._refusal(response.status_code, what))
                yield response
            finally:
                response.close()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise FetchError(self._silence(error)) from error

    def _refusal(self, status: int, what: str) -> str:
        if status == 404:
            return f"the registry {self._host} has no {what}; check host, path and version"
        if status in (401, 403):
            return (
                f"the registry {self._host} lets nobody read {self._name} with what it was told; "
                f"log in with `docker login {self._host}`"
            )
        if status == 429:
            return f"the registry {self._host} answered 429, too many requests; try again later"
        return f"the registry {self._host} answered {status}"

    def _silence(self, error: Exception) -> str:
        reason = str(error) or type(error).__name__
        hint = ""
        # What OpenSSL calls an answer without TLS depends on its release.
        if "WRONG_VERSION_NUMBER" in reason or "RECORD_LAYER_FAILURE" in reason:
            hint = (
                "; it seems to speak plain HTTP, which is asked for by --insecure, for packages "
                'by `protocol = "http"` in their configuration'
            )
        elif "CERTIFICATE_VERIFY_FAILED" in reason:
            hint = "; SSL_CERT_FILE names further certificates to trust"
        return f"the registry {self._host} cannot be asked: {reason}{hint}"

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
            return None if credentials is None else credentials.basic
        given = dict(_PARAMETER.findall(rest))
        realm = given.get("realm", "")
        if kind.lower() != "bearer" or not realm.startswith(self._realms):
            return None
        asked = {"scope": given.get("scope", f"repository:{self._name}:pull")}
        if "service" in given:
            asked["service"] = given["service"]
        token = None if credentials is None else self._token(realm, asked, credentials.basic)
        # What was told may be for other repositories; this one may be open to everybody.
        token = token or self._token(realm, asked, None)
        return None if token is None else f"Bearer {token}"

    def _token(self, realm: str, asked: dict[str, str], authorization: str | None) -> str | None:
        headers = {} if authorization is None else {"authorization": authorization}
        with self._client.stream("GET", realm, params=asked, headers=headers) as response:
            if response.status_code != 200:
                return None
            document = _document(_content(response), response.url.host)
        token = document.get("token") or document.get("access_token")
        return token if isinstance(token, str) else None

    def close(self) -> None:
        """Close the connections. Twice is harmless."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _content(response: httpx.Response) -> bytes:
    content = bytearray()
    for piece in response.iter_bytes():
        content += piece
        if len(content) > MAX_DOCUMENT_BYTES:
            raise FetchError(f"{response.url.host} answered with more than a manifest can be")
    return bytes(content)


def _document(content: bytes, host: str) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise FetchError(f"{host} answered with what is no JSON object")
    return document


def _blob_of(value: Any) -> Blob | None:
    if not isinstance(value, dict):
        return None
    media_type, digest, size = (value.get(key) for key in ("mediaType", "digest", "size"))
    if not isinstance(media_type, str) or not isinstance(digest, str):
        return None
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        return None
    return Blob(media_type=media_type, digest=digest, size=size)


def _layers_of(document: dict[str, Any], what: str) -> tuple[Blob, ...]:
    found = document.get("layers", [])
    layers = [_blob_of(layer) for layer in found] if isinstance(found, list) else [None]
    whole = tuple(layer for layer in layers if layer is not None)
    if len(whole) < len(layers):
        raise FetchError(f"the manifest of {what} has layers without type, digest or size")
    return whole


def _trust_of(endpoint: Endpoint) -> ssl.SSLContext | bool:
    if endpoint.trusting:
        return False
    if not endpoint.roots:
        return True
    context = ssl.create_default_context()
    try:
        for root in endpoint.roots:
            context.load_verify_locations(cadata=root)
    except ssl.SSLError as error:
        raise FetchError(f"an extra_root_certificate of {endpoint.host} is no PEM") from error
    return context
