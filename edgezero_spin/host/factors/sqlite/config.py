"""SQLite databases of an application, as ``runtime-config.toml`` places them.

In: the tables ``[sqlite_database.<label>]`` and the state directory. Out: a ``Database`` for
each label, ``default`` always among them. No file is opened.

Source: contract spin-host.md, DB-1 and DB-2.
"""

from pathlib import Path

from edgezero_spin.host.errors import RuntimeConfigError
from edgezero_spin.host.factors.sqlite.factor import DEFAULT_LABEL, Database
from edgezero_spin.manifest.runtime_config import RuntimeConfig, TypedTable

__all__ = ["configured_databases"]

_DEFAULT_FILE = "sqlite_db.db"


def configured_databases(
    config: RuntimeConfig | None, state_dir: Path | None, *, durable: bool = True
) -> dict[str, Database]:
    """Return the databases by label.

    Args:
        state_dir: Where the label ``default`` keeps its file; ``None`` for in memory.
        durable: What was committed survives a power cut.

    Raises:
        RuntimeConfigError: A table asks for what this host does not have; every fault is
            named.
    """
    path = None if state_dir is None else state_dir / _DEFAULT_FILE
    databases = {DEFAULT_LABEL: Database(label=DEFAULT_LABEL, path=path, durable=durable)}
    if config is None:
        return databases
    problems = []
    for label, table in config.sqlite_databases.items():
        fault = _fault(table)
        if fault is None:
            databases[label] = _database(label, table, durable)
        else:
            problems.append(f"{table.key}: {fault}")
    if problems:
        raise RuntimeConfigError(config.path, problems)
    return databases


def _fault(table: TypedTable) -> str | None:
    settings = table.settings
    if table.type == "libsql":
        url = settings.get("url")
        if not isinstance(url, str) or not url.startswith(("http://", "https://")):
            return (
                f"unexpected libSQL URL '{url}' in runtime config file: it has to start with "
                "'https://' or 'http://'"
            )
        return "this host does not provide databases of type 'libsql'; `spin up` does"
    if table.type != "spin":
        return f'Unknown database kind: {table.type}. Use `type = "spin"` and a `path`.'
    unknown = sorted(set(settings) - {"path", "allow_attach_file"})
    if unknown:
        return f"unknown field(s): {', '.join(unknown)}. Known here: type, path, allow_attach_file."
    if not isinstance(settings.get("path", ""), str):
        return "`path` must be a string"
    if not isinstance(settings.get("allow_attach_file", False), bool):
        return "`allow_attach_file` must be true or false"
    return None


def _database(label: str, table: TypedTable, durable: bool) -> Database:
    path = table.settings.get("path")
    return Database(
        label=label,
        # Below the working directory, unlike the files of key-value stores.
        path=None if path is None else Path(path).absolute(),
        allow_attach_file=table.settings.get("allow_attach_file", False),
        durable=durable,
    )
