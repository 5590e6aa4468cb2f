"""The stores of one kind that a request may use, by logical id.

Source: contract edgezero.md, REG-1 to REG-3 and EXT-14.
"""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from edgezero_spin.stores.errors import UndeclaredStoreError

__all__ = ["Registry"]

S = TypeVar("S")


class Registry(Generic[S]):
    """Stores of one kind by id: ``kv["notes"]``, ``kv.default``, ``kv.named("notes")``.

    A store is opened when it is first asked for, and then kept.
    """

    __slots__ = ("_default_id", "_ids", "_kind", "_open", "_stores")

    def __init__(self, stores: Mapping[str, S], default_id: str, *, kind: str = "kv") -> None:
        """Hold stores that are open already.

        Args:
            stores: The stores by id.
            default_id: Which of them is meant when none is named.
            kind: ``kv``, ``config`` or ``secrets``, for messages.

        Raises:
            ValueError: The default is not among the stores.
        """
        if default_id not in stores:
            known = ", ".join(sorted(stores)) or "none"
            raise ValueError(
                f"default store id {default_id!r} is not present among the registered ids ({known})"
            )
        self._kind = kind
        self._ids = tuple(stores)
        self._default_id = default_id
        self._open: Callable[[str], S] | None = None
        self._stores = dict(stores)

    @classmethod
    def lazy(
        cls, ids: tuple[str, ...], default_id: str, open_store: Callable[[str], S], *, kind: str
    ) -> "Registry[S]":
        """Hold ids, and what opens the store of each when it is first used.

        Args:
            ids: The ids in the order in which ``open_all`` opens them.
            default_id: One of them.
            open_store: Called at most once per id, unless it raises.
            kind: ``kv``, ``config`` or ``secrets``, for messages.
        """
        registry = cls.__new__(cls)
        registry._kind = kind
        registry._ids = ids
        registry._default_id = default_id
        registry._open = open_store
        registry._stores = {}
        return registry

    @classmethod
    def or_none(
        cls, stores: Mapping[str, S], default_id: str, *, kind: str = "kv"
    ) -> "Registry[S] | None":
        """Hold open stores, or return ``None`` when the default is not among them."""
        return cls(stores, default_id, kind=kind) if default_id in stores else None

    @classmethod
    def single_id(cls, id: str, store: S, *, kind: str = "kv") -> "Registry[S]":
        """Hold one open store."""
        return cls({id: store}, id, kind=kind)

    def __repr__(self) -> str:
        return f"Registry({', '.join(self.ids())}; default {self._default_id})"

    def __getitem__(self, id: str) -> S:
        """Return the store with an id.

        Raises:
            UndeclaredStoreError: There is no such id.
            StoreOpenError: The platform cannot open it.
        """
        store = self._stores.get(id)
        if store is None:
            if self._open is None or id not in self._ids:
                raise UndeclaredStoreError(self._kind, id, self.ids())
            store = self._stores[id] = self._open(id)
        return store

    def __contains__(self, id: object) -> bool:
        return id in self._ids

    @property
    def default(self) -> S:
        """The store that is meant when no id is named."""
        return self[self._default_id]

    @property
    def default_id(self) -> str:
        """The id of the default store."""
        return self._default_id

    def named(self, id: str) -> S | None:
        """Return the store with an id, or ``None`` when it is not declared."""
        return self[id] if id in self._ids else None

    def ids(self) -> tuple[str, ...]:
        """Return the ids, sorted."""
        return tuple(sorted(self._ids))

    def open_all(self) -> None:
        """Open every store that is not open yet, in the order of declaration.

        Raises:
            StoreOpenError: The first one that the platform cannot open.
        """
        for id in self._ids:
            self[id]
