"""Decide which store a push writes to.

In: the project, the label, and what was asked for. Out: a target, or the reason why there is
none. The first rule that applies decides: ``--local``, a deploy command of Fermyon Cloud,
the table of the label in ``runtime-config.toml``, the label ``default``.

Source: contract edgezero.md, PSH-10 to PSH-18, RTC-1 to RTC-4, SQL-1, SQL-2, CLD-2.
"""

from collections.abc import Mapping
from pathlib import Path

import attrs

from edgezero_spin.manifest import AppManifest, ManifestUnreadableError
from edgezero_spin.manifest.runtime_config import (
    RUNTIME_CONFIG,
    RuntimeConfig,
    TypedTable,
    load_runtime_config,
)
from edgezero_spin.project.config_changes import ConfigPushError, ConfigTarget
from edgezero_spin.project.config_cloud import CloudTarget
from edgezero_spin.project.config_redis import RedisTarget
from edgezero_spin.project.config_sqlite import SqliteTarget
from edgezero_spin.project.discovery import SpinProject

__all__ = ["ChosenTarget", "choose_target", "deploys_to_cloud"]

DEFAULT_LABEL = "default"
_CLOUD_COMMANDS = ("spin deploy", "spin cloud deploy")
_DEFAULT_FILE = Path(".spin", "sqlite_key_value.db")
_NATIVE = {
    "azure_cosmos": "`az cosmosdb` and the Data Explorer of the portal",
    "aws_dynamo": "`aws dynamodb put-item`",
}


@attrs.frozen
class ChosenTarget:
    """A store, and what a person should know about the choice.

    Attributes:
        target: The store.
        warnings: Reasons why Spin may not read what is written there.
    """

    target: ConfigTarget
    warnings: tuple[str, ...] = ()


def deploys_to_cloud(manifest: AppManifest) -> bool:
    """Whether the project's deploy command is one of Fermyon Cloud."""
    adapter = manifest.adapter("spin")
    deploy = None if adapter is None else adapter.commands.deploy
    return deploy is not None and any(command in deploy for command in _CLOUD_COMMANDS)


def choose_target(
    manifest: AppManifest,
    spin: SpinProject,
    label: str,
    *,
    local: bool = False,
    runtime_config: Path | None = None,
) -> ChosenTarget:
    """Return the store behind a label.

    Args:
        local: Whether the SQLite file of a local Spin is meant in any case.
        runtime_config: The runtime configuration; ``None`` is the one beside ``spin.toml``.

    Raises:
        ConfigPushError: There is no store to push to.
        ManifestError: The runtime configuration cannot be used.
    """
    if not local and deploys_to_cloud(manifest):
        return ChosenTarget(_cloud(spin, label))
    path = runtime_config or spin.root / RUNTIME_CONFIG
    runtime = _load(path)
    stanza = None if runtime is None else runtime.key_value_stores.get(label)
    if stanza is None:
        if label != DEFAULT_LABEL:
            raise ConfigPushError(_unknown_label(path, label))
        return _sqlite(spin, label, path, runtime, {})
    if local or stanza.type == "spin":
        settings = stanza.settings if stanza.type == "spin" else {}
        return _sqlite(spin, label, path, runtime, settings, stanza)
    if stanza.type == "redis":
        url = stanza.settings.get("url")
        return ChosenTarget(RedisTarget(url if isinstance(url, str) else "", label))
    raise ConfigPushError(_other_type(path, label, stanza.type))


def _load(path: Path) -> RuntimeConfig | None:
    try:
        return load_runtime_config(path)
    except ManifestUnreadableError as error:
        if error.missing:
            return None
        raise


def _cloud(spin: SpinProject, label: str) -> CloudTarget:
    if spin.application is None:
        raise ConfigPushError(
            f"{spin.path} has no [application].name, which names the app in Fermyon Cloud"
        )
    return CloudTarget(spin.application, label)


def _sqlite(
    spin: SpinProject,
    label: str,
    runtime_path: Path,
    runtime: RuntimeConfig | None,
    settings: Mapping[str, object],
    stanza: TypedTable | None = None,
) -> ChosenTarget:
    given = settings.get("path")
    if isinstance(given, str):
        return ChosenTarget(SqliteTarget(runtime_path.parent / given, label))
    path = spin.root / _DEFAULT_FILE
    warnings = []
    if stanza is not None and stanza.type == "spin":
        warnings.append(
            f"[{stanza.key}] in {runtime_path} has no `path`, so Spin keeps that store in memory "
            f"and will not see what is written to {path}; give it a path"
        )
    elif stanza is None and runtime is not None and runtime.state_dir is not None:
        warnings.append(
            f"{runtime_path} sets `state_dir`, so Spin's default store is not at {path}; "
            "give [key_value_store.default] a path"
        )
    return ChosenTarget(SqliteTarget(path, label), tuple(warnings))


def _unknown_label(path: Path, label: str) -> str:
    return (
        f"{path} has no [key_value_store.{label}]; Spin would refuse to start with "
        f"`unknown key_value_stores label {label}`. Add:\n"
        f'  [key_value_store.{label}]\n  type = "spin"\n  path = ".spin/{label}.db"'
    )


def _other_type(path: Path, label: str, type: str) -> str:
    native = _NATIVE.get(type, "the tools of that store")
    shown = f"of type `{type}`" if type else "without a type"
    return (
        f"[key_value_store.{label}] in {path} is {shown}, which push cannot write to: "
        f"set the entries with {native}, or push to a local file with --local"
    )
