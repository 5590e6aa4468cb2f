"""Handle tables and component instances.

A ``ComponentInstance`` has one table of handles and the flags that guard how it is entered and
left. Its table holds resources, subtasks, ends of streams and futures, and waitable sets (CA-8).

A resource of the host is represented by the Python object itself, one of a guest by the number
that the guest chose.

Source: ``CanonicalABI.md``, "Component Instance State", "Table State" and "Resource State".
"""

from typing import TYPE_CHECKING, Any, TypeVar

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.runtime.traps import table_full
from edgezero_spin.wasm.component.types import ResourceType

if TYPE_CHECKING:
    from edgezero_spin.host.runtime.instance import Instance
    from edgezero_spin.host.runtime.tasks import Task

__all__ = ["Call", "ComponentInstance", "GuestResource", "Handle"]

Entry = TypeVar("Entry")


_new = object.__new__


class Call:
    """One call of a lifted function: how many borrowed handles its callee still holds."""

    __slots__ = ("borrows",)

    def __init__(self) -> None:
        self.borrows = 0

    def finish(self) -> None:
        """Check that the callee dropped what it borrowed.

        Raises:
            Trap: It did not.
        """
        if self.borrows:
            raise Trap("borrow handles still remain at the end of the call")


class Handle:
    """A handle to a resource.

    Attributes:
        rep: The representation: an object of the host or a guest's number.
        call: For a borrowed handle, the call with which it ends; ``None`` for an owned one.
        lends: How many calls in progress borrow from this handle.
    """

    __slots__ = ("call", "lends", "rep", "type")

    def __init__(self, type_: ResourceType, rep: Any, call: Call | None = None) -> None:
        self.type = type_
        self.rep = rep
        self.call = call
        self.lends = 0


class ComponentInstance:
    """What the canonical ABI keeps of a component instance.

    Attributes:
        entries: Live handles by index, the oldest first. 0 is never an index.
        limit: Most of them at once.
        may_enter: No call is in it, and none trapped.
        may_leave: It may call out; not so in ``realloc`` and ``post-return``.
        backpressure: While it is above 0, calls wait before they start.
        starting: How many calls do.
        exclusive: The task whose code runs, where others must not.
    """

    __slots__ = (
        "_free",
        "_next",
        "backpressure",
        "entries",
        "exclusive",
        "limit",
        "may_enter",
        "may_leave",
        "starting",
    )

    def __init__(self, limit: int) -> None:
        self.entries: dict[int, Any] = {}
        self.limit = limit
        self.may_enter = True
        self.may_leave = True
        self.backpressure = 0
        self.starting = 0
        self.exclusive: Task | None = None
        self._free: list[int] = []
        self._next = 1

    def add(self, entry: Any) -> int:
        """Add an entry and return its index: the one freed last, else a new one.

        Raises:
            Trap: The table is full; the guest leaks handles. The entry stays all the same,
                so that the end of the instance frees what it holds.
        """
        free = self._free
        if free:
            index = free.pop()
            self.entries[index] = entry
            return index
        # With no index free, all below this one are in use.
        index = self._next
        self._next = index + 1
        self.entries[index] = entry
        if index > self.limit:
            raise table_full(self.limit)
        return index

    def add_own(self, type_: ResourceType, rep: Any) -> int:
        """Add a handle that owns a resource, as ``add`` does."""
        # Spelt out: this is done for each resource that a guest gets.
        handle: Handle = _new(Handle)
        handle.type, handle.rep, handle.call, handle.lends = type_, rep, None, 0
        if not self._free:
            return self.add(handle)
        index = self._free.pop()
        self.entries[index] = handle
        return index

    def remove(self, index: int) -> None:
        """Free an index that is in use."""
        del self.entries[index]
        self._free.append(index)

    def entry(self, index: int, class_: type[Entry]) -> Entry:
        """Return an entry of a class.

        Raises:
            Trap: There is none, or it is something else.
        """
        found = self.entries.get(index)
        if not isinstance(found, class_):
            raise self.mismatch(index)
        return found

    def handle(self, index: int, type_: ResourceType) -> Handle:
        """Return the handle to a resource of a type.

        Raises:
            Trap: There is no such handle, or it is one to something else.
        """
        entry = self.entries.get(index)
        if entry.__class__ is not Handle or entry.type is not type_:
            raise self.mismatch(index)
        return entry

    def take_own(self, index: int, type_: ResourceType) -> Any:
        """Remove an owned handle and return its representation.

        Raises:
            Trap: There is no such handle, it is borrowed, or lent to a call in progress.
        """
        entry = self.entries.get(index)
        if entry.__class__ is not Handle or entry.type is not type_:
            raise self.mismatch(index)
        if entry.lends:
            raise Trap("cannot remove owned resource while borrowed")
        if entry.call is not None:
            raise Trap(f"cannot lift own resource from a borrow: handle index {index}")
        del self.entries[index]
        self._free.append(index)
        return entry.rep

    def take(self, index: int, type_: ResourceType) -> Handle:
        """Remove a handle, owned or borrowed, that the guest drops.

        Raises:
            Trap: There is no such handle, or it is lent to a call in progress.
        """
        entry = self.entries.get(index)
        if entry.__class__ is not Handle or entry.type is not type_:
            raise self.mismatch(index)
        if entry.lends:
            raise Trap("cannot remove owned resource while borrowed")
        del self.entries[index]
        self._free.append(index)
        if entry.call is not None:
            entry.call.borrows -= 1
        return entry  # type: ignore[no-any-return, unused-ignore]

    def mismatch(self, index: int) -> Trap:
        """Return the trap for an index that is not what it is used for."""
        entry = self.entries.get(index)
        if entry is None:
            return Trap(f"unknown handle index {index}")
        return Trap(f"handle index {index} used with the wrong type")


class GuestResource:
    """A resource of a guest that the host owns or borrows.

    Pass it back to the component as ``own``, which ends it, or as ``borrow``. ``close`` runs
    the guest's destructor; closing twice is harmless.
    """

    __slots__ = ("_instance", "_rep", "owned", "type")

    def __init__(self, instance: "Instance", type_: ResourceType, rep: Any, owned: bool) -> None:
        self._instance: Instance | None = instance
        self._rep = rep
        self.type = type_
        self.owned = owned

    def rep_for(self, instance: "Instance", type_: ResourceType, *, taken: bool) -> Any:
        """Return the representation, to be given to a guest.

        Raises:
            ValueError: The handle ended, is another instance's or one to something else.
        """
        if self._instance is not instance or self.type is not type_:
            raise ValueError("the handle ended or belongs to another instance")
        if taken:
            if not self.owned:
                raise ValueError("the handle is borrowed and cannot be given away")
            self._instance = None
        return self._rep

    def close(self) -> None:
        """Drop the resource: the guest's destructor runs."""
        instance, self._instance = self._instance, None
        if instance is not None and self.owned:
            instance.destroy(self.type, self._rep)
