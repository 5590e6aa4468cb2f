"""Labels of stores and databases: which components list, and which are defined.

Labels that are not defined are reported together at start-up, so that a mistake in the manifest
never reaches a client as a 500 (KV-2, DB-3).
"""

from collections.abc import Iterable, Mapping

from edgezero_spin.errors import HostError

__all__ = ["UnresolvedLabelError", "check_labels", "used_labels"]

Labels = Mapping[str, Iterable[str]]
"""Component id to the labels that it lists."""


class UnresolvedLabelError(HostError):
    """Components list labels that nothing answers to. Raised while an application is loaded.

    Attributes:
        missing: Component id and label, in the order of the manifest.
        known: Labels that do exist, sorted.
    """

    def __init__(self, missing: Iterable[tuple[str, str]], known: Iterable[str]) -> None:
        self.missing = tuple(missing)
        self.known = tuple(sorted(known))
        super().__init__(self.missing, self.known)


def check_labels(labels: Labels, known: Iterable[str], error: type[UnresolvedLabelError]) -> None:
    """Make sure that every label is defined.

    Raises:
        UnresolvedLabelError: Some are not; it is of the kind ``error``.
    """
    known = frozenset(known)
    missing = [
        (component, label)
        for component, listed in labels.items()
        for label in listed
        if label not in known
    ]
    if missing:
        raise error(missing, known)


def used_labels(labels: Labels) -> set[str]:
    """Every label that a component lists."""
    return {label for listed in labels.values() for label in listed}
