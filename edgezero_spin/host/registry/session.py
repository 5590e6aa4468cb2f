"""Sessions with one repository of an OCI registry: authentication, and refusals as errors.

In: a method and a URL. Out: an answer with one of the statuses that are expected, or one error
that says what to do. A registry that wants a token says where it is; who has no credentials, or
the wrong ones, asks for one without.

Source: https://github.com/opencontainers/distribution-spec; RFC 6750 for the challenge;
contract spin-host.md, OCI-25.
"""

import re
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import attrs
import httpx

from edgezero_spin.host.registry.credentials import Credentials
from edgezero_spin.manifest.decoding import decode_json
from edgezero_spin.manifest.spin import FetchError

__all__ = [
    "MAX_DOCUMENT_BYTES",
    "OciSession",
    "RegistryEndpoint",
    "content_of",
    "document_of",
    "joined",
]

TIMEOUT_S = 30.0
MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
"""Most bytes of a manifest; registries take no larger ones."""

MAX_REDIRECTS = 10
_SMALL_BYTES = 64 * 1024

_PART = re.compile(r'([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|([\w-]+)')
"""A parameter of a challenge, quoted or not, or the name of its scheme."""
_TOKEN = re.compile(r"[\x21-\x7e]+")
"""What a header can hold; for anything else, the error would quote it."""
_CODE = re.compile(r"[A-Z_]{1,40}")


@attrs.frozen(kw_only=True)
class RegistryEndpoint:
    """How a registry is asked.

    Attributes:
        host: Where it is, with a port where it has one.
        plain: Without TLS.
        trusting: Accept any certificate.
        roots: Certificates in PEM that it is trusted by, besides the system's.
        credentials: Who asks; ``None`` for anonymous access.
    """

    host: str
    plain: bool = False
    trusting: bool = False
    roots: tuple[str, ...] = ()
    credentials: Credentials | None = None

    @property
    def url(self) -> str:
        """Where its API begins."""
        return f"{'http' if self.plain else 'https'}://{self.host}/v2/"


class OciSession:
    """Asks a registry about one repository, for several threads at once. ``close`` it."""

    def __init__(self, endpoint: RegistryEndpoint, name: str, *, writing: bool = False) -> None:
        """Connect to nothing yet.

        Args:
            name: The repository; empty for the registry itself.
            writing: Ask for the right to write, too.

        Raises:
            FetchError: The host is none, or a certificate of the configuration cannot be used.
        """
        self.host = endpoint.host
        self.name = name
        self._writing = writing
        # A password that was promised TLS goes nowhere without it.
        self._realms = ("http://", "https://") if endpoint.plain else ("https://",)
        try:
            self._origin = httpx.URL(endpoint.url)
        except httpx.InvalidURL as error:
            raise FetchError(f"{endpoint.host[:200]!r} is not the host of a registry") from error
        self._credentials = endpoint.credentials
        self._authorization: str | None = None
        self._client = httpx.Client(timeout=TIMEOUT_S, verify=_trust_of(endpoint))

    @contextmanager
    def answer(
        self,
        method: str,
        url: str,
        what: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: Callable[[], Iterable[bytes]] | None = None,
        expected_status: tuple[int, ...] = (200,),
    ) -> Iterator[httpx.Response]:
        """Ask, once more with a token where one is wanted, and yield the answer.

        Args:
            what: What is asked for, for errors.
            headers: Of the request.
            content: Makes its body; called again when it is sent again.
            expected_status: Statuses that are not a failure.

        Raises:
            FetchError: There is no answer, or one with another status.
        """
        try:
            response = self._ask(method, url, headers or {}, content)
            if response.status_code == 401 and self._is_own(response.url):
                challenge = response.headers.get("www-authenticate", "")
                _release(response)
                self._authorization = self.authorization_for(challenge)
                response = self._ask(method, url, headers or {}, content)
            try:
                if response.status_code not in expected_status:
                    raise FetchError(self._refusal(response, what))
                yield response
            finally:
                response.close()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise FetchError(self._silence(error)) from error

    def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: Callable[[], Iterable[bytes]] | None,
    ) -> httpx.Response:
        """Ask, and ask again where what is read is kept elsewhere, as blobs often are.

        The client would do the same, but read whatever comes with a redirect.
        """
        for _ in range(MAX_REDIRECTS):
            if not url.startswith(self._realms):
                raise FetchError(f"the registry {self.host} leads to a place without TLS")
            response = self._send(method, url, headers, content)
            if method not in ("GET", "HEAD") or not response.has_redirect_location:
                return response
            _release(response)
            url = joined(str(response.url), response.headers["location"])
        raise FetchError(f"the registry {self.host} leads from place to place without end")

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: Callable[[], Iterable[bytes]] | None,
    ) -> httpx.Response:
        # Content as it is kept, whatever the client could unpack: it is hashed.
        sent = {"accept": "*/*", **headers, "accept-encoding": "identity"}
        # A registry may name other places, which are no business of who asks it.
        if self._authorization is not None and self._is_own(httpx.URL(url)):
            sent["authorization"] = self._authorization
        body = None if content is None else content()
        request = self._client.build_request(method, url, headers=sent, content=body)
        return self._client.send(request, stream=True)

    def _is_own(self, url: httpx.URL) -> bool:
        return (url.scheme, url.netloc) == (self._origin.scheme, self._origin.netloc)

    def _refusal(self, response: httpx.Response, what: str) -> str:
        status = response.status_code
        if status == 404:
            return f"the registry {self.host} has no {what}; check host, path and version"
        if status in (401, 403):
            verb = "write" if self._writing else "read"
            return (
                f"the registry {self.host} lets nobody {verb} {self.name or what} with what it was "
                f"told; log in with `edgezero registry login {self.host}`"
            )
        if status == 429:
            return f"the registry {self.host} answered 429, too many requests; try again later"
        return f"the registry {self.host} answered {status}{_code_in(response)} for {what}"

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
        return f"the registry {self.host} cannot be asked: {reason}{hint}"

    def authorization_for(self, challenge: str) -> str | None:
        """Return an ``Authorization`` for a challenge; ``None`` where there is none to give.

        Raises:
            httpx.HTTPError: The place that gives tokens cannot be asked.
            FetchError: It answers with what is not a token.
        """
        wanted = _challenges(challenge)
        credentials = self._credentials
        given = wanted.get("bearer", {})
        realm = given.get("realm", "")
        if not realm.startswith(self._realms):
            return None if credentials is None or "basic" not in wanted else credentials.basic
        asked = {key: given[key] for key in ("service",) if key in given}
        scope = self._scope(given.get("scope"))
        if scope is not None:
            asked["scope"] = scope
        token = None if credentials is None else self._token(realm, asked, credentials.basic)
        if token is None and self.name:
            # The credentials may be for other repositories; this one may be public.
            token = self._token(realm, asked, None)
        return None if token is None else f"Bearer {token}"

    def _scope(self, wanted: str | None) -> str | None:
        if self._writing:
            # A registry that was asked for a blob wants no more than the right to read.
            return f"repository:{self.name}:pull,push"
        if self.name and wanted is None:
            return f"repository:{self.name}:pull"
        return wanted

    def _token(self, realm: str, asked: dict[str, str], authorization: str | None) -> str | None:
        headers = {} if authorization is None else {"authorization": authorization}
        with self._client.stream("GET", realm, params=asked, headers=headers) as response:
            if response.status_code != 200:
                return None
            document = document_of(content_of(response), response.url.host)
        token = document.get("token") or document.get("access_token")
        return token if isinstance(token, str) and _TOKEN.fullmatch(token) else None

    def close(self) -> None:
        """Close the connections. Twice is harmless."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def content_of(response: httpx.Response) -> bytes:
    """Return a body that is no larger than a manifest.

    Raises:
        FetchError: It is.
    """
    content = bytearray()
    for piece in response.iter_bytes():
        content += piece
        if len(content) > MAX_DOCUMENT_BYTES:
            raise FetchError(f"{response.url.host} answered with more than a manifest can be")
    return bytes(content)


def document_of(content: bytes, host: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        FetchError: It is not one.
    """
    try:
        document = decode_json(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise FetchError(f"{host} answered with what is not a JSON object")
    return document


def joined(base: str, location: str) -> str:
    """Return the place that a registry names, as seen from another.

    Raises:
        FetchError: It is not a URL.
    """
    try:
        return str(httpx.URL(base).join(location))
    except (httpx.InvalidURL, ValueError) as error:
        host = httpx.URL(base).host
        raise FetchError(f"{host} leads to {location[:200]!r}, which is not a URL") from error


def _challenges(header: str) -> dict[str, dict[str, str]]:
    """Return the parameters of each scheme, in lower case (RFC 9110, 11.6.1)."""
    found: dict[str, dict[str, str]] = {}
    parameters: dict[str, str] = {}
    for name, quoted, plain, scheme in _PART.findall(header):
        if scheme:
            parameters = found.setdefault(scheme.lower(), {})
        else:
            parameters.setdefault(name.lower(), plain or re.sub(r"\\(.)", r"\1", quoted))
    return found


def _release(response: httpx.Response) -> None:
    """Be done with an answer; its connection serves the next one where little is left of it."""
    length = response.headers.get("content-length", "")
    # Without TLS a connection is cheap, with it a new one is most of the time of a small blob.
    if length.isdecimal() and int(length) <= _SMALL_BYTES:
        response.read()
    response.close()


def _code_in(response: httpx.Response) -> str:
    """Return the specification's code of a failure; the rest of an answer is not repeated."""
    try:
        code = decode_json(content_of(response))["errors"][0]["code"]
    except (httpx.HTTPError, FetchError, ValueError, LookupError, TypeError):
        return ""
    return f" ({code})" if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _trust_of(endpoint: RegistryEndpoint) -> ssl.SSLContext | bool:
    if endpoint.trusting:
        return False
    if not endpoint.roots:
        return True
    context = ssl.create_default_context()
    try:
        for root in endpoint.roots:
            context.load_verify_locations(cadata=root)
    except ssl.SSLError as error:
        raise FetchError(f"an extra_root_certificate of {endpoint.host} is not PEM") from error
    return context
