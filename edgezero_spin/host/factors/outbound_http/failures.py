"""Failures of outbound requests, by the error codes of ``wasi:http``.

Source: contract spin-host.md, OUTH-6 to OUTH-10; ``error-code`` of ``wasi:http/types``.
"""

import asyncio
import ssl
from typing import Any

from edgezero_spin.host.factors.wasi.http.values import ErrorCode

__all__ = ["NetworkFailure", "error_code"]


class NetworkFailure(Exception):  # noqa: N818 - it carries an error code of wasi:http
    """An exchange came to an end that has a code of its own.

    Attributes:
        code: The case of ``error-code`` and what it carries.
    """

    def __init__(self, case: str, payload: Any = None) -> None:
        super().__init__(case)
        self.code: ErrorCode = (case, payload)


def error_code(error: BaseException) -> ErrorCode:
    """The code of ``wasi:http`` for what went wrong (OUTH-6 to OUTH-10)."""
    if isinstance(error, NetworkFailure):
        return error.code
    if isinstance(error, asyncio.CancelledError):
        return ("connection-terminated", None)
    if isinstance(error, ssl.SSLError):
        return ("TLS-protocol-error", None)
    return ("HTTP-protocol-error", None)
