"""The host objects that one instance holds.

Most are behind handles, which the runtime keeps (``runtime/handles.py``); interfaces without
resources number theirs here. One table belongs to one instance, and one instance runs on one
thread at a time, so nothing here takes a lock.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.runtime.traps import table_full

__all__ = ["DEFAULT_RESOURCE_LIMIT", "ResourceTable"]

DEFAULT_RESOURCE_LIMIT = 100_000
"""Objects that one instance may hold at once unless its table says otherwise."""


class ResourceTable:
    """Rep to object, for one instance.

    Reps start at 1 and are not used twice within an instance, so a stale rep never
    reaches another object.
    """

    __slots__ = ("_next", "_objects", "handles", "limit")

    def __init__(self, limit: int = DEFAULT_RESOURCE_LIMIT) -> None:
        """Make an empty table, for so many objects at once; at least 1."""
        if limit < 1:
            raise ValueError(f"limit must be at least 1, got {limit}")
        self.limit = limit
        self.handles: Sequence[Mapping[int, Any]] = ()
        self._objects: dict[int, Any] = {}
        self._next = 1

    def __len__(self) -> int:
        return len(self._objects) + sum(map(len, self.handles))

    def held_bytes(self) -> int:
        """Bytes that the objects say they hold, by an attribute of this name."""
        held = sum(getattr(resource, "held_bytes", 0) for resource in self._objects.values())
        for handles in self.handles:
            for handle in handles.values():
                held += getattr(getattr(handle, "rep", handle), "held_bytes", 0)
        return held

    def push(self, resource: object) -> int:
        """Store an object and return its rep.

        Raises:
            Trap: The table is full; the guest leaks handles. The object stays all the same, so
                that the end of the instance frees what it holds.
        """
        objects = self._objects
        rep = self._next
        self._next = rep + 1
        objects[rep] = resource
        if len(objects) > self.limit:
            raise table_full(self.limit)
        if rep > 0xFFFF_FFFF:
            raise Trap("the instance made 2**32 host resources")
        return rep

    def check_room(self, count: int) -> None:
        """Make sure that several objects can be stored, before any of them is made.

        Raises:
            Trap: They cannot.
        """
        if len(self) + count > self.limit:
            raise table_full(self.limit)

    def get(self, rep: int) -> Any:
        """Return the object and keep it.

        Raises:
            Trap: No such rep.
        """
        try:
            return self._objects[rep]
        except KeyError:
            raise Trap(f"host resource {rep} does not exist") from None

    def take(self, rep: int) -> Any:
        """Return the object and forget it.

        Raises:
            Trap: No such rep.
        """
        found = self.get(rep)
        del self._objects[rep]
        return found

    def drain(self) -> list[Any]:
        """Forget every object and return them, the youngest first (children before parents)."""
        objects = list(self._objects.values())
        self._objects.clear()
        objects.reverse()
        return objects
