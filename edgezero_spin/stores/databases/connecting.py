"""One database of a request: its id, its siblings and its connection.

``DatabaseHandle`` is what all kinds have in common.

In: declared ids, and what opens them. Out: connections, and errors without the address or password
of a server.
"""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Generic, Self, TypeVar
from weakref import ref

from edgezero_spin.stores.backend import StorePlatform
from edgezero_spin.stores.databases.backend import DatabaseFailure, RedisBackend, SqlBackend
from edgezero_spin.stores.databases.errors import QueryError
from edgezero_spin.stores.databases.opening import Connected, DatabaseOpener, hide_address
from edgezero_spin.stores.declaration import DATABASE_CLASSES, DatabaseKind, StoreIds
from edgezero_spin.stores.registry import Registry
from edgezero_spin.stores.secrets import SecretHandle

__all__ = ["DatabaseHandle"]

C = TypeVar("C", bound=SqlBackend | RedisBackend)


class DatabaseHandle(Generic[C]):
    """A database of the app, and by id the others of its kind: ``db["reports"]``."""

    kind: ClassVar[DatabaseKind]

    __slots__ = ("_address", "_connect", "_connection", "_depth", "_id", "_siblings")

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "kind" in vars(cls):
            DATABASE_CLASSES[cls.kind] = cls

    def __init__(
        self,
        id: str,
        siblings: "ref[Registry[Any]]",
        connect: Callable[[DatabaseKind, str], Awaitable[Connected[C]]],
    ) -> None:
        """Open nothing yet; made by the app for each request."""
        self._id = id
        # A cycle would keep connections open until the collector comes by.
        self._siblings = siblings
        self._connect = connect
        self._connection: C | None = None
        self._address = ""
        # Transactions that are open, one in another.
        self._depth = 0

    @classmethod
    def registry(
        cls,
        declared: StoreIds,
        platform: StorePlatform,
        store_name: Callable[[str, str], str],
        secrets: Callable[[], SecretHandle],
    ) -> "Registry[Self]":
        """Return the databases of one request; they are there as long as it.

        Args:
            declared: Their ids.
            platform: Opens them.
            store_name: Returns the label, or the variable with the address, by kind and id.
            secrets: Returns the variables; may raise ``BackendError``.
        """
        connect = DatabaseOpener(platform, store_name, secrets).open
        # What makes the databases must not keep the registry either.
        made: Registry[Self] = Registry(cls.kind, declared, lambda id: cls(id, siblings, connect))
        siblings = ref(made)
        return made

    def __repr__(self) -> str:
        return f"{self.kind}[{self._id!r}]"

    def __getitem__(self, id: str) -> Self:
        """Return the database with an id.

        Raises:
            UndeclaredStoreError: The app declares no such id.
        """
        return self._registry[id]

    def __contains__(self, id: object) -> bool:
        return id in self._registry

    @property
    def id(self) -> str:
        """Its id."""
        return self._id

    @property
    def default(self) -> Self:
        """The one that is meant when no id is named."""
        return self._registry.default

    def ids(self) -> tuple[str, ...]:
        """Return the ids that the app declares, sorted."""
        return self._registry.ids()

    @property
    def _registry(self) -> "Registry[Self]":
        registry: Registry[Self] | None = self._siblings()
        if registry is None:
            raise RuntimeError(f"{self} is used after the end of its request")
        return registry

    def close(self) -> None:
        """Give the connection back now; the next statement opens another one.

        The end of the request does the same.
        """
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    async def _connected(self, statement: str) -> C:
        if self._connection is None:
            if self._depth:
                raise QueryError(
                    str(self), "the connection was lost in a transaction", statement=statement
                )
            connection, address = await self._connect(self.kind, self._id)
            if self._connection is None:
                self._connection, self._address = connection, address
            else:
                # Another task of the request was quicker.
                connection.close()
        return self._connection

    def _error_of(self, failure: DatabaseFailure, statement: str) -> QueryError:
        server = failure.server
        message = hide_address(failure.message, self._address)
        if server is None:
            return QueryError(str(self), message, case=failure.case, statement=statement)
        return QueryError(
            str(self),
            message,
            case=failure.case,
            statement=statement,
            code=server.code,
            detail=server.detail,
            extras=server.extras,
        )
