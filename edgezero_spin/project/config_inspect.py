"""Look at all of a project's configuration once: what it holds, and what is wrong with it.

In: a ``ConfigRequest``. Out: a ``ConfigInspection`` with the entries that a push would write
and every finding of every check. ``validate``, ``push`` and ``diff`` start from it, so what
one of them accepts the others accept. Nothing is written.

Source: contract edgezero.md, VAL-1 to VAL-11 and PSH-2.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.environment import EnvironmentLayer
from edgezero_spin.manifest import (
    AppManifest,
    InvalidManifestError,
    ManifestUnreadableError,
    Problem,
    read_app_manifest,
)
from edgezero_spin.manifest.app_config import (
    AppConfigError,
    ConfigEntry,
    EnvironmentOverlayError,
    LoadedAppConfig,
    SecretField,
    StoreDeclaration,
    check_secrets,
    decode_app_config,
    flatten,
    json_ready,
    looks_like_a_secret,
    read_app_config,
    require_app_name,
    secret_fields,
    secret_places,
    tree_of,
    without_secrets,
)
from edgezero_spin.manifest.toml_file import read_text
from edgezero_spin.project.config_changes import shown_key
from edgezero_spin.project.config_checks import (
    Finding,
    check_capabilities,
    check_component,
    check_handlers,
    check_labels,
    findings_of,
    hyphenated_ids,
)
from edgezero_spin.project.config_models import import_model
from edgezero_spin.project.redaction import without_values
from edgezero_spin.project.toml_lines import line_of, lines_of

__all__ = ["ConfigInspection", "ConfigRequest", "inspect_config"]


@attrs.frozen(kw_only=True)
class ConfigRequest:
    """Which configuration is meant.

    Attributes:
        manifest: The project's ``edgezero.toml``.
        app_config: Its configuration; ``None`` is ``<name>.toml`` beside the manifest.
        model: The attrs class that describes it; ``None`` is ``[app].config_model`` of the
            manifest, and where that is not set the file is taken as it is (raw).
        overlay: Whether variables override values of the file.
        environ: The variables of the command.
    """

    manifest: Path = Path("edgezero.toml")
    app_config: Path | None = None
    model: type | None = None
    overlay: bool = True
    environ: Mapping[str, str] = attrs.field(factory=lambda: os.environ, repr=False)

    @property
    def environment(self) -> EnvironmentLayer:
        """The ``EDGEZERO__*`` variables."""
        return EnvironmentLayer.from_mapping(self.environ)


@attrs.frozen(kw_only=True)
class ConfigInspection:
    """What a look at the configuration found.

    Attributes:
        manifest: The manifest; ``None`` when it cannot be used.
        app_config: Path of the configuration; ``None`` when it is not known.
        model: The model; ``None`` takes the file as it is.
        entries: What a push would write; complete when there are no findings.
        data: All of it as JSON values, the names of secrets included; ``None`` without a model.
        findings: Everything that is wrong.
        warnings: What a person should know, but nothing has to be done about.
    """

    manifest: AppManifest | None = None
    app_config: Path | None = None
    model: type | None = None
    entries: tuple[ConfigEntry, ...] = ()
    data: Mapping[str, Any] | None = None
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def mode(self) -> str:
        """``typed`` with a model, ``raw`` without."""
        return "raw" if self.model is None else "typed"


def inspect_config(request: ConfigRequest, *, strict: bool) -> ConfigInspection:
    """Run every check of a configuration.

    Args:
        request: Which configuration.
        strict: Also check what matters only where the app runs: kinds of stores, handlers.

    Raises:
        ModelImportError: The model that the manifest names cannot be imported.
    """
    try:
        manifest, problems = read_app_manifest(request.manifest)
    except (ManifestUnreadableError, InvalidManifestError) as error:
        return ConfigInspection(model=request.model, findings=tuple(findings_of("manifest", error)))
    model = request.model
    if model is None and manifest.config_model is not None:
        model = import_model(manifest.config_model, manifest.root)
    findings: list[Finding] = []
    if problems.found:
        invalid = InvalidManifestError(request.manifest, problems.found)
        findings += findings_of("manifest", invalid)
    # What a table that cannot be read would have said is not missed as well.
    broken = {problem.key.partition(".")[0] for problem in problems.found}
    path, loaded = None, None
    if manifest.name is not None or "app" not in broken:
        path, loaded = _load(request, manifest, findings)
    if "adapters" not in broken:
        findings += check_component(manifest)
    findings += check_labels(manifest, request.environment)
    if strict:
        findings += check_capabilities(manifest)
        findings += check_handlers(manifest)
    entries: tuple[ConfigEntry, ...] = ()
    data: Mapping[str, Any] | None = None
    if loaded is not None:
        stores = None if "stores" in broken else manifest.stores
        entries, data = _entries(model, stores, loaded, findings)
    return ConfigInspection(
        manifest=None if problems.found else manifest,
        app_config=path,
        model=model,
        entries=entries,
        data=data,
        findings=tuple(dict.fromkeys(_with_lines(findings))),
        warnings=(
            *hyphenated_ids(manifest),
            *(() if model is not None else _secret_warnings(entries)),
        ),
    )


def _with_lines(findings: Iterable[Finding]) -> Iterable[Finding]:
    """Yield findings with the lines that their keys stand in."""
    lines: dict[Path, dict[str, int]] = {}
    for found in findings:
        if found.problem.line is None and found.problem.key:
            if found.file not in lines:
                lines[found.file] = _lines_in(found.file)
            line = line_of(lines[found.file], found.problem.key)
            found = attrs.evolve(found, problem=attrs.evolve(found.problem, line=line))
        yield found


def _lines_in(path: Path) -> dict[str, int]:
    try:
        return lines_of(read_text(path))
    except ManifestUnreadableError:
        return {}


def _load(
    request: ConfigRequest, manifest: AppManifest, findings: list[Finding]
) -> tuple[Path | None, LoadedAppConfig | None]:
    path = None
    try:
        name = require_app_name(manifest)
        # As the manifest was named, so that messages name both in the same way.
        path = request.app_config or request.manifest.parent / f"{name}.toml"
        if _is_a_manifest(path, manifest):
            reason = "this is a manifest, not the configuration of the app"
            remedy = "Rename the app, or name another file with --app-config."
            findings.append(Finding("app-config", path, str(path), Problem("", reason, remedy)))
            return path, None
        loaded = read_app_config(path, name, request.environ if request.overlay else None)
    except (AppConfigError, InvalidManifestError) as error:
        check = "app-config" if isinstance(error, AppConfigError) else "manifest"
        findings += findings_of(check, error)
        return path, None
    for failed in loaded.errors:
        check = "overlay" if isinstance(failed, EnvironmentOverlayError) else "app-config"
        findings += findings_of(check, failed)
    return path, loaded


def _is_a_manifest(path: Path, manifest: AppManifest) -> bool:
    """Whether an app called ``spin`` or ``edgezero`` leads to the wrong file."""
    adapter = manifest.adapter("spin")
    named = None if adapter is None else adapter.manifest
    manifests = [manifest.path] + ([] if named is None else [manifest.root / named])
    return path.resolve() in [other.resolve() for other in manifests]


def _entries(
    model: type | None,
    stores: StoreDeclaration | None,
    loaded: LoadedAppConfig,
    findings: list[Finding],
) -> tuple[tuple[ConfigEntry, ...], Mapping[str, Any] | None]:
    """Return the entries of single keys, and with a model all of the configuration."""

    def refuse(check: str, *problems: Problem) -> None:
        heading = str(loaded.path)
        findings.extend(Finding(check, loaded.path, heading, problem) for problem in problems)

    tree: Any = loaded.tree
    data = None
    if model is not None:
        try:
            fields = secret_fields(model)
            decoded, errors = decode_app_config(loaded, tree, model)
        except TypeError as error:
            only = "" if attrs.has(model) else "; only struct-shaped configs are supported"
            refuse("model", Problem("", f"the model cannot be used: {error}{only}"))
            return (), None
        for failed in errors:
            findings += _without_secrets(findings_of("model", failed), tree, fields)
        try:
            # What does not fit the model is still looked through for what cannot be pushed.
            tree = tree if errors else tree_of(decoded.model)
        except ValueError as error:
            refuse("entries", Problem("", str(error)))
            return (), None
        if stores is not None:
            refuse("secrets", *check_secrets(tree, fields, stores.secrets))
        data = json_ready(tree)
        tree = without_secrets(tree, fields)
    problems: list[Problem] = []
    entries = flatten(tree, problems)
    already = {finding.problem for finding in findings}
    refuse("entries", *(problem for problem in problems if problem not in already))
    return entries, data


def _without_secrets(
    findings: Iterable[Finding], tree: Mapping[str, Any], fields: Iterable[SecretField]
) -> Iterable[Finding]:
    """Yield findings in which a rule of the model's own may have quoted a secret field."""
    places = [place for field in fields for place in secret_places(tree, field)]
    values = [place.value for place in places if isinstance(place.value, str)]
    for found in findings:
        reason = without_values(found.problem.reason, values)
        yield attrs.evolve(found, problem=attrs.evolve(found.problem, reason=reason))


def _secret_warnings(entries: Iterable[ConfigEntry]) -> Iterable[str]:
    for entry in entries:
        if looks_like_a_secret(entry.key):
            yield (
                f"`{shown_key(entry.key)}` looks like a secret, and without a model it is pushed "
                "as configuration; mark it with secret() and name the model in edgezero.toml, "
                '[app] config_model = "app_config:AppConfig"'
            )
