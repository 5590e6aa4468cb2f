"""Runs Python that a test sends, with every interface of the world by name."""

from typing import Any

from componentize_py_types import Err
from wit_world.imports import (
    atomics,
    batch,
    config,
    fermyon_spin_llm_2_0_0,
    fermyon_spin_mysql_2_0_0,
    fermyon_spin_postgres,
    fermyon_spin_postgres_2_0_0,
    fermyon_spin_redis_2_0_0,
    fermyon_spin_sqlite,
    fermyon_spin_sqlite_2_0_0,
    key_value,
    llm,
    mqtt,
    mysql,
    redis,
    spin_postgres_postgres,
    spin_sqlite_sqlite,
    wasi_config_store,
    wasi_keyvalue_store,
)

NAMES = {
    "atomics": atomics,
    "batch": batch,
    "buckets": wasi_keyvalue_store,
    "config1": config,
    "config_store": wasi_config_store,
    "key_value1": key_value,
    "llm1": llm,
    "llm2": fermyon_spin_llm_2_0_0,
    "mqtt": mqtt,
    "mysql1": mysql,
    "mysql2": fermyon_spin_mysql_2_0_0,
    "postgres1": fermyon_spin_postgres,
    "postgres2": fermyon_spin_postgres_2_0_0,
    "postgres4": spin_postgres_postgres,
    "redis1": redis,
    "redis2": fermyon_spin_redis_2_0_0,
    "sqlite1": fermyon_spin_sqlite,
    "sqlite2": fermyon_spin_sqlite_2_0_0,
    "sqlite3": spin_sqlite_sqlite,
}


def caught(function: Any, *arguments: Any) -> str:
    """The error that a call answers with, as text."""
    try:
        return f"no error: {function(*arguments)!r}"
    except Err as error:
        return repr(error.value)


class WitWorld:
    """The world ``everything``."""

    def run(self, code: str) -> str:
        """Run the code and return what it leaves in ``answer``."""
        names: dict[str, Any] = {**NAMES, "caught": caught}
        exec(code, names)
        return str(names["answer"])
