"""Tables of stores and databases in ``edgezero.toml``: ``[stores.<kind>]``, ``[databases.<kind>]``.

In: both tables; ``[databases]`` is our own. Out: a ``StoreDeclaration``. The rules for ids are
those of ``StoreIds``; this module adds what only a file can get wrong: keys of older manifests,
kinds that do not exist, values of another type.

Source: contract edgezero.md, MAN-10, MAN-18, MAN-19.
"""

from edgezero_spin.manifest.table_reader import TableReader
from edgezero_spin.stores import StoreDeclaration, StoreIds

__all__ = ["MIGRATION_GUIDE", "read_stores"]

MIGRATION_GUIDE = "docs/guide/manifest-store-migration.md"
"""The page that older manifests are sent to."""


def read_stores(stores: TableReader, databases: TableReader) -> StoreDeclaration:
    """Return what the app declares; kinds without a table stay ``None``."""
    declaration = StoreDeclaration(
        kv=_read_kind(stores, "kv"),
        config=_read_kind(stores, "config"),
        secrets=_read_kind(stores, "secrets"),
        sqlite=_read_kind(databases, "sqlite"),
        redis=_read_kind(databases, "redis"),
        postgres=_read_kind(databases, "postgres"),
        mysql=_read_kind(databases, "mysql"),
    )
    stores.refuse_rest()
    databases.refuse_rest()
    return declaration


def _read_kind(stores: TableReader, kind: str) -> StoreIds | None:
    table = stores.optional_table(kind)
    if table is None:
        return None
    already = len(table.problems.found)
    ids = table.texts("ids")
    default = table.optional_text("default")
    old = sorted(table.rest())
    if old:
        stores.problem(
            kind,
            f"unknown field(s): {', '.join(old)}",
            "A store table holds `ids` and `default` only; where a store lives is set with "
            f"EDGEZERO__STORES__* variables. See {MIGRATION_GUIDE}.",
        )
    if len(table.problems.found) > already:
        return None
    try:
        return StoreIds.of(ids, default)
    except ValueError as err:
        stores.problem(kind, str(err))
        return None
