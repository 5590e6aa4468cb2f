"""A bounded view of one guest's linear memory, and allocation in it.

A ``Context`` is what lifting and lowering know of the guest on one side of a call: its memory,
``realloc`` and handle table. The views cover exactly the memory's bytes, from its base to the
size it had when they were taken. The engine never moves a memory (``memory_may_move`` is off)
and a memory never shrinks, so a view stays good; an access beyond it takes the size again, and
is a trap if it is beyond that, too. So a bad pointer is an error and never a read.

Converters check ranges before they use the views, and the views themselves refuse an index
outside.

Source: ``CanonicalABI.md``, "Lifting and Lowering Context".
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.runtime.handles import Call, ComponentInstance, Handle
from edgezero_spin.host.runtime.list_writer import ListWriter
from edgezero_spin.host.runtime.native import bytes_view, call, memory_data, memory_size
from edgezero_spin.wasm.component.linked import CoreExport

if TYPE_CHECKING:
    from edgezero_spin.host.runtime.instance import Instance

__all__ = ["MAX_CALL_BYTES", "Context", "too_much"]

MAX_CALL_BYTES = 128 << 20
"""Most bytes that one call can make the host hold: of one list or string that is a parameter,
and of the elements of all lists together.

Lists may overlap in the guest's memory, so that what a call holds has no other bound.
Source: wasmtime, ``hostcall_fuel``, which Spin leaves as it is.
"""

_WRITABLE = 0x200


class Context:
    """One side of a call, for the converters.

    Attributes:
        u8, s8, u16, s16, u32, s32, u64, s64, f32, f64: Views of the memory, indexed by address
            divided by the size of an element.
        size: Bytes that the views cover.
        held: Bytes that the present call may still make the host hold; see ``charge``.
        lent: Handles that the present call borrows from, where that is kept.
        call: The call that handles lowered now are borrowed for.
    """

    __slots__ = (
        "_memory",
        "_realloc",
        "_sources",
        "_writer",
        "call",
        "entries",
        "f32",
        "f64",
        "held",
        "instance",
        "lent",
        "owner",
        "s8",
        "s16",
        "s32",
        "s64",
        "size",
        "state",
        "u8",
        "u16",
        "u32",
        "u64",
    )

    call: Call
    u8: "memoryview[int]"
    s8: "memoryview[int]"
    u16: "memoryview[int]"
    s16: "memoryview[int]"
    u32: "memoryview[int]"
    s32: "memoryview[int]"
    u64: "memoryview[int]"
    s64: "memoryview[int]"
    f32: "memoryview[float]"
    f64: "memoryview[float]"

    def __init__(
        self,
        owner: "Instance",
        instance: ComponentInstance,
        memory: CoreExport | None,
        realloc: CoreExport | None,
    ) -> None:
        self.owner = owner
        self.instance = instance
        self.entries = instance.entries
        self.state: Any = owner.state
        self.held = MAX_CALL_BYTES
        self.lent: list[Handle] = []
        self._sources = (memory, realloc)
        self._memory = 0
        self._realloc: tuple[Any, ...] | None = None
        # False until it is asked for.
        self._writer: ListWriter | Literal[False] | None = False
        self._view(_NO_VIEWS)

    def _view(self, views: Sequence[Any]) -> None:
        self.size = len(views[0])
        self.u8, self.s8, self.u16, self.s16, self.u32, self.s32 = views[:6]
        self.u64, self.s64, self.f32, self.f64 = views[6:]

    def check(self, at: int, size: int, alignment: int) -> None:
        """Check that a value of this size and alignment lies within the memory.

        Raises:
            Trap: It does not.
        """
        if at & (alignment - 1):
            raise Trap("unaligned pointer")
        if at + size > self.size:
            self.extend(at + size, "pointer out of bounds of memory")

    def extend(self, end: int, text: str) -> None:
        """Take the views again, which must then reach this far.

        Raises:
            Trap: They do not; ``text`` says what was out of bounds.
        """
        owner = self.owner
        if not self._memory:
            source = self._sources[0]
            if source is None:
                raise Trap(text)
            self._memory = owner.export_address(source)
        size = memory_size(owner.context, self._memory)
        if size != self.size:
            data = memory_data(owner.context, self._memory)
            self._view(_views_of(bytes_view(data, size, _WRITABLE)))
        if end > size:
            raise Trap(text)

    def allocate(self, size: int, alignment: int) -> int:
        """Allocate in the guest's memory and return the address.

        Raises:
            Trap: What ``realloc`` returned is not aligned or not within the memory.
            GuestTrapped: It trapped.
        """
        owner = self.owner
        arguments = self._realloc
        if arguments is None:
            source = self._sources[1]
            if source is None:
                raise Trap("the guest gave no realloc")
            arguments = self._realloc = owner.call_arguments(source, 4)
        instance, slots = self.instance, owner.words
        # Four slots of 16 bytes: the address and size of nothing, then what is wanted.
        slots[0] = slots[4] = 0
        slots[8] = alignment
        slots[12] = size
        instance.may_leave = False
        problem = call(*arguments)
        if problem or owner.trap.value:
            raise owner.failure(problem)
        instance.may_leave = True
        at = slots[0]
        if at & (alignment - 1):
            raise Trap("realloc return: result not aligned")
        if at + size > self.size:
            self.extend(at + size, "realloc return: beyond end of memory")
        return at

    def put(self, data: Any, size: int, alignment: int) -> int:
        """Copy bytes into the guest's memory and return their address."""
        at = self.allocate(size, alignment)
        self.u8[at : at + size] = data
        return at

    @property
    def writer(self) -> ListWriter | None:
        """What writes large lists; ``None`` where they are written an element at a time."""
        if self._writer is False:
            memory, realloc = self._sources
            self._writer = None
            if memory is not None and realloc is not None:
                self._writer = self.owner.list_writer(memory, realloc)
        return self._writer

    def charge(self, size: int) -> None:
        """Count bytes that elements of a list make the host hold.

        Raises:
            Trap: The present call makes it hold more than ``MAX_CALL_BYTES``.
        """
        self.held -= size
        if self.held < 0:
            raise too_much()

    def release(self) -> None:
        """Let go of the memory, which goes back to the engine."""
        self._memory, self._realloc, self._writer = 0, None, None
        self._view(_NO_VIEWS)


def _views_of(view: memoryview) -> Sequence[Any]:
    return [view, *[view.cast(format_) for format_ in _FORMATS]]


_FORMATS: tuple[Literal["b", "H", "h", "I", "i", "Q", "q", "f", "d"], ...]
_FORMATS = ("b", "H", "h", "I", "i", "Q", "q", "f", "d")
_NO_VIEWS = _views_of(memoryview(bytearray()))


def too_much() -> Trap:
    """Return the trap for a call that passes more than ``MAX_CALL_BYTES``."""
    return Trap(
        f"the guest passed too much in one call: {MAX_CALL_BYTES >> 20} MiB cross, as under "
        "`spin up`"
    )
