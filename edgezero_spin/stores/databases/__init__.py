"""SQLite, Redis, PostgreSQL and MySQL: typed facades, and the protocols below them.

Each name is loaded when it is asked for: an app carries what it uses, and one without databases
none of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgezero_spin.stores.databases.backend import (
        DatabaseFailure,
        DatabasePlatform,
        Parameter,
        RedisBackend,
        ServerMessage,
        SqlBackend,
        SqlRows,
    )
    from edgezero_spin.stores.databases.connecting import DatabaseHandle
    from edgezero_spin.stores.databases.decoding import DECODERS
    from edgezero_spin.stores.databases.errors import (
        DatabaseError,
        DatabaseOpenError,
        ManyRowsError,
        NoRowError,
        QueryError,
        RowError,
    )
    from edgezero_spin.stores.databases.mysql import MySql
    from edgezero_spin.stores.databases.postgres import Postgres
    from edgezero_spin.stores.databases.postgres_types import Interval, Range
    from edgezero_spin.stores.databases.redis import Redis
    from edgezero_spin.stores.databases.sql import SqlDatabase
    from edgezero_spin.stores.databases.sqlite import Sqlite

__all__ = [
    "DECODERS",
    "DatabaseError",
    "DatabaseFailure",
    "DatabaseHandle",
    "DatabaseOpenError",
    "DatabasePlatform",
    "Interval",
    "ManyRowsError",
    "MySql",
    "NoRowError",
    "Parameter",
    "Postgres",
    "QueryError",
    "Range",
    "Redis",
    "RedisBackend",
    "RowError",
    "ServerMessage",
    "SqlBackend",
    "SqlDatabase",
    "SqlRows",
    "Sqlite",
]

_MODULES = {
    "DatabaseFailure": "backend",
    "DatabasePlatform": "backend",
    "Parameter": "backend",
    "RedisBackend": "backend",
    "ServerMessage": "backend",
    "SqlBackend": "backend",
    "SqlRows": "backend",
    "DatabaseHandle": "connecting",
    "DECODERS": "decoding",
    "DatabaseError": "errors",
    "DatabaseOpenError": "errors",
    "ManyRowsError": "errors",
    "NoRowError": "errors",
    "QueryError": "errors",
    "RowError": "errors",
    "MySql": "mysql",
    "Postgres": "postgres",
    "Interval": "postgres_types",
    "Range": "postgres_types",
    "Redis": "redis",
    "SqlDatabase": "sql",
    "Sqlite": "sqlite",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
