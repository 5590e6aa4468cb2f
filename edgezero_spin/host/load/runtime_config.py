"""State of an application: its folders and stores.

In: what ``runtime-config.toml`` says, and what the command line says over it. Out:
``RuntimeSettings``, with every path absolute and every store of a kind that this host has.
No file is opened.

Source: contract spin-host.md, STATE-1 to STATE-5, OUT-2, OUT-3.
"""

from collections.abc import Mapping
from pathlib import Path

import attrs

from edgezero_spin.host.factors.key_value.config import KeyValueSettings, configured_stores
from edgezero_spin.manifest.runtime_config import RuntimeConfig

__all__ = ["RuntimeSettings", "resolve_runtime"]


@attrs.frozen(kw_only=True)
class RuntimeSettings:
    """What an application runs with.

    Attributes:
        state_dir: Where it keeps state; ``None`` for none.
        log_dir: Where its components log; ``None`` for none.
        max_instance_memory: Bytes of memory that one instance may use; ``None`` for the
            engine's own limit.
        key_value: Stores by label; ``default`` is always there.
        summary: ``Using runtime config ...``, empty when there is nothing to say.
        warnings: Remarks for people.
    """

    state_dir: Path | None = None
    log_dir: Path | None = None
    max_instance_memory: int | None = None
    key_value: Mapping[str, KeyValueSettings] = attrs.field(factory=dict)
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
            bare component, which keep no state unless they are given a folder.
        state_dir: ``--state-dir``; empty for none, ``None`` when not given.
        log_dir: ``--log-dir``; empty for none, ``None`` when not given.

    Raises:
        RuntimeConfigError: A store is of a kind that this host does not have.
    """
    given = config or RuntimeConfig(path=Path())
    state = _folder(state_dir, given.state_dir, None if app_dir is None else app_dir / ".spin")
    logs = _folder(log_dir, given.log_dir, None if state is None else state / "logs")
    return RuntimeSettings(
        state_dir=state,
        log_dir=logs,
        max_instance_memory=given.max_instance_memory,
        key_value=configured_stores(config, state),
        summary=_summary(given),
        warnings=given.warnings,
    )


def _folder(given: str | Path | None, configured: str | None, usual: Path | None) -> Path | None:
    chosen = configured if given is None else given
    if chosen is None:
        return None if usual is None else usual.absolute()
    return Path(chosen).absolute() if str(chosen) else None


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
