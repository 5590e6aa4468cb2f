"""Decide where an application keeps its state: folders and stores.

In: what ``runtime-config.toml`` says, and what the command line says over it. Out:
``RuntimeSettings``, with every path absolute and every store of a kind that this host has.
No file is opened.

Source: contract spin-host.md, KV-40 to KV-53, STATE-1 to STATE-5, OUT-2, OUT-3.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.errors import HostError
from edgezero_spin.host.factors.key_value.cloud import (
    CloudStore,
    cloud_fault,
    cloud_store,
)
from edgezero_spin.host.factors.redis.client import RedisAddress, parse_redis_address
from edgezero_spin.manifest.runtime_config import SPIN_ONLY_TABLES, RuntimeConfig, TypedTable

__all__ = [
    "KeyValueSettings",
    "RuntimeConfigError",
    "RuntimeSettings",
    "read_key_values",
    "resolve_runtime",
]

_KEY_VALUE_FILE = "sqlite_key_value.db"
_CLOUD_STORES = ("azure_cosmos", "aws_dynamo")


class RuntimeConfigError(HostError):
    """The runtime configuration asks for what this host cannot give.

    Attributes:
        path: The file; ``None`` when the command line is meant.
        problems: One sentence for each fault, with the key.
    """

    def __init__(self, path: Path | None, problems: Iterable[str]) -> None:
        self.path = path
        self.problems = tuple(problems)
        super().__init__(path, self.problems)

    def __str__(self) -> str:
        where = "" if self.path is None else f"{self.path}: "
        return "\n".join(where + problem for problem in self.problems)


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


@attrs.frozen(kw_only=True)
class RuntimeSettings:
    """What an application runs with.

    Attributes:
        state_dir: Where it keeps state; ``None`` for nowhere.
        log_dir: Where its components log; ``None`` for nowhere.
        max_instance_memory: Bytes of memory that one instance may use; ``None`` for the
            engine's own limit.
        key_value: Stores by label; ``default`` is always there.
        config: The file, if there was one.
        summary: ``Using runtime config ...``, empty when there is nothing to say.
        warnings: Remarks for people.
    """

    state_dir: Path | None = None
    log_dir: Path | None = None
    max_instance_memory: int | None = None
    key_value: Mapping[str, KeyValueSettings] = attrs.field(factory=dict)
    config: RuntimeConfig | None = None
    summary: str = ""
    warnings: tuple[str, ...] = ()


def resolve_runtime(
    config: RuntimeConfig | None = None,
    *,
    app_dir: Path | None = None,
    state_dir: str | Path | None = None,
    log_dir: str | Path | None = None,
) -> RuntimeSettings:
    """Bring the file and the command line together.

    Args:
        config: The file, if there is one.
        app_dir: The folder of ``spin.toml``; ``None`` for a registry's application or a
            bare component, which keep no state unless told where.
        state_dir: ``--state-dir``; empty for nowhere, ``None`` when not given.
        log_dir: ``--log-dir``; empty for nowhere, ``None`` when not given.

    Raises:
        RuntimeConfigError: A store is of a kind that this host does not have.
    """
    state = _folder(
        state_dir,
        None if config is None else config.state_dir,
        None if app_dir is None else app_dir / ".spin",
    )
    logs = _folder(
        log_dir,
        None if config is None else config.log_dir,
        None if state is None else state / "logs",
    )
    return RuntimeSettings(
        state_dir=state,
        log_dir=logs,
        max_instance_memory=None if config is None else config.max_instance_memory,
        key_value=_stores(config, state),
        config=config,
        summary="" if config is None else _summary(config),
        warnings=() if config is None else (*config.warnings, *_without_effect(config)),
    )


def read_key_values(options: Iterable[str]) -> dict[str, str]:
    """Return what ``--key-value`` is given; the last of one key counts (KV-45).

    Raises:
        RuntimeConfigError: An option is not ``key=value``.
    """
    values = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals or not key:
            raise RuntimeConfigError(
                None, [f"Key/Values must be of the form `key=value`, got `{option}`"]
            )
        values[key] = value
    return values


def _folder(given: str | Path | None, configured: str | None, usual: Path | None) -> Path | None:
    chosen = configured if given is None else given
    if chosen is None:
        return None if usual is None else usual.absolute()
    return Path(chosen).absolute() if str(chosen) else None


def _stores(config: RuntimeConfig | None, state_dir: Path | None) -> dict[str, KeyValueSettings]:
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


# What the summary tells of, in its order (OUT-3).
_LIMITS = (
    ("outbound_networking", "max_total_connections", ""),
    ("outbound_redis", "max_connections", ""),
    ("outbound_pg", "max_connections", ""),
    ("outbound_mysql", "max_connections", ""),
    ("outbound_mqtt", "max_connections", ""),
    ("outbound_http", "max_connections", ""),
    ("outbound_http", "max_concurrent_requests", " (deprecated, use max_connections)"),
)


def _member(table: object, key: str) -> object:
    return table.get(key) if isinstance(table, dict) else None


def _without_effect(config: RuntimeConfig) -> list[str]:
    """Name the tables that change nothing here."""
    return [
        f"{config.path}: [{name}] does nothing: the embedded host has no such capability, "
        "`spin up` has it"
        for name in SPIN_ONLY_TABLES
        if name in config.others
    ]


def _summary(config: RuntimeConfig) -> str:
    tables = [
        f"[{key}.{label}: {table.type}]"
        for key, stores in (
            ("key_value_store", config.key_value_stores),
            ("sqlite_database", config.sqlite_databases),
        )
        for label, table in stores.items()
        if table.type
    ]
    tables += [
        f"[{table}: {key}={limit}{remark}]"
        for table, key, remark in _LIMITS
        if isinstance(limit := _member(config.others.get(table), key), int)
    ]
    return f'Using runtime config {", ".join(tables)} from "{config.path}"' if tables else ""
