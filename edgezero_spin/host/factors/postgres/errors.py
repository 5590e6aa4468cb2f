"""Errors of PostgreSQL connections.

Source: contract services.md, PG-50 to PG-64;
https://www.postgresql.org/docs/current/protocol-error-fields.html.
"""

import attrs

from edgezero_spin.host.factors.database_servers.errors import DatabaseServerError

__all__ = ["DbError", "PostgresError"]


@attrs.frozen
class DbError:
    """What a server says of an error.

    Attributes:
        severity: ``ERROR``, ``FATAL`` or ``PANIC``, in the server's language.
        code: The SQLSTATE.
        detail: More of it.
        extras: Name and value of what else the server says.
    """

    severity: str
    code: str
    message: str
    detail: str | None = None
    extras: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        text = f"{self.severity}: {self.message} (SQLSTATE {self.code})"
        return text if self.detail is None else f"{text}: {self.detail}"


class PostgresError(DatabaseServerError):
    """A server cannot be reached, or a statement failed.

    Attributes:
        server: What the server said of it; ``None`` where it said nothing.
        running: The server had accepted the statement and was running it.
    """

    def __init__(
        self, message: str, server: DbError | None = None, *, running: bool = False
    ) -> None:
        super().__init__(message)
        self.server = server
        self.running = running
