"""Mappings from labels to stores or databases, each found when it is opened."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import attrs

__all__ = ["OnDemand"]

T = TypeVar("T")


@attrs.frozen(eq=False)
class OnDemand(Mapping[str, T]):
    """A mapping whose values a function finds, every time anew.

    Args:
        find: Opens what has a label; ``None`` for what is not granted.
        labels: Returns all labels that there are.
    """

    _find: Callable[[str], T | None]
    _labels: Callable[[], Iterable[str]]

    def get(self, label: str, default: Any = None) -> Any:
        """Open what has a label; the default for what is not granted."""
        found = self._find(label)
        return default if found is None else found

    def __getitem__(self, label: str) -> T:
        found = self._find(label)
        if found is None:
            raise KeyError(label)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._labels())

    def __len__(self) -> int:
        return len(list(self._labels()))
