"""Stores in dictionaries, with the semantics of a Spin host.

For unit tests of apps and for the cases in ``tests/contracts``. What Spin refuses is refused
here: a label that is not granted, a name that no variable can have.

Source: contract spin-host.md, KV-1 to KV-6 and VAR-1, VAR-10, VAR-11; edgezero.md, KV-39.
"""

from collections.abc import Iterable, Mapping, MutableMapping

from edgezero_spin.stores.backend import BackendError, SecretNameInvalid

__all__ = ["MemoryKeyValue", "MemoryPlatform", "MemorySecrets", "NoopKeyValue"]


class MemoryKeyValue:
    """A key-value store in a dictionary.

    Attributes:
        entries: The values by key. Shared with whoever passed it in.
    """

    def __init__(self, entries: MutableMapping[str, bytes] | None = None) -> None:
        """Start with some entries, which the store reads and writes in place."""
        self.entries: MutableMapping[str, bytes] = {} if entries is None else entries

    def get(self, key: str) -> bytes | None:
        """Return the value, or ``None`` when the key is absent."""
        return self.entries.get(key)

    def set(self, key: str, value: bytes) -> None:
        """Write the value, replacing what was there."""
        self.entries[key] = value

    def delete(self, key: str) -> None:
        """Remove the key, if it is there."""
        self.entries.pop(key, None)

    def exists(self, key: str) -> bool:
        """Tell whether the key is there."""
        return key in self.entries

    def keys(self) -> Iterable[str]:
        """Return every key, as they are at this moment."""
        return list(self.entries)


class NoopKeyValue:
    """A key-value store that forgets everything (KV-39)."""

    def get(self, key: str) -> bytes | None:
        """Return ``None``."""
        return None

    def set(self, key: str, value: bytes) -> None:
        """Accept the value and drop it."""

    def delete(self, key: str) -> None:
        """Do nothing."""

    def exists(self, key: str) -> bool:
        """Return ``False``."""
        return False

    def keys(self) -> Iterable[str]:
        """Return no key."""
        return ()


class MemorySecrets:
    """Variables in a dictionary.

    Attributes:
        variables: The values by name.
    """

    def __init__(self, variables: Mapping[str, str | bytes] | None = None) -> None:
        """Start with some variables; later changes of the mapping are seen."""
        self.variables: Mapping[str, str | bytes] = {} if variables is None else variables

    def get(self, name: str) -> str | bytes | None:
        """Return the value, or ``None`` when no such variable is declared.

        Raises:
            SecretNameInvalid: No variable of Spin can have this name.
        """
        reason = _name_problem(name)
        if reason is not None:
            raise SecretNameInvalid(f'"{name}": {reason}')
        return self.variables.get(name)


class MemoryPlatform:
    """A platform in memory, with the stores and variables that a component is granted.

    Attributes:
        kv: The entries by label, alive: what a test puts in is seen by the app and back.
        variables: The variables by name, alive as well.
    """

    def __init__(
        self,
        kv: Mapping[str, Mapping[str, bytes]] | None = None,
        variables: Mapping[str, str | bytes] | None = None,
    ) -> None:
        """Grant these labels with these entries, and these variables. Both are copied."""
        self.kv: dict[str, dict[str, bytes]] = {
            label: dict(entries) for label, entries in (kv or {}).items()
        }
        self.variables: dict[str, str | bytes] = dict(variables or {})

    def open_key_value(self, label: str) -> MemoryKeyValue:
        """Open the store behind a label.

        Raises:
            BackendError: The label is not granted: ``access-denied``.
        """
        entries = self.kv.get(label)
        if entries is None:
            raise BackendError("access-denied")
        return MemoryKeyValue(entries)

    def secrets(self) -> MemorySecrets:
        """Return the variables."""
        return MemorySecrets(self.variables)


def _name_problem(name: str) -> str | None:
    """Return why no variable can have this name, checked in Spin's order."""
    if not name:
        return "must not be empty"
    for c in name:
        if not ("a" <= c <= "z" or "0" <= c <= "9" or c == "_"):
            return (
                f"invalid character '{c}'. Variable names may contain only lower-case letters, "
                f"numbers, and underscores."
            )
    if not name[0].isalpha():
        return "must start with a lowercase ASCII letter"
    if name[-1] == "_":
        return "must end with a lowercase ASCII letter or digit"
    if "__" in name:
        return "must not contain multiple consecutive underscores"
    return None
