"""Errors of database servers.

Source: contract services.md, SVC-8, PG-54 to PG-63, MY-30 to MY-36.
"""

from edgezero_spin.errors import HostError
from edgezero_spin.host.factors.bounds import too_large

__all__ = ["DatabaseServerError", "ResultTooLargeError"]


class DatabaseServerError(HostError):
    """A server cannot be connected to, or a statement failed.

    Attributes:
        message: What went wrong; no password is in it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ResultTooLargeError(HostError):
    """Rows count more than a result may."""

    def __str__(self) -> str:
        return too_large()
