"""Every call that an application made on its stores, in order.

```python
client.get("/notes/bread")
assert client.calls.texts == ["open notes", "get notes bread"]
assert not client.calls.writes
```
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import attrs

__all__ = ["StoreCall", "StoreLog"]

READS = frozenset({"get", "exists", "keys", "secret"})
WRITES = frozenset({"set", "delete"})

# Statements that change nothing begin with one of these, those about transactions with one
# of the others; everything else is taken for a write.
QUERIES = frozenset({"select", "values", "explain", "pragma"})
BRACKETS = frozenset({"begin", "commit", "end", "rollback", "savepoint", "release"})
_CHANGE = re.compile(r"\b(insert|update|delete|replace)\b", re.IGNORECASE)


@attrs.frozen
class StoreCall:
    """One call on a store, as it reached the host.

    Attributes:
        operation: ``open``, ``get``, ``set``, ``delete``, ``exists``, ``keys``; ``secret``
            for a variable; ``connect`` and ``execute`` for a SQLite database.
        label: The platform's name of the store or database; empty for a secret.
        key: The key, the name of a secret, or the statement; ``None`` where there is none.
        value: What was written by ``set``.
        error: What the call failed with, ``None`` when it did not.
        parameters: Of the statement.
    """

    operation: str
    label: str = ""
    key: str | None = None
    value: bytes | None = None
    error: str | None = None
    parameters: tuple[Any, ...] = ()

    @property
    def reads(self) -> bool:
        """Whether it only looks; a statement is judged by how it begins."""
        if self.operation == "execute":
            word = self._first_word
            return word in QUERIES or (word == "with" and not _CHANGE.search(self.key or ""))
        return self.operation in READS

    @property
    def writes(self) -> bool:
        """Whether it changes something; a statement is judged by how it begins."""
        if self.operation == "execute":
            return not self.reads and self._first_word not in BRACKETS
        return self.operation in WRITES

    @property
    def _first_word(self) -> str:
        return ((self.key or "").split(None, 1) or [""])[0].lower().rstrip(";")

    def __str__(self) -> str:
        """The call in words: ``get notes bread``, and how it failed if it did."""
        parts = [self.operation, self.label, self.key if self.key is not None else ""]
        text = " ".join(part for part in parts if part)
        return text if self.error is None else f"{text} ({self.error})"


class StoreLog(Sequence[StoreCall]):
    """Calls in order. A log of a client grows; ``clear`` empties it."""

    def __init__(self, calls: list[StoreCall] | None = None) -> None:
        """Share a list, or start an empty one."""
        self._calls: list[StoreCall] = [] if calls is None else calls

    def add(self, call: StoreCall) -> None:
        """Append one call."""
        self._calls.append(call)

    def clear(self) -> None:
        """Forget what happened so far."""
        self._calls.clear()

    @property
    def texts(self) -> list[str]:
        """Each call in words, for one comparison of all."""
        return [str(call) for call in self._calls]

    @property
    def reads(self) -> "StoreLog":
        """Calls that look: ``get``, ``exists``, ``keys``, ``secret``, and queries."""
        return self._where(lambda call: call.reads)

    @property
    def writes(self) -> "StoreLog":
        """Calls that change: ``set``, ``delete``, and statements that do."""
        return self._where(lambda call: call.writes)

    def of(self, label: str) -> "StoreLog":
        """Calls on one store."""
        return self._where(lambda call: call.label == label)

    def since(self, index: int) -> "StoreLog":
        """A copy of the calls from an index on."""
        return StoreLog(self._calls[index:])

    def _where(self, wanted: Callable[[StoreCall], bool]) -> "StoreLog":
        return StoreLog([call for call in self._calls if wanted(call)])

    @overload
    def __getitem__(self, index: int) -> StoreCall: ...
    @overload
    def __getitem__(self, index: slice) -> "StoreLog": ...
    def __getitem__(self, index: int | slice) -> "StoreCall | StoreLog":
        if isinstance(index, slice):
            return StoreLog(self._calls[index])
        return self._calls[index]

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[StoreCall]:
        return iter(list(self._calls))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, StoreLog):
            return self._calls == other._calls
        return self._calls == other

    __hash__ = None  # type: ignore[assignment]  # it grows

    def __repr__(self) -> str:
        return f"StoreLog({self.texts})"
