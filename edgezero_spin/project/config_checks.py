"""Check that a project's manifest and its environment go together.

Each function returns everything that is wrong as findings; none stops at the first. The
commands that act on a project run them before they write.

Source: contract edgezero.md, VAL-4 to VAL-8 and OPQ-11.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from edgezero_spin.environment import EnvironmentLayer
from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest import (
    AppManifest,
    InvalidManifestError,
    ManifestUnreadableError,
    Problem,
    parse_handler,
)
from edgezero_spin.manifest.app_config import AppConfigError
from edgezero_spin.manifest.errors import tell_problems
from edgezero_spin.manifest.keys import item_key
from edgezero_spin.project.discovery import ComponentUnknownError, discover_component

__all__ = [
    "ConfigProblemsError",
    "Finding",
    "check_capabilities",
    "check_component",
    "check_handlers",
    "check_labels",
    "findings_of",
    "hyphenated_ids",
]


@attrs.frozen
class Finding:
    """One thing that is wrong with a project.

    Attributes:
        check: Which check found it: ``manifest``, ``app-config``, ``overlay``, ``model``,
            ``component``, ``labels``, ``capabilities``, ``handlers``, ``secrets``,
            ``entries``, ``store`` or ``adapter``.
        file: The file to mend.
        heading: What comes before it in a message: the file, or what failed with it.
        problem: Place, reason and remedy.
    """

    check: str
    file: Path
    heading: str
    problem: Problem

    def __str__(self) -> str:
        return f"{self.heading}: {self.problem}" if self.heading else str(self.problem)


class ConfigProblemsError(ProjectError):
    """A project is not in order, so nothing was done.

    Attributes:
        head: The command.
        findings: Everything that is wrong.
    """

    def __init__(self, head: str, findings: Sequence[Finding]) -> None:
        super().__init__(head, tuple(findings))
        self.head = head
        self.findings = tuple(findings)

    def __str__(self) -> str:
        return tell_problems(self.head, self.findings)


def findings_of(
    check: str, error: AppConfigError | ManifestUnreadableError | InvalidManifestError
) -> list[Finding]:
    """Return the problems that an error of loading carries, each with what failed."""
    if isinstance(error, AppConfigError):
        heading = error.heading.format(path=error.path, model=error.model)
        return [Finding(check, error.path, heading, problem) for problem in error.problems]
    heading = f'failed to load "{error.path}"'
    if isinstance(error, ManifestUnreadableError):
        problem = Problem("", error.reason, error.remedy)
        return [Finding(check, error.path, heading, problem)]
    return [Finding(check, error.path, heading, problem) for problem in error.problems]


def check_component(manifest: AppManifest) -> list[Finding]:
    """Find out whether the app's component can be told; an app without Spin has none."""
    if manifest.adapter("spin") is None:
        return []
    try:
        discover_component(manifest)
    except ComponentUnknownError as error:
        return [Finding("component", manifest.path, "", Problem("", error.reason, error.remedy))]
    return []


def check_labels(manifest: AppManifest, environment: EnvironmentLayer) -> list[Finding]:
    """Find two stores that would share the entries of one label."""
    return list(_shared_labels(manifest, environment))


def _shared_labels(manifest: AppManifest, environment: EnvironmentLayer) -> Iterator[Finding]:
    stores = manifest.stores
    kinds = [("kv", stores.kv), ("config", stores.config)]
    config_ids = () if stores.config is None else stores.config.ids
    for id in () if stores.kv is None else stores.kv.ids:
        if id in config_ids:
            yield _of_manifest(
                manifest,
                "labels",
                "stores.config.ids",
                f"the id `{id}` is declared in both [stores.kv] and [stores.config]",
                "Both would be one key-value store of Spin: rename one of them.",
            )
    owners: dict[str, tuple[str, str]] = {}
    for kind, declared in kinds:
        for id in () if declared is None else declared.ids:
            label = environment.store_name(kind, id)
            other_kind, other = owners.setdefault(label, (kind, id))
            same_id = (other, label) == (id, id)
            if (other_kind, other) != (kind, id) and not same_id:
                yield _of_manifest(
                    manifest,
                    "labels",
                    f"stores.{kind}.ids",
                    f"[stores.{other_kind}].{other} and [stores.{kind}].{id} both resolve to "
                    f"the label `{label}`",
                    "Give each a name of its own: EDGEZERO__STORES__<KIND>__<ID>__NAME.",
                )


def check_capabilities(manifest: AppManifest) -> list[Finding]:
    """Find kinds of which Spin has one store, but the app declares several."""
    secrets = manifest.stores.secrets
    if secrets is None or len(secrets.ids) == 1 or manifest.adapter("spin") is None:
        return []
    reason = (
        f"adapter `spin` is Single-capable for secrets, and [stores.secrets] declares "
        f"{len(secrets.ids)} ids ({', '.join(secrets.ids)})"
    )
    remedy = "Keep one: all secrets of a Spin application are its variables."
    return [_of_manifest(manifest, "capabilities", "stores.secrets.ids", reason, remedy)]


def hyphenated_ids(manifest: AppManifest) -> tuple[str, ...]:
    """Return a remark on each store id that EdgeZero refuses today, though this accepts it.

    Source: contract edgezero.md, OPQ-9.
    """
    stores = manifest.stores
    kinds = {"kv": stores.kv, "config": stores.config, "secrets": stores.secrets}
    return tuple(
        f"{manifest.path}: the id `{id}` in [stores.{kind}] has a hyphen, which current versions "
        f"of EdgeZero refuse, and which a shell cannot export in EDGEZERO__STORES__* variables; "
        f"`{id.replace('-', '_')}` works everywhere"
        for kind, declared in kinds.items()
        for id in (() if declared is None else declared.ids)
        if "-" in id
    )


def check_handlers(manifest: AppManifest) -> list[Finding]:
    """Find handlers that name no function of a module."""
    found = []
    for index, trigger in enumerate(manifest.triggers):
        if trigger.handler is None:
            continue
        try:
            parse_handler(trigger.handler)
        except ValueError:
            reason = (
                f"trigger `{trigger.id or trigger.path}`: {trigger.handler!r} is "
                "not a well-formed handler path"
            )
            remedy = "Write module, colon and function, as in `app.handlers:root`."
            place = f"{item_key('triggers.http', index)}.handler"
            found.append(_of_manifest(manifest, "handlers", place, reason, remedy))
    return found


def _of_manifest(manifest: AppManifest, check: str, key: str, reason: str, remedy: str) -> Finding:
    return Finding(check, manifest.path, str(manifest.path), Problem(key, reason, remedy))
