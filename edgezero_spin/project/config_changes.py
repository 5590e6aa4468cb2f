"""Compare what a store holds with what a push would write, key by key."""

import json
from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

import attrs

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest.app_config import ConfigEntry

__all__ = ["ConfigPushError", "ConfigTarget", "KeyChange", "changes_of", "shown_key", "would_set"]

Change = Literal["new", "changed", "unchanged", "only stored"]


class ConfigPushError(ProjectError):
    """Entries cannot be written to, or read from, the store they belong to."""


class ConfigTarget(Protocol):
    """A store that entries can be pushed to."""

    def check(self, entries: tuple[ConfigEntry, ...]) -> None:
        """Refuse entries that the store cannot take. Nothing is written.

        Raises:
            ConfigPushError: It names them all.
        """

    def preview(self, store_id: str, entries: tuple[ConfigEntry, ...]) -> list[str]:
        """Return the lines of a dry run: where to, then one for each key.

        Raises:
            ConfigPushError: The push would fail as well.
        """

    def write(self, entries: tuple[ConfigEntry, ...]) -> str:
        """Write the entries over what is there; return the line of success.

        Raises:
            ConfigPushError: They are not all written. It says what was.
        """

    def stored(self, keys: tuple[str, ...]) -> Mapping[str, bytes]:
        """Return what the store holds under these keys, and under others if it can tell.

        Raises:
            ConfigPushError: The store cannot be read.
        """


@attrs.frozen
class KeyChange:
    """What a push would mean for one key.

    Attributes:
        key: The key.
        change: ``new``, ``changed``, ``unchanged``; or ``only stored`` for a key that the
            configuration does not have, which a push leaves alone.
    """

    key: str
    change: Change


def shown_key(key: str) -> str:
    """Return a key as a line can hold it: as it is, or quoted with its odd characters escaped."""
    return key if key and key.isprintable() else json.dumps(key)


def changes_of(
    entries: Iterable[ConfigEntry], stored: Mapping[str, bytes]
) -> tuple[KeyChange, ...]:
    """Return one change for each key, those of the entries first and in their order."""
    changes = []
    keys = set()
    for entry in entries:
        keys.add(entry.key)
        before = stored.get(entry.key)
        change: Change = "changed"
        if before is None:
            change = "new"
        elif before == entry.value.encode():
            change = "unchanged"
        changes.append(KeyChange(entry.key, change))
    changes.extend(KeyChange(key, "only stored") for key in sorted(stored) if key not in keys)
    return tuple(changes)


def would_set(entries: Iterable[ConfigEntry], stored: Mapping[str, bytes]) -> list[str]:
    """Return the lines of a dry run: each key, and what a push would do to it."""
    return [
        f"would set `{shown_key(change.key)}` ({change.change})"
        for change in changes_of(entries, stored)
        if change.change != "only stored"
    ]
