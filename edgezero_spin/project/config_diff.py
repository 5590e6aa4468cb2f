"""``config diff``: what a store holds against what a push would write.

Source: our own; the values of PSH-7 and PSH-8: keys only, and what only the store has is no
difference that a push would mend. Statuses as BLB-5 has them.
"""

import attrs

from edgezero_spin.errors import ProjectError
from edgezero_spin.project.config_changes import KeyChange, changes_of
from edgezero_spin.project.config_push import PushRequest, plan_push

__all__ = ["ConfigDiff", "NotComparedError", "diff_config"]


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
    """The keys of a store and of a configuration.

    Attributes:
        store_id: Logical id of the store.
        label: Its label on the platform.
        changes: One for each key of either.
        warnings: What a person should know.
    """

    store_id: str
    label: str
    changes: tuple[KeyChange, ...]
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


def diff_config(request: PushRequest) -> ConfigDiff:
    """Compare a store with what ``push_config`` would write to it. Nothing is written.

    Raises:
        ConfigProblemsError: The project is not in order; it names everything.
        ConfigPushError: There is no store, or it cannot be read.
        ManifestError: The runtime configuration cannot be used.
    """
    plan = plan_push(request, head="config diff")
    changes: tuple[KeyChange, ...] = ()
    if plan.target is not None:
        stored = plan.target.stored(tuple(entry.key for entry in plan.entries))
        changes = changes_of(plan.entries, stored)
    return ConfigDiff(
        store_id=plan.store_id, label=plan.label, changes=changes, warnings=plan.warnings
    )
