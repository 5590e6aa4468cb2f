"""Requests of a test, in the form in which both clients send them.

Nothing is added that the test did not write, but the ``content-type`` of ``json`` and
``data`` and the length of a body that is whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import urlencode

import attrs

from edgezero_spin.core.headers import HeaderInput, Headers
from edgezero_spin.core.percent import encode_literal
from edgezero_spin.stores.json_values import encode
from edgezero_spin.testing.multipart_form import Files, encode_multipart

__all__ = ["Content", "Files", "KitRequest", "Params", "make_request"]

Content: TypeAlias = bytes | str | Iterable[bytes]
Params: TypeAlias = Mapping[str, Any] | Sequence[tuple[str, Any]]

DEFAULT_AUTHORITY = "localhost"


@attrs.frozen
class KitRequest:
    """One request.

    Attributes:
        method: As it is sent.
        path: Percent-encoded, without query.
        query: What follows the ``?``, ``None`` without one.
        headers: Lower-case names and values; no ``host``.
        authority: Host and port that it is sent to.
        scheme: ``http`` or ``https``.
        body: All bytes, or pieces in order.
        trailers: Fields behind the body.
        cookies: Cookies of this request, by name, over those of its client.
        auth: Its credentials, ``...`` for those of its client; see ``testing.auth``.
        user_info: User and password in its URL, as they stand there.
    """

    method: str
    path: str
    query: str | None
    headers: list[tuple[str, bytes]]
    authority: str
    scheme: str
    body: bytes | Iterable[bytes]
    trailers: list[tuple[str, bytes]] = attrs.field(factory=list)
    cookies: Mapping[str, str] = attrs.field(factory=dict)
    auth: Any = attrs.field(default=..., repr=False)
    user_info: str = attrs.field(default="", repr=False)

    @property
    def target(self) -> str:
        """Path and query."""
        return self.path if self.query is None else f"{self.path}?{self.query}"

    def __str__(self) -> str:
        return f"{self.method} {self.target}"


def make_request(
    method: str,
    target: str,
    *,
    headers: HeaderInput = (),
    params: Params | None = None,
    json: Any = ...,
    data: Params | None = None,
    files: Files | None = None,
    content: Content = b"",
    trailers: HeaderInput = (),
    cookies: Mapping[str, str] | None = None,
    auth: Any = ...,
) -> KitRequest:
    """Put a request together.

    Raises:
        TypeError: More than one body is given, or a file is of a wrong kind.
        JsonValueError: ``json`` has no JSON form.
    """
    fields = list(Headers(headers).pairs)
    body = _body(json, data, files, content, fields)
    behind = list(Headers(trailers).pairs)
    if behind:
        # In HTTP/1.1 they have a place behind chunks only.
        fields = [pair for pair in fields if pair[0] != "content-length"]
        body = [body] if isinstance(body, bytes) else body
    path, mark, query = target.partition("#")[0].partition("?")
    scheme, authority, user_info = "http", DEFAULT_AUTHORITY, ""
    before, separator, rest = path.partition("://")
    if separator and before.isalpha():
        scheme = before.lower()
        authority, slash, path = rest.partition("/")
        user_info, _, authority = authority.rpartition("@")
        path = slash + path
    for name, value in fields:
        if name == "host":
            authority = value.decode("latin-1")
    if params is not None:
        added = urlencode(_text_pairs(params))
        query = f"{query}&{added}" if query and added else query or added
        mark = mark or ("?" if added else "")
    return KitRequest(
        method,
        encode_literal(path).decode("ascii") or "/",
        encode_literal(query).decode("ascii") if mark else None,
        [pair for pair in fields if pair[0] != "host"],
        authority,
        scheme,
        body,
        behind,
        dict(cookies or {}),
        auth,
        user_info,
    )


def _body(
    json: Any,
    data: Params | None,
    files: Files | None,
    content: Content,
    fields: list[tuple[str, bytes]],
) -> bytes | Iterable[bytes]:
    if (json is not ...) + (data is not None or files is not None) + (content != b"") > 1:
        raise TypeError("a request has one body: give json, data with or without files, or content")
    named = any(name == "content-type" for name, _ in fields)
    body: bytes | Iterable[bytes]
    if json is not ...:
        body = encode(json)
        kind = b"application/json"
    elif files is not None:
        body, kind = encode_multipart(_text_pairs(data or {}), files)
    elif data is not None:
        body = urlencode(_text_pairs(data)).encode()
        kind = b"application/x-www-form-urlencoded"
    else:
        body = content.encode() if isinstance(content, str) else content
        kind = b""
    if kind and not named:
        fields.append(("content-type", kind))
    if isinstance(body, bytes | bytearray | memoryview):
        body = bytes(body)
        if body and not any(name == "content-length" for name, _ in fields):
            fields.append(("content-length", str(len(body)).encode()))
    return body


def _text_pairs(given: Params) -> list[tuple[str, str]]:
    """Return names and texts; a list stands for a name that comes several times."""
    pairs = given.items() if isinstance(given, Mapping) else given
    return [
        (name, _text(one))
        for name, value in pairs
        for one in (value if isinstance(value, list | tuple) else [value])
    ]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
