"""Examine a project: its manifests, what was built, and what it needs to start.

Source: contract edgezero.md, CMP-8, VAL-2 to VAL-8, PRV-3, MAN-9; spin-host.md, KV-41,
KV-42, VAR-20 to VAR-22.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from edgezero_spin.environment import EnvironmentLayer
from edgezero_spin.errors import ManifestError
from edgezero_spin.manifest import AppManifest
from edgezero_spin.manifest.runtime_config import RUNTIME_CONFIG, RuntimeConfig, load_runtime_config
from edgezero_spin.manifest.spin import ManifestComponent, SpinManifest
from edgezero_spin.project.add_store import with_stanzas
from edgezero_spin.project.config_checks import (
    check_capabilities,
    check_component,
    check_handlers,
    check_labels,
    hyphenated_ids,
)
from edgezero_spin.project.config_inspect import ConfigRequest, inspect_config
from edgezero_spin.project.database_grants import missing_grants
from edgezero_spin.project.doctor_report import DoctorFinding, DoctorFix, fine, problem, remark
from edgezero_spin.project.files import replace_file
from edgezero_spin.project.inspection import InspectionError, inspect_component
from edgezero_spin.project.provision import DATA_FILE, missing_tables, provision
from edgezero_spin.project.spin_needed import outdated_spin
from edgezero_spin.project.staleness import stale_source
from edgezero_spin.project.toml_edit import editing, insert_text
from edgezero_spin.project.world import TRIGGER_EXPORTS

__all__ = ["Build", "examine_app", "examine_spin"]

Build = Callable[[Path, Sequence[str]], object]
"""Builds components, by id, of the manifest in a file."""

# Checks of `config validate` that are about <name>.toml; what else it finds is found above.
_OF_CONFIGURATION = frozenset({"app-config", "overlay", "entries", "manifest"})
_DOTENV = re.compile(r"^[ \t]*(?:export[ \t]+)?SPIN_VARIABLE_([A-Z0-9_]+)[ \t]*=", re.MULTILINE)


def examine_app(manifest: AppManifest, environ: Mapping[str, str]) -> Iterator[DoctorFinding]:
    """Yield what is found in ``edgezero.toml`` and between it and ``spin.toml``."""
    findings = [
        *check_capabilities(manifest),
        *check_handlers(manifest),
        *check_component(manifest),
        *check_labels(manifest, EnvironmentLayer.from_mapping(environ)),
    ]
    for found in findings:
        yield problem(
            f"{found.heading}: {found.problem.reason}".removeprefix(": "),
            found.problem.remedy or "Correct the file.",
        )
    if not findings:
        yield fine(f"{manifest.path} is in order")
        if manifest.adapter("spin") is not None:
            yield from _labels(manifest, environ)
    for warning in hyphenated_ids(manifest):
        yield remark(warning, "Rename it here and in the app.")
    yield from _app_config(manifest, environ)
    for secret in manifest.secrets_for("spin"):
        if secret.env not in environ:
            yield remark(
                f"the secret {secret.name} that commands of the project demand is not set",
                f"Set the variable {secret.env} before running them.",
            )


def _app_config(manifest: AppManifest, environ: Mapping[str, str]) -> Iterator[DoctorFinding]:
    """Yield what is found in the app's configuration, where it has one or ought to."""
    there = manifest.name is not None and (manifest.root / f"{manifest.name}.toml").exists()
    if not there and manifest.stores.config is None:
        return
    looked = inspect_config(ConfigRequest(manifest=manifest.path, environ=environ), strict=False)
    wrong = [found for found in looked.findings if found.check in _OF_CONFIGURATION]
    for found in wrong:
        remedy = found.problem.remedy or "Correct the file; `edgezero config validate` checks it."
        yield problem(
            str(attrs.evolve(found, problem=attrs.evolve(found.problem, remedy=""))), remedy
        )
    if not wrong:
        yield fine(f"{looked.app_config} is in order")


def _labels(manifest: AppManifest, environ: Mapping[str, str]) -> Iterator[DoctorFinding]:
    """Yield stores that the app declares and the component may not open."""
    planned = provision(manifest, environ, dry_run=True)
    missing = [store for store in planned.labels if not store.present]
    for store in missing:
        yield problem(
            f"{planned.path}: [component.{planned.component_id}] does not list the label "
            f"`{store.label}` of the {store.kind} store `{store.id}`",
            "Run `edgezero provision`.",
            DoctorFix(f"add the label to {planned.path}", lambda: provision(manifest, environ)),
        )


def examine_spin(
    manifest: SpinManifest,
    environ: Mapping[str, str],
    *,
    pushed: frozenset[str] = frozenset(),
    build: Build | None = None,
) -> Iterator[DoctorFinding]:
    """Yield what is found about ``spin.toml`` and what it needs to start.

    Args:
        pushed: Labels of the stores that ``config push`` writes to.
        build: Mends components that are missing or old; ``None`` leaves them.
    """
    yield fine(f"{manifest.path} is in order")
    for warning in manifest.warnings:
        yield remark(warning, "See the Spin documentation of the manifest.")
    for id, component in manifest.components.items():
        yield from _built(manifest, id, component, build)
    path = manifest.base_dir / RUNTIME_CONFIG
    config = None
    if path.exists():
        try:
            config = load_runtime_config(path)
        except ManifestError as error:
            yield problem(str(error), "Correct the file.")
            return
        yield from (remark(warning, "Remove what nothing reads.") for warning in config.warnings)
        yield from _in_memory(config, pushed)
    labels = dict.fromkeys(
        label for component in manifest.components.values() for label in component.key_value_stores
    )
    for label in labels:
        for lacking in missing_tables(path, [label]):
            what, _, remedy = lacking.partition(". Add:\n")
            yield problem(what, f"Add:\n{remedy}", _stanza_fix(path, label))
    yield from _variables(manifest, config, environ)


def _stanza_fix(path: Path, label: str) -> DoctorFix:
    return DoctorFix(
        f"add [key_value_store.{label}] to {path}",
        lambda: replace_file(path, with_stanzas(path, (label,))),
    )


def _path_fix(path: Path, label: str) -> DoctorFix:
    def apply() -> None:
        with editing(path):
            text = path.read_bytes().decode("utf-8")
            edited = insert_text(text, ("key_value_store", label), "path", DATA_FILE)
        replace_file(path, edited.encode("utf-8"))

    return DoctorFix(f"keep the store `{label}` in {DATA_FILE}, in {path}", apply)


def _in_memory(config: RuntimeConfig, pushed: frozenset[str]) -> Iterator[DoctorFinding]:
    """Yield stores whose entries are gone when the application ends."""
    for label, table in config.key_value_stores.items():
        if table.type == "spin" and "path" not in table.settings:
            what = f"{config.path}: [{table.key}] has no path, so the store is kept in memory"
            remedy = f'Add:\n    path = "{DATA_FILE}"'
            if label in pushed:
                what = f"{what}, and what `config push` writes does not reach it"
                yield problem(what, remedy, _path_fix(config.path, label))
            else:
                what = f"{what} and lost when the application ends"
                yield remark(what, remedy, _path_fix(config.path, label))


def _built(
    manifest: SpinManifest, id: str, component: ManifestComponent, build: Build | None
) -> Iterator[DoctorFinding]:
    """Yield whether a component is there and newer than its sources."""
    if not isinstance(component.source, str):
        return
    wasm = manifest.base_dir / component.source
    command = f"edgezero build -c {id}"
    buildable = component.build is not None
    fix = None
    if build is not None and buildable:
        fix = DoctorFix(f"run `{command}`", lambda: build(manifest.path, [id]))
    if not wasm.is_file():
        remedy = f"Run `{command}`." if buildable else "Put it there."
        yield problem(f"component {id}: {wasm} is not there", remedy, fix)
        return
    newer = stale_source(manifest.base_dir, component)
    if newer is not None:
        yield problem(f"component {id}: {wasm} is older than {newer}", f"Run `{command}`.", fix)
        return
    yield fine(f"component {id}: {wasm} is up to date")
    try:
        outdated, found = outdated_spin(wasm), inspect_component(wasm)
    except InspectionError as error:
        what = error.problem.partition(";")[0]
        yield problem(f"component {id}: {wasm} {what}", f"Run `{command}`.")
        return
    for what, remedy in missing_grants(id, component, found):
        yield problem(f"component {id} {what}", remedy)
    yield from _not_started(manifest, id, found.exports)
    if outdated is not None:
        yield remark(
            f"component {id}: {outdated}",
            "Update Spin, serve with the embedded host, or compile with `edgezero componentize "
            "--wasi 0.2`.",
        )


def _not_started(
    manifest: SpinManifest, id: str, exports: Sequence[str]
) -> Iterator[DoctorFinding]:
    """Yield the kinds of trigger that a component has handlers for and that never start it."""
    started = {trigger.type for trigger in manifest.triggers if trigger.component == id}
    for kind, names in TRIGGER_EXPORTS.items():
        if kind not in started and not names.isdisjoint(exports):
            yield remark(
                f"component {id} has a handler of {kind} triggers, and no [[trigger.{kind}]] of "
                f"{manifest.path} starts it",
                "Add the table; `edgezero componentize` says what stands in it.",
            )


def _variables(
    manifest: SpinManifest, config: RuntimeConfig | None, environ: Mapping[str, str]
) -> Iterator[DoctorFinding]:
    """Yield variables without a default that nothing gives a value."""
    needed = [name for name, variable in manifest.variables.items() if variable.default is None]
    path = manifest.base_dir / ".env"
    lines = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    known = set(_DOTENV.findall(lines)) | {
        name.removeprefix("SPIN_VARIABLE_") for name in environ if name.startswith("SPIN_VARIABLE_")
    }
    unset = [name for name in needed if name.upper() not in known]
    elsewhere = config is not None and config.variables_providers
    for name in unset:
        what = f"the variable {name} of {manifest.path} has no default and is not set"
        remedy = (
            f"Set SPIN_VARIABLE_{name.upper()}, in the environment or in {path}, or start with "
            f"--variable {name}=..."
        )
        if elsewhere:
            yield remark(
                f"{what} here; a provider of the runtime configuration may have it", remedy
            )
        else:
            yield problem(what, f"{remedy}")
