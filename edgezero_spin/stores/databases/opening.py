"""Opening of databases: a label or the address of a server, and the connection behind it.

In: the platform, the environment's names and the secrets of one request. Out: connections, each
with its address, and errors that have neither that nor the password in it.
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import unquote

import attrs

from edgezero_spin.stores.backend import BackendError, StorePlatform
from edgezero_spin.stores.databases.backend import DatabaseFailure
from edgezero_spin.stores.databases.errors import DatabaseOpenError
from edgezero_spin.stores.declaration import DatabaseKind
from edgezero_spin.stores.errors import SecretError, SecretNotFoundError
from edgezero_spin.stores.secrets import SecretHandle

__all__ = ["Connected", "DatabaseOpener", "hide_address"]

C = TypeVar("C")

_PASSWORD = re.compile(
    r"//[^/@\s]*?:(?P<url>[^/\s]*)@"
    r"|(?:^|[\s?&])password\s*=\s*(?:'(?P<quoted>(?:[^'\\]|\\.)*)'|(?P<plain>[^\s&]*))"
)

Connected = tuple[C, str]
"""A connection, and the address that it was made by, which no text may have."""


@attrs.frozen
class DatabaseOpener:
    """Opens databases by kind and declared id."""

    _platform: StorePlatform
    _store_name: Callable[[str, str], str]
    _secrets: Callable[[], SecretHandle]

    async def open(self, kind: DatabaseKind, id: str) -> Connected[Any]:
        """Connect; a label opens SQLite, a variable has the address of a server.

        Raises:
            DatabaseOpenError: The platform refuses it, or the variable is not set.
        """
        database = f"{kind}[{id!r}]"
        target = self._store_name(kind, id)
        address = "" if kind == "sqlite" else await self._address(database, target)
        open_database = getattr(self._platform, "open_database", None)
        if open_database is None:
            raise DatabaseOpenError(database, "nothing here opens databases")
        try:
            return await open_database(kind, address or target), address
        except DatabaseFailure as failure:
            message = hide_address(failure.message, address)
            raise DatabaseOpenError(database, message, failure.case) from None
        except BackendError as error:
            raise DatabaseOpenError(database, error.message) from None

    async def _address(self, database: str, variable: str) -> str:
        try:
            return await self._secrets().require_str("default", variable)
        except SecretNotFoundError:
            raise DatabaseOpenError(
                database,
                f"no variable {variable!r} is set, which has the address of the server; declare "
                "it in spin.toml and map it in the component's variables",
                "undefined",
            ) from None
        except (BackendError, SecretError) as error:
            raise DatabaseOpenError(
                database, f"the variable {variable!r}, which has the address: {error}"
            ) from None


def hide_address(text: str, address: str) -> str:
    """Return a text without an address, and without the password in it."""
    if not address:
        return text
    text = text.replace(address, "(address)")
    for match in _PASSWORD.finditer(address):
        secret = match["url"] or match["quoted"] or match["plain"]
        if secret:
            text = text.replace(secret, "***").replace(unquote(secret), "***")
    return text
