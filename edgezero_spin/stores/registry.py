"""The stores of one kind that a request may use, by logical id.

Source: contract edgezero.md, REG-1 to REG-3 and EXT-14.
"""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from edgezero_spin.stores.declaration import StoreIds
from edgezero_spin.stores.errors import UndeclaredStoreError
from edgezero_spin.stores.validation import check_text

__all__ = ["Registry"]

S = TypeVar("S")


class Registry(Generic[S]):
    """Stores of one kind by id: ``kv["notes"]``, ``kv.default``, ``kv.named("notes")``.

    A store is opened when it is first asked for, and then kept.
    """

    __slots__ = ("__weakref__", "_declared", "_kind", "_open", "_stores")

    def __init__(self, kind: str, declared: StoreIds, open_store: Callable[[str], S]) -> None:
        """Hold ids, and what opens the store of each when it is first used.

        Args:
            kind: ``kv``, ``config``, ``secrets`` or a kind of database, for messages.
            declared: The ids in the order in which ``open_all`` opens them, and the default.
            open_store: Called at most once per id, unless it raises.
        """
        self._kind = kind
        self._declared = declared
        self._open = open_store
        self._stores: dict[str, S] = {}

    @classmethod
    def of(cls, stores: Mapping[str, S], default_id: str, *, kind: str = "kv") -> "Registry[S]":
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
        return cls(kind, StoreIds(tuple(stores), default_id), dict(stores).__getitem__)

    @classmethod
    def or_none(
        cls, stores: Mapping[str, S], default_id: str, *, kind: str = "kv"
    ) -> "Registry[S] | None":
        """Hold open stores, or return ``None`` when the default is not among them."""
        return cls.of(stores, default_id, kind=kind) if default_id in stores else None

    @classmethod
    def single_id(cls, id: str, store: S, *, kind: str = "kv") -> "Registry[S]":
        """Hold one open store."""
        return cls.of({id: store}, id, kind=kind)

    def __repr__(self) -> str:
        return f"Registry({', '.join(self.ids())}; default {self._declared.default})"

    def __getitem__(self, id: str) -> S:
        """Return the store with an id.

        Raises:
            UndeclaredStoreError: There is no such id.
            StoreOpenError: The platform cannot open it.
        """
        store = self._stores.get(id)
        if store is None:
            if id not in self._declared.ids:
                check_text("store id", id)
                raise UndeclaredStoreError(self._kind, id, self.ids())
            store = self._stores[id] = self._open(id)
        return store

    def __contains__(self, id: object) -> bool:
        return id in self._declared.ids

    @property
    def default(self) -> S:
        """The store that is meant when no id is named."""
        return self[self._declared.default]

    @property
    def declared(self) -> tuple[str, ...]:
        """The ids in the order of their declaration."""
        return self._declared.ids

    @property
    def default_id(self) -> str:
        """The id of the default store."""
        return self._declared.default

    def named(self, id: str) -> S | None:
        """Return the store with an id, or ``None`` when it is not declared."""
        return self[id] if id in self._declared.ids else None

    def ids(self) -> tuple[str, ...]:
        """Return the ids, sorted."""
        return tuple(sorted(self._declared.ids))

    def open_all(self) -> None:
        """Open every store that is not open yet, in the order of declaration.

        Raises:
            StoreOpenError: The first one that the platform cannot open.
        """
        for id in self._declared.ids:
            self[id]
