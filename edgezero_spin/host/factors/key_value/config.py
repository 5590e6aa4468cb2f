"""Key-value stores of an application, as ``runtime-config.toml`` places them.

In: the tables ``[key_value_store.<label>]``, the state directory, and the entries of the command
line. Out: a ``KeyValueSettings`` for each label, ``default`` always among them. No file is
opened.

Source: contract spin-host.md, KV-40 to KV-53.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.host.errors import RuntimeConfigError
from edgezero_spin.host.factors.key_value.cloud import CloudStore, cloud_fault, cloud_store
from edgezero_spin.host.factors.redis.address import RedisAddress, parse_redis_address
from edgezero_spin.manifest.runtime_config import RuntimeConfig, TypedTable

__all__ = ["KeyValueSettings", "configured_stores"]

_KEY_VALUE_FILE = "sqlite_key_value.db"
_CLOUD_STORES = ("azure_cosmos", "aws_dynamo")


@attrs.frozen(kw_only=True)
class KeyValueSettings:
    """Where one key-value store lives.

    Attributes:
        label: The label that components open it by.
        type: ``spin``, ``redis``, ``azure_cosmos`` or ``aws_dynamo``.
        path: The SQLite file; ``None`` keeps the store in memory.
        server: The Redis server of the type ``redis``.
        cloud: The container or table of one of the last two types.
    """

    label: str
    type: str = "spin"
    path: Path | None = None
    server: RedisAddress | None = None
    cloud: CloudStore | None = None

    @property
    def place(self) -> Path | RedisAddress | CloudStore | None:
        """Where the entries are; ``None`` for in memory."""
        return self.server or self.cloud or self.path


def configured_stores(
    config: RuntimeConfig | None, state_dir: Path | None
) -> dict[str, KeyValueSettings]:
    """Return the stores by label; ``default`` is always there.

    Args:
        state_dir: Where ``default`` keeps its file; ``None`` for in memory.

    Raises:
        RuntimeConfigError: A store is of a kind that this host does not have.
    """
    path = None if state_dir is None else state_dir / _KEY_VALUE_FILE
    stores = {"default": KeyValueSettings(label="default", path=path)}
    if config is None:
        return stores
    problems: list[str] = []
    for label, table in config.key_value_stores.items():
        fault = _store_fault(table)
        if fault is None:
            stores[label] = _store(label, table, config.path.parent)
        else:
            problems.append(
                f"{table.key}: could not configure key-value store with label '{label}': {fault}"
            )
    if problems:
        raise RuntimeConfigError(config.path, problems)
    return stores


_FILE = '`type = "spin"` and `path = ".spin/NAME.db"`'


def _store_fault(table: TypedTable) -> str | None:
    if table.type == "spin":
        path = table.settings.get("path")
        unknown = sorted(set(table.settings) - {"path"})
        if unknown:
            return f"unknown field(s): {', '.join(unknown)}. Known here: type, path."
        return None if path is None or isinstance(path, str) else "`path` must be a string"
    if table.type == "redis":
        return _redis_fault(table.settings)
    if table.type in _CLOUD_STORES:
        return cloud_fault(table.type, table.settings)
    if not table.type:
        return f"missing field `type`. Add {_FILE}."
    return (
        f"the store type '{table.type}' was not registered with the config resolver. Use {_FILE}."
    )


def _redis_fault(settings: Mapping[str, Any]) -> str | None:
    url = settings.get("url")
    if not isinstance(url, str) or set(settings) != {"url"}:
        return "a store of type 'redis' has one field besides `type`: `url`, a string"
    try:
        parse_redis_address(url)
    except ValueError as error:
        return f"Invalid Redis URL: {error}"
    return None


def _store(label: str, table: TypedTable, base: Path) -> KeyValueSettings:
    if table.type == "redis":
        server = parse_redis_address(table.settings["url"])
        return KeyValueSettings(label=label, type="redis", server=server)
    if table.type in _CLOUD_STORES:
        cloud = cloud_store(table.type, table.settings)
        return KeyValueSettings(label=label, type=table.type, cloud=cloud)
    path: Any = table.settings.get("path")
    return KeyValueSettings(label=label, path=None if path is None else base / path)
