"""CGI: a request as the environment of a command, and its output as a response.

In: an ``Exchange``, its headers as ``gateway`` prepares them for commands. Out: arguments and
variables. And back: the bytes that a command printed, as a ``CgiResponse``. Nothing is run
here.

Source: contract spin-host.md, WAGI-2, WAGI-4, WAGI-5, WAGI-10 to WAGI-18; RFC 3875 for the
names.
"""

import logging
import re
from collections.abc import Mapping
from urllib.parse import unquote

import attrs

from edgezero_spin.errors import HostError
from edgezero_spin.host.exchange.exchange import Exchange
from edgezero_spin.host.exchange.fields import FORBIDDEN, is_token, is_value

__all__ = [
    "INSUFFICIENT",
    "CgiResponse",
    "OutputError",
    "arguments_for",
    "read_output",
    "variables_for",
]

logger = logging.getLogger("edgezero_spin.host")

DEFAULT_PORT = "80"

INSUFFICIENT = b"Exactly one of 'location' or 'content-type' must be specified"

_VARIABLES = {
    "spin-path-info": "PATH_INFO",
    "spin-full-url": "X_FULL_URL",
    "spin-matched-route": "X_MATCHED_ROUTE",
    "spin-base-path": "X_BASE_PATH",
    "spin-raw-component-route": "X_RAW_COMPONENT_ROUTE",
    "spin-component-route": "X_COMPONENT_ROUTE",
    "spin-client-addr": "X_CLIENT_ADDR",
}
_PATH_MATCH = "spin-path-match-"
_BLANK_LINE = re.compile(rb"\n\r*\n")


class OutputError(HostError):
    """What a command printed is not a response."""


@attrs.frozen
class CgiResponse:
    """A response as a command printed it.

    Attributes:
        headers: Names in lower case.
    """

    status: int
    headers: tuple[tuple[str, bytes], ...]
    body: bytes


def arguments_for(argv: str, exchange: Exchange) -> tuple[str, ...]:
    """Return the command line of a request (WAGI-2). No quotes: a space always separates.

    Args:
        argv: The command line; ``${SCRIPT_NAME}`` and ``${ARGS}`` are filled in.
    """
    path, _, query = (exchange.target or "/").partition("?")
    line = argv.replace("${SCRIPT_NAME}", path).replace("${ARGS}", query.replace("&", " "))
    return tuple(_plain(part) for part in line.split(" "))


def variables_for(
    exchange: Exchange, body_bytes: int, environment: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of a request (WAGI-10 to WAGI-18).

    Variables of the request replace those of the manifest; headers do not, or a client
    could set ``HTTP_PROXY`` where the manifest does.

    Args:
        exchange: The request, its headers as ``gateway`` prepares them for commands.
        body_bytes: Length of its body.
        environment: The component's own variables.
    """
    sent: dict[str, str] = {}
    known: dict[str, str] = {}
    content_type = ""
    for name, value in exchange.headers:
        text = value.decode("utf-8", "replace")
        if name.startswith(_PATH_MATCH):
            known["X_PATH_MATCH_" + _variable(name.removeprefix(_PATH_MATCH))] = text
        elif name in _VARIABLES:
            known[_VARIABLES[name]] = text
        elif name not in ("authorization", "connection"):
            sent["HTTP_" + _variable(name)] = text
            if name == "content_type":
                content_type = text
    host, port = _address(exchange.authority or "localhost")
    client, _ = _address(known.get("X_CLIENT_ADDR", ""))
    path_info = known.get("PATH_INFO", "")
    query = (exchange.target or "").partition("?")[2]
    request = {
        "AUTH_TYPE": "",
        "CONTENT_LENGTH": str(body_bytes),
        "CONTENT_TYPE": content_type,
        "GATEWAY_INTERFACE": "CGI/1.1",
        "PATH_TRANSLATED": unquote(path_info, errors="replace"),
        "QUERY_STRING": _plain(query),
        "REMOTE_ADDR": client,
        "REMOTE_HOST": client,
        "REMOTE_USER": "",
        "REQUEST_METHOD": exchange.method,
        "SCRIPT_NAME": known.get("X_MATCHED_ROUTE", "").removesuffix("/..."),
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "WAGI/1",
        "X_RAW_PATH_INFO": path_info,
    }
    return {**sent, **environment, **request, **known}


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")


def _plain(text: str) -> str:
    """Make text of what came in as bytes that need not be UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _address(text: str) -> tuple[str, str]:
    """Split ``host:port``; IPv6 hosts lose their brackets."""
    host, colon, port = text.rpartition(":")
    if not (colon and port.isdecimal()):
        host, port = text, DEFAULT_PORT
    return host.strip("[]"), port


def read_output(output: bytes) -> CgiResponse:
    """Turn what a command printed into a response (WAGI-4, WAGI-5).

    A ``status`` alone is enough, as it is for Spin. Headers that belong to the connection
    are left out, and the length is the one that the body has.

    Raises:
        OutputError: A header cannot be sent.
    """
    blank = _BLANK_LINE.search(output)
    if blank is None:
        head, body = b"", output
    else:
        head, body = output[: blank.start()], output[blank.end() :]
    headers = _read_headers(head.replace(b"\r", b""))
    status_text = headers.pop("status", None)
    if status_text is None and not headers.keys() & {"location", "content-type"}:
        logger.error("HTTP 500 error: %s", INSUFFICIENT.decode())
        return CgiResponse(500, (), INSUFFICIENT)
    status = 302 if "location" in headers else 200
    if status_text is not None:
        status = _status_of(status_text)
    return CgiResponse(
        status,
        tuple(
            (name, value.encode())
            for name, value in headers.items()
            if name not in FORBIDDEN and name != "content-length"
        ),
        body,
    )


def _read_headers(head: bytes) -> dict[str, str]:
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        raise OutputError("the headers that the program printed are not UTF-8 text") from error
    headers: dict[str, str] = {}
    for line in text.strip().split("\n"):
        name, colon, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon:
            if line:
                logger.warning("a line that the program printed is not a header: %r", line)
        elif not is_token(name):
            logger.error("a header that the program printed has an invalid name: %r", name)
        elif not is_value(value.encode()):
            raise OutputError(f"the header {name!r} that the program printed cannot be sent")
        else:
            headers[name] = value
    return headers


def _status_of(text: str) -> int:
    """Read ``404 Not Found``; what cannot be sent becomes 502."""
    code = text.partition(" ")[0]
    if re.fullmatch(r"[2-5]\d\d", code, re.ASCII) is None:
        logger.warning("the program printed a status that cannot be sent: %r", text)
        return 502
    return int(code)
