"""``config push``: write an app's configuration to the store that its component reads.

Everything is checked before anything is written, and only keys are ever shown. A push adds
and overwrites; what the store holds beyond the configuration stays.

Source: contract edgezero.md, PSH-1 to PSH-22 and CLI-7.
"""

from pathlib import Path

import attrs

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest import AppManifest, Problem
from edgezero_spin.manifest.app_config import ConfigEntry
from edgezero_spin.project.commands import check_adapter, check_built_in
from edgezero_spin.project.config_changes import ConfigTarget
from edgezero_spin.project.config_checks import ConfigProblemsError, Finding
from edgezero_spin.project.config_inspect import ConfigRequest, inspect_config
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
        local: Write to the SQLite file of a local Spin, wherever the app is deployed.
        dry_run: Only say what would be written.
        runtime_config: The runtime configuration; ``None`` is the one beside ``spin.toml``.
    """

    adapter: str = "spin"
    store: str | None = None
    local: bool = False
    dry_run: bool = False
    runtime_config: Path | None = None


@attrs.frozen(kw_only=True)
class PushPlan:
    """What a push writes, checked.

    Attributes:
        store_id: Logical id of the store.
        label: Its label on the platform.
        entries: What is written.
        target: Where to; ``None`` when there is nothing to write.
        warnings: What a person should know.
    """

    store_id: str
    label: str
    entries: tuple[ConfigEntry, ...]
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


def push_config(request: PushRequest) -> PushOutcome:
    """Push a configuration, or say what a push would do.

    With a model in the request the configuration is decoded, validated and stripped of its
    secret fields first; without one every value of the file is pushed.

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
        lines = plan.target.preview(plan.store_id, plan.entries)
        return PushOutcome((head, *lines), plan.warnings)
    warnings = list(plan.warnings)
    if isinstance(plan.target, SqliteTarget) and (warning := spin_warning()) is not None:
        warnings.append(warning)
    return PushOutcome((plan.target.write(plan.entries),), tuple(warnings))


def plan_push(request: PushRequest, *, head: str = "config push") -> PushPlan:
    """Check everything and decide where entries go. Nothing is written.

    Args:
        request: What to push.
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
    if not found.entries:
        return PushPlan(
            store_id=store_id, label=label, entries=(), target=None, warnings=found.warnings
        )
    spin = discover_component(manifest)
    chosen = choose_target(
        manifest,
        spin,
        label,
        local=request.local,
        runtime_config=request.runtime_config,
    )
    chosen.target.check(found.entries)
    return PushPlan(
        store_id=store_id,
        label=label,
        entries=found.entries,
        target=chosen.target,
        warnings=(*found.warnings, *chosen.warnings, *_access_warnings(spin, label)),
    )


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
