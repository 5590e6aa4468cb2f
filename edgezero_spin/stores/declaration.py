"""The stores that an app declares, by kind and logical id.

A declaration is known when the app is built and holds no platform name: those come from the
environment of each request.

Source: contract edgezero.md, APP-3, MAN-18 (b) to (h), MAN-19.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import attrs

from edgezero_spin.environment import ascii_lower, has_control

if TYPE_CHECKING:
    from edgezero_spin.stores.databases.connecting import DatabaseHandle

__all__ = ["DATABASE_CLASSES", "DatabaseKind", "StoreDeclaration", "StoreIds"]

DatabaseKind = Literal["sqlite", "redis", "postgres", "mysql"]
"""A kind of database, as ``App(...)`` and ``edgezero.toml`` spell it."""

DATABASE_CLASSES: "dict[DatabaseKind, type[DatabaseHandle[Any]]]" = {}
"""The facades of databases that are loaded, by kind; the module of each is called after it."""


@attrs.frozen
class StoreIds:
    """The ids of one kind of store. Made by ``StoreIds.of``, which checks them.

    Attributes:
        ids: The ids in the order of declaration. At least one.
        default: The id that is meant when none is named.
    """

    ids: tuple[str, ...]
    default: str

    @classmethod
    def of(cls, ids: Sequence[str], default: str | None = None) -> "StoreIds":
        """Check ids and choose the default, which is the first unless it is named.

        Several ids need a named default.

        Raises:
            ValueError: A rule is broken; the message names the id. Rules are tried in the
                order of MAN-18.
        """
        if isinstance(ids, str):
            raise TypeError(f"store ids are a sequence of texts, not the text {ids!r}")
        names = tuple(ids)
        _check_ids(names)
        if default is None:
            if len(names) > 1:
                raise ValueError(
                    f"`default` is required when more than one id is declared ({_listed(names)})"
                )
            default = names[0]
        elif default not in names:
            raise ValueError(
                f"`default` {default!r} is not one of the declared `ids` ({_listed(names)})"
            )
        return cls(names, default)


@attrs.frozen
class StoreDeclaration:
    """What an app declares: per kind its ids, or ``None`` for a kind that it does not use.

    An id of a SQLite database stands for a label; one of a Redis, PostgreSQL or MySQL server for
    the variable that has the address.
    """

    kv: StoreIds | None = None
    config: StoreIds | None = None
    secrets: StoreIds | None = None
    sqlite: StoreIds | None = None
    redis: StoreIds | None = None
    postgres: StoreIds | None = None
    mysql: StoreIds | None = None

    @classmethod
    def of(cls, **ids: Sequence[str] | StoreIds) -> "StoreDeclaration":
        """Return a declaration of ids by kind; the first one of a sequence is the default.

        Raises:
            TypeError: There is no such kind, or a text stands for its ids.
            ValueError: As ``StoreIds.of``.
        """
        return cls(**{kind: _ids_with_first_default(given) for kind, given in ids.items()})

    @property
    def databases(self) -> tuple[DatabaseKind, ...]:
        """The kinds of database that are declared."""
        return tuple(kind for kind in get_args(DatabaseKind) if getattr(self, kind) is not None)

    @property
    def servers(self) -> bool:
        """Whether it has databases on servers, whose addresses are variables."""
        return bool(self.redis or self.postgres or self.mysql)

    @property
    def empty(self) -> bool:
        """Whether it declares nothing."""
        return self == StoreDeclaration()


def _ids_with_first_default(ids: Sequence[str] | StoreIds) -> StoreIds | None:
    if isinstance(ids, StoreIds):
        return ids
    if isinstance(ids, str):
        raise TypeError(f"store ids are a sequence of texts, not the text {ids!r}")
    return StoreIds.of(ids, ids[0]) if ids else None


def _check_ids(ids: tuple[str, ...]) -> None:
    if not ids:
        raise ValueError("`ids` must name at least one store")
    for id in ids:
        if not id or id.isspace() or has_control(id):
            raise ValueError(f"store id {id!r} must be non-empty and printable")
    for id in ids:
        if not (id.isascii() and id.replace("_", "a").replace("-", "a").isalnum()):
            raise ValueError(
                f"store id {id!r} is not a portable segment: only letters, digits, `_` and `-`"
            )
        if "__" in id:
            raise ValueError(
                f"store id {id!r} is not a portable segment: a double underscore (`__`) "
                f"separates the parts of environment variables"
            )
    _check_repeats(ids)


def _check_repeats(ids: tuple[str, ...]) -> None:
    seen: dict[str, str] = {}
    for id in ids:
        if ids.count(id) > 1:
            raise ValueError(f"duplicate id {id!r}")
    for id in ids:
        other = seen.setdefault(ascii_lower(id), id)
        if other != id:
            raise ValueError(
                f"case-insensitive duplicate id {id!r}: {other!r} reads the same environment "
                f"variables"
            )


def _listed(ids: tuple[str, ...]) -> str:
    return ", ".join(ids)
