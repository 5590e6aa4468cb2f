"""Reader of a TOML table, key by key, that notes what is wrong and goes on.

A reader hands out values of the type that was asked for. Where the file holds
something else it notes a problem and hands out a neutral value, so that one pass
finds everything that is wrong. ``Problems.raise_any`` then stops before a neutral
value is used.

Values are never converted: ``"80"`` is not a number and ``1`` is not a flag.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edgezero_spin.manifest.errors import Problems
from edgezero_spin.manifest.keys import item_key, join_key

__all__ = ["TableReader", "kind_of"]


def kind_of(value: object) -> str:
    """Name a TOML value's type as people call it."""
    if isinstance(value, bool):
        return "a boolean"
    if value is None:
        return "null"
    for types, name in _KINDS:
        if isinstance(value, types):
            return name
    return "a date or time"


_KINDS: tuple[tuple[type, str], ...] = (
    (str, "a string"),
    (int, "an integer"),
    (float, "a float"),
    (list, "a list"),
    (dict, "a table"),
)


class TableReader:
    """One table of a file, and the place where its problems are noted.

    Attributes:
        key: Dotted path of the table; empty for the root.
        problems: Where problems go.
    """

    def __init__(self, values: Mapping[str, Any], key: str, problems: Problems) -> None:
        self.key = key
        self.problems = problems
        self._values = values
        self._asked: dict[str, None] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        """Yield every key, in the order of the file."""
        return iter(self._values)

    def place(self, name: str) -> str:
        """Return the dotted path of one of the table's keys."""
        return join_key(self.key, name)

    def problem(self, name: str, reason: str, remedy: str = "") -> None:
        """Note a problem with one of the table's keys."""
        self.problems.add(self.place(name), reason, remedy)

    def wrong_type(self, place: str, expected: str, value: object, remedy: str = "") -> None:
        """Note that a value is not of the expected type."""
        reason = f"invalid type: expected {expected}, got {kind_of(value)}"
        self.problems.add(place, reason, remedy)

    def value(self, name: str) -> Any:
        """Return whatever stands there, ``None`` when the key is absent."""
        self._asked[name] = None
        return self._values.get(name)

    def optional_text(self, name: str, *, blank: bool = True) -> str | None:
        """Return a string, ``None`` when the key is absent.

        Args:
            name: The key.
            blank: Whether an empty string is accepted.
        """
        value: object = self.value(name)
        if value is None:
            return None
        if not isinstance(value, str):
            self.wrong_type(self.place(name), "a string", value)
            return None
        if not value and not blank:
            self.problem(name, "must not be empty", "Give it a value or remove the key.")
        return value

    def text(self, name: str, default: str = "") -> str:
        """Return a string, ``default`` when the key is absent."""
        value = self.optional_text(name)
        return default if value is None else value

    def required_text(self, name: str, *, blank: bool = True) -> str:
        """Return a string that has to be there."""
        if name not in self._values:
            self.value(name)
            self.missing(name)
            return ""
        return self.optional_text(name, blank=blank) or ""

    def missing(self, name: str) -> None:
        """Note that a key is not there."""
        where = f"`{self.key}`" if self.key else "the top of the file"
        self.problem(name, f"missing field `{name}`", f"Add `{name}` to {where}.")

    def items_of(self, name: str) -> list[tuple[str, Any]]:
        """Return a list, each item after its place, empty when the key is absent."""
        return [
            (item_key(self.place(name), index), item) for index, item in enumerate(self._list(name))
        ]

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of strings, empty when the key is absent."""
        return tuple(item for place, item in self.items_of(name) if self._is_text(item, place))

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a boolean, ``default`` when the key is absent."""
        value = self.value(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.wrong_type(self.place(name), "a boolean", value)
            return default
        return value

    def optional_integer(self, name: str, low: int, high: int) -> int | None:
        """Return an integer from ``low`` to ``high``, ``None`` when the key is absent."""
        value = self.value(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong_type(self.place(name), "an integer", value)
            return None
        if not low <= value <= high:
            self.problem(name, f"must be from {low} to {high}, got {value}")
            return None
        return value

    def optional_table(self, name: str, fields: Sequence[str] = ()) -> "TableReader | None":
        """Return a reader for a table, ``None`` when the key is absent.

        Args:
            name: The key.
            fields: The keys that the items of a list stand for, where a list is accepted in
                place of the table; items past the last are ignored.
        """
        value = self.value(name)
        if value is None:
            return None
        if fields and isinstance(value, list):
            value = dict(zip(fields, value, strict=False))
        if not isinstance(value, dict):
            self.wrong_type(self.place(name), "a table", value)
            return None
        return TableReader(value, self.place(name), self.problems)

    def table(self, name: str, fields: Sequence[str] = ()) -> "TableReader":
        """Return a reader for a table, for an empty one when the key is absent."""
        found = self.optional_table(name, fields)
        return TableReader({}, self.place(name), self.problems) if found is None else found

    def tables(self, name: str) -> list["TableReader"]:
        """Return readers for a list of tables, none when the key is absent."""
        readers = []
        for place, item in self.items_of(name):
            if isinstance(item, dict):
                readers.append(TableReader(item, place, self.problems))
            else:
                self.wrong_type(place, "a table", item)
        return readers

    def named_tables(self, name: str, fields: Sequence[str] = ()) -> dict[str, "TableReader"]:
        """Return readers for a table of tables, by their names; ``fields`` as for a table."""
        outer = self.table(name)
        found = {inner: outer.optional_table(inner, fields) for inner in outer}
        return {inner: reader for inner, reader in found.items() if reader is not None}

    def raw_tables(self, name: str) -> dict[str, dict[str, Any]]:
        """Return a table of tables as they are in the file."""
        return {inner: reader.rest() for inner, reader in self.named_tables(name).items()}

    def text_map(self, name: str) -> dict[str, str]:
        """Return a table of strings, empty when the key is absent."""
        inner = self.table(name)
        return {
            key: value
            for key in inner
            if self._is_text(value := inner.value(key), inner.place(key))
        }

    def rest(self) -> dict[str, Any]:
        """Return the keys that nothing asked for, with their values."""
        return {name: value for name, value in self._values.items() if name not in self._asked}

    def refuse_rest(self) -> None:
        """Note every key that nothing asked for."""
        for name in self.rest():
            known = ", ".join(sorted(self._asked))
            self.problem(name, f"unknown field `{name}`", f"Known here: {known}.")

    def _list(self, name: str) -> list[Any]:
        value = self.value(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.wrong_type(self.place(name), "a list", value)
            return []
        return value

    def _is_text(self, value: object, place: str) -> bool:
        if isinstance(value, str):
            return True
        self.wrong_type(place, "a string", value)
        return False
