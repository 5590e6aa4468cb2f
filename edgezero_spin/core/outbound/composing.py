"""Requests to be sent, composed of what a handler gives.

In: a method, a URL, headers and a body of any kind. Out: the ``OutboundRequest`` of a transport.
What every host refuses is refused here, so that it fails natively as well.

Source: contract spin-host.md, CHAIN-1, for ``self``; RFC 9110 for method and length.
"""

from collections.abc import AsyncIterable, Iterable
from math import isfinite
from typing import Any

from edgezero_spin.core.headers import HOST_ONLY, HeaderInput, Headers, MutableHeaders
from edgezero_spin.core.outbound.transport import OutboundRequest
from edgezero_spin.core.trailers import TrailerInput, announce_trailers
from edgezero_spin.stores.json_values import encode

__all__ = ["compose_request"]

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_SELF = "self.alt"


def compose_request(
    method: str,
    url: str,
    headers: HeaderInput,
    body: Any,
    timeout_s: float | None,
    trailers: TrailerInput,
) -> OutboundRequest:
    """Return a request that can be sent; arguments and errors are those of ``Outbound.send``.

    Raises:
        TypeError: The body, or a header value, is of a kind that cannot be sent.
        ValueError: The URL, the method, a header or the time is malformed.
    """
    scheme, authority, target = _split(url)
    _check(method, timeout_s)
    pairs = list(Headers(headers).pairs)
    _check_names(pairs)
    chunks, is_json = _chunks(body)
    if is_json and not any(name == "content-type" for name, _ in pairs):
        pairs.append(("content-type", b"application/json"))
    given = None
    if trailers:
        given = announce_trailers(trailers, MutableHeaders.over(pairs))
        chunks = chunks or (b"",)
    elif type(chunks) is tuple and chunks:
        _set_length(pairs, len(chunks[0]))
    return OutboundRequest(
        method=method,
        scheme=scheme,
        authority=authority,
        target=target,
        headers=pairs,
        body=chunks,
        timeout_s=timeout_s,
        trailers=given,
    )


def _chunks(body: Any) -> tuple[Iterable[bytes] | AsyncIterable[bytes], bool]:
    """Return a body as chunks, a known one as a tuple, and whether it was made JSON.

    Raises:
        TypeError: It is nothing that can be sent.
    """
    is_json = False
    if body is None:
        return (), False
    if isinstance(body, str):
        data = body.encode()
    elif isinstance(body, bytes | bytearray | memoryview):
        data = bytes(body)
    elif hasattr(body, "__next__") or hasattr(body, "__aiter__"):
        return body, False
    elif _is_chunks(body):
        data = b"".join(map(bytes, body))
    else:
        try:
            data = encode(body)
        except Exception as error:
            raise TypeError(
                "a request body is text, bytes, an iterator of bytes or a value that JSON can "
                f"hold: {error}"
            ) from error
        is_json = True
    return ((data,) if data else ()), is_json


def _is_chunks(body: Any) -> bool:
    """Whether a list or tuple holds bytes only: then it is a body in pieces, not JSON."""
    return (
        isinstance(body, list | tuple)
        and bool(body)
        and all(isinstance(chunk, bytes | bytearray | memoryview) for chunk in body)
    )


def _set_length(pairs: list[tuple[str, bytes]], size: int) -> None:
    """Say how long a known body is.

    Raises:
        ValueError: The caller says something else.
    """
    lengths = {value for name, value in pairs if name == "content-length"}
    if not lengths:
        pairs.append(("content-length", b"%d" % size))
    elif lengths != {b"%d" % size}:
        said = b", ".join(sorted(lengths)).decode("latin-1")
        raise ValueError(f"the content-length header says {said}, the body has {size} bytes")


def _check(method: str, timeout_s: float | None) -> None:
    if not isinstance(method, str) or not method or not _TOKEN.issuperset(method):
        raise ValueError(f"not an HTTP method: {method!r}")
    if timeout_s is not None and not (isfinite(timeout_s) and timeout_s > 0):
        raise ValueError(f"timeout_s is more than 0 seconds, got {timeout_s!r}")


def _check_names(pairs: list[tuple[str, bytes]]) -> None:
    """Refuse what every host refuses, so that it fails natively as well."""
    for name, _ in pairs:
        if name in HOST_ONLY:
            raise ValueError(
                f"the request header {name!r} is the host's to set, from the URL and the "
                "connection; leave it out"
            )


def _split(url: str) -> tuple[str, str, str]:
    """Take a URL apart. Not by ``urllib``, which a component would carry for this alone."""
    if url.startswith("/") and not url.startswith("//"):
        url = f"http://{_SELF}{url}"
    scheme, separator, rest = url.partition("://")
    rest = rest.partition("#")[0]
    ends = [at for at in (rest.find("/"), rest.find("?")) if at >= 0]
    end = min(ends, default=len(rest))
    authority, target = rest[:end], rest[end:]
    if scheme.lower() not in ("http", "https") or not separator or authority[:1] in ("", ":"):
        raise ValueError(f"not an http or https URL with a host: {url!r}")
    if "@" in authority:
        raise ValueError("a URL with user and password: send an authorization header instead")
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise ValueError(f"a URL has printable ASCII only, percent-encode the rest: {url!r}")
    name, colon, port = authority.partition(":")
    if name.lower() == "self":
        # What the manifest calls the application is not a host name; this one is (CHAIN-1).
        authority = f"{_SELF}{colon}{port}"
    return scheme.lower(), authority, target if target.startswith("/") else f"/{target}"
