"""``config push``: write an app's configuration to the store that its component reads.

Everything is checked before anything is written, and only keys are ever shown. A push adds
and overwrites; what the store holds beyond the configuration stays. Each value is an entry; with
a model all of it is one entry more, which ``AppConfig[T]`` and EdgeZero read.

Source: contract edgezero.md, PSH-1 to PSH-22, CLI-7 and BLB-1 to BLB-8.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.environment import has_control
from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest import AppManifest, Problem
from edgezero_spin.manifest.app_config import (
    ConfigEntry,
    envelope_text,
    hash_of,
    is_envelope,
    secret_fields,
)
from edgezero_spin.project.commands import check_adapter, check_built_in
from edgezero_spin.project.config_changes import ConfigPushError, ConfigTarget, all_of, shown_key
from edgezero_spin.project.config_checks import ConfigProblemsError, Finding
from edgezero_spin.project.config_cloud import CloudTarget
from edgezero_spin.project.config_inspect import ConfigInspection, ConfigRequest, inspect_config
from edgezero_spin.project.config_sqlite import SqliteTarget
from edgezero_spin.project.config_targets import choose_target
from edgezero_spin.project.discovery import SpinProject, discover_component
from edgezero_spin.project.spin_version import spin_warning

__all__ = ["PushOutcome", "PushPlan", "PushRequest", "plan_push", "push_config"]

NOTHING = "no config entries to push"


@attrs.frozen(kw_only=True)
class PushRequest(ConfigRequest):
    """What to push, and where to.

    Attributes:
        adapter: The adapter to act for.
        store: Logical id of the config store; ``None`` is the default one.
        key: The entry for the whole configuration; ``None`` is what
            ``EDGEZERO__STORES__CONFIG__<ID>__KEY`` says, or else the id of the store.
        local: Write to the SQLite file of a local Spin, wherever the app is deployed.
        dry_run: Only say what would be written.
        runtime_config: The runtime configuration; ``None`` is the one beside ``spin.toml``.
    """

    adapter: str = "spin"
    store: str | None = None
    key: str | None = None
    local: bool = False
    dry_run: bool = False
    runtime_config: Path | None = None


@attrs.frozen(kw_only=True)
class PushPlan:
    """What a push writes, checked.

    Attributes:
        store_id: Logical id of the store.
        label: Its label on the platform.
        entries: The entries of single keys.
        key: The key of the whole configuration.
        whole: The entry of the whole configuration; ``None`` without a model.
        data: The same as a tree.
        secrets: Names of fields that hold the names of secrets.
        target: Where to; ``None`` when there is nothing to write.
        warnings: What a person should know.
    """

    store_id: str
    label: str
    entries: tuple[ConfigEntry, ...]
    key: str
    whole: ConfigEntry | None = None
    data: Mapping[str, Any] | None = None
    secrets: tuple[str, ...] = ()
    target: ConfigTarget | None
    warnings: tuple[str, ...] = ()


@attrs.frozen
class PushOutcome:
    """What a push did, or would do.

    Attributes:
        lines: For people.
        warnings: What they should know.
    """

    lines: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def push_config(
    request: PushRequest, approve: Callable[[PushPlan], bool] | None = None
) -> PushOutcome:
    """Push a configuration, or say what a push would do.

    With a model the configuration is decoded and validated first. Its entries leave out secret
    fields; the entry of all of it has the names of secrets, never a secret. Without a model every
    value of the file is pushed, in entries of single keys only.

    Args:
        approve: Asked before anything is written; ``False`` ends the push.

    Raises:
        ConfigProblemsError: The project is not in order; it names everything.
        ConfigPushError: There is no store to push to, or writing failed.
        ManifestError: The runtime configuration cannot be used.
    """
    plan = plan_push(request)
    if plan.target is None:
        return PushOutcome((NOTHING,), plan.warnings)
    if request.dry_run:
        local = " --local" if request.local else ""
        head = (
            f"[edgezero] config push --dry-run{local} for `spin` -> store `{plan.store_id}` "
            f"(platform name `{plan.label}`):"
        )
        lines = plan.target.preview(plan.store_id, plan.entries, plan.whole)
        return PushOutcome((head, *lines), plan.warnings)
    if approve is not None and not approve(plan):
        raise ConfigPushError("nothing was pushed: the changes were not approved")
    warnings = list(plan.warnings)
    if isinstance(plan.target, SqliteTarget) and (warning := spin_warning()) is not None:
        warnings.append(warning)
    lines = [plan.target.write(plan.entries, plan.whole)]
    if plan.whole is None:
        warnings += _left_warnings(plan.target, plan.key)
    if plan.whole is not None:
        shown = hash_of(plan.data)[:8]
        lines.append(
            f"pushed the whole configuration in the entry `{shown_key(plan.key)}` (sha256 {shown})"
        )
    return PushOutcome(tuple(lines), tuple(warnings))


def plan_push(request: PushRequest, *, head: str = "config push") -> PushPlan:
    """Check everything and decide where entries go. Nothing is written.

    Args:
        head: The command that asks, for its error.

    Raises:
        ConfigProblemsError: The project is not in order; it names everything.
        ConfigPushError: There is no store to push to, or it cannot take an entry.
        ManifestError: The runtime configuration cannot be used.
    """
    found = inspect_config(request, strict=True)
    manifest = found.manifest
    if manifest is None:
        raise ConfigProblemsError(head, found.findings)
    store_id, refused = _choose_store(manifest, request.store)
    findings = (*_adapter_findings(manifest, request.adapter), *refused, *found.findings)
    if findings:
        raise ConfigProblemsError(head, findings)
    label = request.environment.store_name("config", store_id)
    key = request.environment.store_key("config", store_id) if request.key is None else request.key
    whole = None
    if found.data:
        refused_key = _key_findings(key, found)
        if refused_key:
            raise ConfigProblemsError(head, refused_key)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        whole = ConfigEntry(key, envelope_text(found.data, now, len(found.entries)))
    if not found.entries and whole is None:
        return PushPlan(
            store_id=store_id,
            label=label,
            entries=(),
            key=key,
            target=None,
            warnings=found.warnings,
        )
    spin = discover_component(manifest)
    chosen = choose_target(
        manifest, spin, label, local=request.local, runtime_config=request.runtime_config
    )
    chosen.target.check((*found.entries, *all_of(whole)))
    secrets = () if found.model is None else secret_fields(found.model)
    return PushPlan(
        store_id=store_id,
        label=label,
        entries=found.entries,
        key=key,
        whole=whole,
        data=found.data,
        secrets=tuple(step for field in secrets for step in field.path),
        target=chosen.target,
        warnings=(*found.warnings, *chosen.warnings, *_access_warnings(spin, label)),
    )


def _key_findings(key: str, found: ConfigInspection) -> list[Finding]:
    """Find a key that no entry can have, or that is the key of a single value."""
    if not key or key.isspace() or has_control(key):
        reason = "the key of the whole configuration is blank or holds a control character"
    elif key in [entry.key for entry in found.entries]:
        reason = f"the whole configuration and a value of it would have one key, `{key}`"
    else:
        return []
    remedy = "Give it another key with --key, and the app EDGEZERO__STORES__CONFIG__<ID>__KEY."
    path = found.app_config
    return (
        [] if path is None else [Finding("entries", path, str(path), Problem("", reason, remedy))]
    )


def _left_warnings(target: ConfigTarget, key: str) -> list[str]:
    """Tell of an entry of all of the configuration that a push without a model leaves behind."""
    if isinstance(target, CloudTarget):
        return []
    left = target.stored((key,)).get(key, b"").decode(errors="replace")
    if not is_envelope(left):
        return []
    return [
        f"the entry `{shown_key(key)}` has the whole configuration of an earlier push, which "
        "AppConfig[...] and EdgeZero read; push with the model, so that both are the same"
    ]


def _access_warnings(spin: SpinProject, label: str) -> list[str]:
    if label in spin.labels:
        return []
    return [
        f"component `{spin.component_id}` in {spin.path} may not open the label `{label}` yet; "
        "run `edgezero provision`"
    ]


def _adapter_findings(manifest: AppManifest, adapter: str) -> list[Finding]:
    try:
        check_built_in(check_adapter(manifest, adapter))
    except ProjectError as error:
        remedy = "Push for `spin`: [adapters.spin.adapter] has the path of spin.toml."
        return [Finding("adapter", manifest.path, "", Problem("", str(error), remedy))]
    return []


def _choose_store(manifest: AppManifest, wanted: str | None) -> tuple[str, list[Finding]]:
    declared = manifest.stores.config
    if declared is None:
        reason = "the app has no config store: [stores.config] is not declared"
        remedy = 'Declare it: [stores.config] with ids = ["app_config"].'
    elif wanted is None or wanted in declared.ids:
        return wanted or declared.default, []
    else:
        reason = f"store `{wanted}` is not in [stores.config].ids ({', '.join(declared.ids)})"
        remedy = "Name a declared store with --store, or declare this one."
    problem = Problem("", reason, remedy)
    return "", [Finding("store", manifest.path, str(manifest.path), problem)]
