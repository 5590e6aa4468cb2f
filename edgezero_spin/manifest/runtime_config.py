"""``runtime-config.toml``: where an application's stores are and who gives it values.

In: a path. Out: a ``RuntimeConfig`` with what the file says. Which types of stores and
providers exist is for the host to know: here a type is a text, and its settings stay
together with it.

Source: contract spin-host.md, STATE-4, KV-50, VAR-20 to VAR-26; edgezero.md, RTC-1 to RTC-4.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.manifest.errors import Problems
from edgezero_spin.manifest.table_reader import TableReader
from edgezero_spin.manifest.toml_file import parse_toml, read_text

__all__ = [
    "RUNTIME_CONFIG",
    "RuntimeConfig",
    "TypedTable",
    "find_runtime_config",
    "load_runtime_config",
]

RUNTIME_CONFIG = "runtime-config.toml"
"""Name of the file beside a manifest."""

_TABLES_FOR_LATER = (
    "outbound_http",
    "outbound_networking",
    "outbound_redis",
    "outbound_pg",
    "outbound_mysql",
    "outbound_mqtt",
    "client_tls",
    "llm_compute",
)


@attrs.frozen
class TypedTable:
    """A table that says of what type it is.

    Attributes:
        type: The type; empty when the table does not say.
        settings: Everything else in it.
        key: Its place in the file, for messages.
    """

    type: str
    settings: Mapping[str, Any]
    key: str


@attrs.frozen(kw_only=True)
class RuntimeConfig:
    """One ``runtime-config.toml``.

    Attributes:
        path: The file, absolute.
        state_dir: ``state_dir``; an empty text means none, ``None`` that it does not say.
        log_dir: ``log_dir``, likewise.
        max_instance_memory: Bytes of memory that one instance may use.
        variables_providers: In the order of the file.
        key_value_stores: By label.
        sqlite_databases: By label.
        others: Tables that are known but not read here, by key.
        warnings: Remarks for people, such as on keys that nothing reads.
    """

    path: Path
    state_dir: str | None = None
    log_dir: str | None = None
    max_instance_memory: int | None = None
    variables_providers: tuple[TypedTable, ...] = ()
    key_value_stores: Mapping[str, TypedTable] = attrs.field(factory=dict)
    sqlite_databases: Mapping[str, TypedTable] = attrs.field(factory=dict)
    others: Mapping[str, Any] = attrs.field(factory=dict)
    warnings: tuple[str, ...] = ()


def find_runtime_config(folder: Path) -> Path | None:
    """Return the file in the folder of a manifest, if there is one."""
    path = folder / RUNTIME_CONFIG
    return path if path.is_file() else None


def load_runtime_config(path: str | Path) -> RuntimeConfig:
    """Read a runtime configuration.

    Raises:
        ManifestUnreadableError: The file is missing, or is not readable UTF-8 text.
        InvalidManifestError: It is not TOML, or a value has the wrong type.
    """
    path = Path(path)
    text = read_text(path, heading="failed to read runtime-config at")
    heading = "failed to parse runtime-config at"
    problems = Problems(path, heading)
    root = TableReader(parse_toml(text, path, heading=heading), "", problems)
    providers = [
        _typed(table)
        for name in ("variables_provider", "config_provider")
        for table in root.tables(name)
    ]
    config = RuntimeConfig(
        path=path.absolute(),
        state_dir=root.optional_text("state_dir"),
        log_dir=root.optional_text("log_dir"),
        max_instance_memory=root.optional_integer("max_instance_memory", 0, 2**63 - 1),
        variables_providers=tuple(providers),
        key_value_stores=_by_label(root, "key_value_store"),
        sqlite_databases=_by_label(root, "sqlite_database"),
        others={name: root.value(name) for name in _TABLES_FOR_LATER if name in root},
    )
    problems.raise_any()
    unused = sorted(root.rest())
    if not unused:
        return config
    warning = f"unused runtime config key(s): {', '.join(unused)}"
    return attrs.evolve(config, warnings=(f"{path}: {warning}",))


def _by_label(root: TableReader, name: str) -> dict[str, TypedTable]:
    return {label: _typed(table) for label, table in root.named_tables(name).items()}


def _typed(table: TableReader) -> TypedTable:
    type = table.text("type")
    return TypedTable(type, table.rest(), table.key)
