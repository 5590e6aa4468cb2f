"""The socket that a server listens on: its address and its certificate.

Source: contract spin-host.md, OUT-4, OUT-8, FLAG-1, FLAG-2.
"""

import errno
import socket
import ssl
from pathlib import Path

import attrs

from edgezero_spin.errors import HostError

__all__ = ["BACKLOG", "DEFAULT_LISTEN", "ListenError", "Listening", "bind", "server_context"]

DEFAULT_LISTEN = "127.0.0.1:3000"
"""Address and port of ``spin up`` (FLAG-1)."""

FREE_PORT_TRIES = 10
BACKLOG = 2048
"""Connections that wait to be accepted."""


class ListenError(HostError):
    """The address to listen on cannot be used.

    Raised before the first request.

    Attributes:
        problem: What is wrong with it.
    """

    def __init__(self, address: str, problem: str) -> None:
        super().__init__(address, problem)
        self.address = address
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


@attrs.frozen
class Listening:
    """Where a server listens.

    Attributes:
        port: The port, the one that was found where 0 was asked for.
        scheme: ``http`` or ``https``.
    """

    host: str
    port: int
    scheme: str = "http"

    @property
    def url(self) -> str:
        """``http://127.0.0.1:3000``."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{name}:{self.port}"


USE_FIND_FREE_PORT = "To have Spin search for a free port, use the --find-free-port option."


def bind(
    listen: str, *, find_free_port: bool = False, if_taken: str = USE_FIND_FREE_PORT
) -> socket.socket:
    """Return a listening socket.

    Args:
        listen: Address and port.
        find_free_port: Try the next ports, too.
        if_taken: What to do about a port that is taken; the end of the message.

    Raises:
        ListenError: The address is malformed, unknown or taken.
    """
    name, port = _split(listen)
    tries = FREE_PORT_TRIES if find_free_port and port else 1
    family, address = _resolve(listen, name, port)
    for candidate in range(port, port + tries):
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, candidate))
            listener.listen(BACKLOG)
        except OverflowError as error:
            listener.close()
            raise ListenError(listen, f"{listen}: the port is above 65535") from error
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE:
                raise ListenError(
                    listen, f"cannot listen on {listen}: {error.strerror or error}"
                ) from error
        else:
            listener.setblocking(False)
            return listener
    if tries > 1:
        raise ListenError(
            listen, f"Couldn't find a free port in the range {port}-{port + tries - 1}."
        )
    raise ListenError(listen, f"{listen} is already in use. {if_taken}")


def _split(listen: str) -> tuple[str, int]:
    name, colon, port = listen.rpartition(":")
    if not colon or not name or not port.isascii() or not port.isdigit():
        raise ListenError(listen, f"{listen!r} is not an address and a port, like {DEFAULT_LISTEN}")
    return name.removeprefix("[").removesuffix("]"), int(port)


def _resolve(listen: str, name: str, port: int) -> tuple[int, str]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ListenError(listen, f"cannot listen on {listen}: {error.strerror}") from error
    # A name that stands for both families means the older one first (FLAG-1).
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    family, _, _, _, address = found[0]
    return family, str(address[0])


def server_context(listen: str, certificate: str, key: str) -> ssl.SSLContext:
    """Return the context of a listener, of a certificate chain and its key in PEM.

    A key that is encrypted is refused: nobody is asked for its password.

    Raises:
        ListenError: A file cannot be read, or they are not a certificate and its key.
    """
    for path in (certificate, key):
        try:
            Path(path).read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ListenError(listen, f"cannot read {path}: {reason}") from error

    def refuse() -> str:
        raise ListenError(
            listen,
            f"the private key {key} is encrypted; serve with one that is not: "
            "openssl pkey -in KEY -out PLAIN_KEY",
        )

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=refuse)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        if reason == "KEY_VALUES_MISMATCH":
            problem = f"the private key {key} does not belong to the certificate {certificate}"
        else:
            problem = (
                f"{certificate} and {key} are not a certificate and its key, both in PEM: {reason}"
            )
        raise ListenError(listen, problem) from error
    return context
