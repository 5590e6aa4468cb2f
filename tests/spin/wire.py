"""One request as bytes, and everything that a client sees of the answer."""

import http.client
import re
import socket
from collections.abc import Iterable

import attrs

__all__ = ["Answer", "ask", "send"]

ADDRESS = re.compile(rb"127\.0\.0\.1:\d+")


@attrs.frozen
class Answer:
    """What a client saw.

    Attributes:
        status: ``None`` when the connection ended without an answer.
        headers: As they came, names in their case, but for ``date``, and for ``connection``,
            which is about the connection and not the answer.
        dates: Values of ``date``; only how many there are is compared.
        body: What arrived of it; addresses of loopback are without their ports.
        broken: Whether the connection ended before the body did.
    """

    status: int | None
    headers: tuple[tuple[str, str], ...]
    dates: tuple[str, ...] = attrs.field(eq=len)
    body: bytes
    broken: bool


NOTHING = Answer(None, (), (), b"", broken=True)


def ask(
    port: int,
    target: str = "/",
    headers: Iterable[tuple[str, str]] = (),
    *,
    method: str = "GET",
    body: bytes | None = None,
    host: str | None = "example.com",
) -> Answer:
    """Send a request that has no headers but ``host``, these, and the length of a body."""
    lines = [f"{method} {target} HTTP/1.1"]
    if host is not None:
        lines.append(f"host: {host}")
    lines += [f"{name}: {value}" for name, value in headers]
    if body is not None:
        lines.append(f"content-length: {len(body)}")
    raw = "\r\n".join([*lines, "", ""]).encode("latin-1")
    return send(port, raw + (body or b""), method)


def send(port: int, raw: bytes, method: str = "GET", timeout_s: float = 60) -> Answer:
    """Send these bytes and read one answer."""
    with socket.create_connection(("127.0.0.1", port), timeout_s) as client:
        client.sendall(raw)
        response = http.client.HTTPResponse(client, method=method)
        try:
            response.begin()
        except (http.client.RemoteDisconnected, ConnectionError):
            return NOTHING
        broken = False
        try:
            body = response.read()
        except http.client.IncompleteRead as cut:
            body, broken = cut.partial, True
        except ConnectionError:
            body, broken = b"", True
        pairs = response.getheaders()
        return Answer(
            response.status,
            tuple(pair for pair in pairs if pair[0].lower() not in ("date", "connection")),
            tuple(value for name, value in pairs if name.lower() == "date"),
            ADDRESS.sub(b"127.0.0.1:*", body),
            broken,
        )
