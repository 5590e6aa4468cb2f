"""Failures of requests that httpx sends, by the error codes of ``wasi:http``.

Apps that run in this process send by httpx, and are told what a component would be.

Source: contract spin-host.md, OUTH-6 to OUTH-10.
"""

import socket
import ssl

import httpx

__all__ = ["httpx_error_code"]

_CODES: dict[type[BaseException], str] = {
    socket.gaierror: "DNS-error",
    ssl.SSLError: "TLS-protocol-error",
    httpx.ConnectError: "connection-refused",
    httpx.ConnectTimeout: "connection-timeout",
    httpx.PoolTimeout: "connection-timeout",
    httpx.ReadTimeout: "connection-read-timeout",
    httpx.WriteTimeout: "connection-write-timeout",
    httpx.ReadError: "connection-terminated",
    httpx.WriteError: "connection-terminated",
}


def httpx_error_code(error: BaseException) -> str:
    """Return the code for an error, or for the one behind it that says more."""
    if isinstance(error, httpx.InvalidURL | UnicodeError):
        # No name that could be looked up.
        return "DNS-error"
    code = "HTTP-protocol-error"
    cause: BaseException | None = error
    while cause is not None:
        code = next((found for kind, found in _CODES.items() if isinstance(cause, kind)), code)
        cause = cause.__cause__ or cause.__context__
    return code
