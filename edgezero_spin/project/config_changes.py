"""Compare what a store holds with what a push would write, key by key."""

import json
from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

import attrs

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest.app_config import ConfigEntry, ConfigStoreError, hash_of, read_envelope

__all__ = [
    "ConfigPushError",
    "ConfigTarget",
    "KeyChange",
    "all_of",
    "changes_of",
    "shown_key",
    "would_set",
]

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

    def preview(
        self, store_id: str, entries: tuple[ConfigEntry, ...], whole: ConfigEntry | None = None
    ) -> list[str]:
        """Return the lines of a dry run: where to, then one for each key.

        Args:
            entries: The entries of single keys.
            whole: The entry of the whole configuration, if there is one to write.

        Raises:
            ConfigPushError: The push would fail as well.
        """

    def write(self, entries: tuple[ConfigEntry, ...], whole: ConfigEntry | None = None) -> str:
        """Write the entries over what is there; return the line of success.

        Arguments as for ``preview``. A store with transactions takes all in one.

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
        change: ``new``, ``changed``, ``unchanged``; or ``only stored`` for a key that the
            configuration does not have, which a push leaves alone.
    """

    key: str
    change: Change


def shown_key(key: str) -> str:
    """Return a key as a line can hold it: as it is, or quoted with its odd characters escaped."""
    return key if key and key.isprintable() else json.dumps(key)


def changes_of(
    entries: Iterable[ConfigEntry], stored: Mapping[str, bytes], whole: ConfigEntry | None = None
) -> tuple[KeyChange, ...]:
    """Return one change for each key, those of the entries first and in their order.

    The entry of the whole configuration is unchanged when its hash is, whenever it was written.
    """
    changes = []
    keys = set()
    for entry in (*entries, *all_of(whole)):
        keys.add(entry.key)
        before = stored.get(entry.key)
        change: Change = "changed"
        if before is None:
            change = "new"
        elif before == entry.value.encode() or (entry is whole and _same_hash(before, entry)):
            change = "unchanged"
        changes.append(KeyChange(entry.key, change))
    changes.extend(KeyChange(key, "only stored") for key in sorted(stored) if key not in keys)
    return tuple(changes)


def would_set(
    entries: Iterable[ConfigEntry], stored: Mapping[str, bytes], whole: ConfigEntry | None = None
) -> list[str]:
    """Return the lines of a dry run: each key, and what a push would do to it."""
    return [
        f"would set `{shown_key(change.key)}` ({change.change})"
        for change in changes_of(entries, stored, whole)
        if change.change != "only stored"
    ]


def all_of(whole: ConfigEntry | None) -> tuple[ConfigEntry, ...]:
    """Return the entry of the whole configuration as a sequence of one or none."""
    return () if whole is None else (whole,)


def _same_hash(before: bytes, whole: ConfigEntry) -> bool:
    try:
        return hash_of(read_envelope(before.decode())) == hash_of(read_envelope(whole.value))
    except (ConfigStoreError, UnicodeDecodeError):
        return False
