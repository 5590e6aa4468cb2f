"""``config diff``: what a store holds against what a push would write.

Keys are told unless values are asked for; what only the store has is not a difference that a push
would mend.

Source: contract edgezero.md, PSH-7, PSH-8 and BLB-5.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest.app_config import ConfigStoreError, hash_of, read_envelope
from edgezero_spin.project.config_changes import KeyChange, all_of, changes_of
from edgezero_spin.project.config_push import PushPlan, PushRequest, plan_push
from edgezero_spin.project.config_rendering import masked, structured_lines, unified_lines

__all__ = ["ConfigDiff", "NotComparedError", "compare", "diff_config"]


@attrs.frozen
class NotComparedError(ProjectError):
    """A store and a configuration cannot be compared, so it is not known whether they differ.

    Attributes:
        reason: Why not, and what to do.
        exit_status: Of the command; 1 means that they differ.
    """

    reason: str
    exit_status: int = 2

    def __str__(self) -> str:
        return self.reason


@attrs.frozen(kw_only=True)
class ConfigDiff:
    """A store and a configuration.

    Attributes:
        store_id: Logical id of the store.
        label: Its label on the platform.
        changes: One for each key of either.
        before: What the store has: with a model the configuration in its one entry, without
            the text of each key that the configuration has as well.
        after: What a push would write.
        secrets: Names of fields that hold the names of secrets.
        warnings: What a person should know.
    """

    store_id: str
    label: str
    changes: tuple[KeyChange, ...]
    before: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    after: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    secrets: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether a push would change anything."""
        return any(change.change in ("new", "changed") for change in self.changes)

    def as_json(self) -> dict[str, object]:
        """Return the comparison for programs."""
        return {
            "differs": self.differs,
            "store": self.store_id,
            "label": self.label,
            "keys": {change.key: change.change for change in self.changes},
            "warnings": list(self.warnings),
        }

    def unified(self) -> list[str]:
        """Return the values that differ as a unified diff."""
        return unified_lines(*self._trees(), *self._hashes())

    def structured(self) -> list[str]:
        """Return the values that differ, place by place."""
        return structured_lines(*self._trees(), *self._hashes())

    def _trees(self) -> tuple[Any, Any]:
        return masked(self.before or {}, self.after, self.secrets)

    def _hashes(self) -> tuple[str | None, str | None]:
        return None if self.before is None else hash_of(self.before), hash_of(self.after)


def diff_config(request: PushRequest) -> ConfigDiff:
    """Compare a store with what ``push_config`` would write to it. Nothing is written.

    Raises:
        ConfigProblemsError: The project is not in order; it names everything.
        ConfigPushError: There is no store, or it cannot be read.
        ManifestError: The runtime configuration cannot be used.
    """
    return compare(plan_push(request, head="config diff"))


def compare(plan: PushPlan) -> ConfigDiff:
    """Compare a store with what a push would write to it.

    Raises:
        ConfigPushError: The store cannot be read.
    """
    stored: Mapping[str, bytes] = {}
    written = (*plan.entries, *all_of(plan.whole))
    if plan.target is not None:
        stored = plan.target.stored(tuple(entry.key for entry in written))
    warnings = list(plan.warnings)
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]
    if plan.whole is None or plan.data is None:
        before = {
            entry.key: stored[entry.key].decode(errors="replace")
            for entry in plan.entries
            if entry.key in stored
        }
        after = {entry.key: entry.value for entry in plan.entries}
    else:
        before, after = None, plan.data
        if plan.key in stored:
            try:
                before = read_envelope(stored[plan.key].decode(errors="replace"))
            except ConfigStoreError as error:
                warnings.append(f"the entry `{plan.key}` of the store: {error.message}")
    return ConfigDiff(
        store_id=plan.store_id,
        label=plan.label,
        changes=changes_of(plan.entries, stored, plan.whole) if plan.target is not None else (),
        before=before,
        after=after,
        secrets=plan.secrets,
        warnings=tuple(warnings),
    )
