"""Copies of guests: buffers in a guest's memory, and the built-ins that read and write.

Source: ``CanonicalABI.md``, "Buffer State", "``canon {stream,future}.{read,write}``" and
"``.cancel-{read,write}``"; contract wasi03.md, CA-5, CA-6, CA-21, CA-50 to CA-58.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edgezero_spin.host.errors import Trap, ValueMismatchError
from edgezero_spin.host.runtime.converters import Converters
from edgezero_spin.host.runtime.handles import ComponentInstance
from edgezero_spin.host.runtime.memory import MAX_CALL_BYTES, Context
from edgezero_spin.host.runtime.misfit import misfit
from edgezero_spin.host.runtime.storing import MISFITS
from edgezero_spin.host.runtime.streams import (
    COMPLETED,
    DROPPED,
    CopyState,
    End,
    ReadableEnd,
    Shared,
    WritableEnd,
    end_at,
    interned,
    is_number,
)
from edgezero_spin.host.runtime.tasks import scheduler_of
from edgezero_spin.host.runtime.waitables import BLOCKED, WaitableEvent
from edgezero_spin.wasm.component.layout import layout_of
from edgezero_spin.wasm.component.linked import Builtin
from edgezero_spin.wasm.component.types import FutureType, StreamType, ValueType

if TYPE_CHECKING:
    from edgezero_spin.host.runtime.instance import Instance

__all__ = ["Copies"]

MAX_COUNT = (1 << 28) - 1
"""Most elements of one operation."""


class _Elements:
    """How elements of a type lie in a guest's memory, and what lifts and lowers them."""

    def __init__(self, builtin: Builtin, element: ValueType | None, converters: Converters) -> None:
        self.size, self.alignment = 0, 1
        self.nothing = element is None
        self.is_number = is_number(element)
        self._element, self._class_of = element, converters.class_of
        if element is None:
            return
        layout = layout_of(element)
        self.size, self.alignment = layout.size, layout.alignment
        encoding = builtin.options.encoding
        self.lift = {
            to_host: converters.lifting(encoding, to_host=to_host, lends=False).run(element)
            for to_host in (False, True)
        }
        self.lower = {
            from_host: converters.lowering(encoding, builtin.instance, from_host=from_host).run(
                element
            )
            for from_host in (False, True)
        }

    def misfit(self, items: Any) -> ValueMismatchError | None:
        """Return which of the host's items does not fit, ``None`` if all of them do."""
        for index, item in enumerate(items):
            found = misfit(self._element, item, self._class_of)
            if found is not None:
                return ValueMismatchError(f"item {index}{found.place}", found.expected, found.value)
        return None


class _GuestParty:
    """A guest's side of a copy: what happens to it later becomes an event of its end.

    Attributes:
        progress: Elements that were copied.
        begins: The call that begins the operation has not returned.
        result: How the operation ended meanwhile; ``None`` where it did not.
    """

    __slots__ = (
        "_at",
        "_cx",
        "_elements",
        "begins",
        "component",
        "end",
        "is_empty",
        "progress",
        "remaining",
        "result",
    )
    of_host = False
    takes = None

    def __init__(
        self,
        component: ComponentInstance,
        end: End,
        cx: Context,
        elements: _Elements,
        at: int,
        count: int,
    ) -> None:
        if count > MAX_COUNT:
            raise Trap("stream read/write count too large")
        if count and not elements.nothing:
            if at & (elements.alignment - 1):
                raise Trap("read/write pointer not aligned")
            if at + count * elements.size > cx.size:
                cx.extend(at + count * elements.size, "read/write pointer out of bounds of memory")
        self.component: ComponentInstance | None = component
        self.end = end
        self._cx = cx
        self._elements = elements
        self._at = at
        self.is_empty = not count
        self.remaining = count
        self.progress = 0
        self.begins = True
        self.result: int | None = None

    def take(self, count: int, *, to_host: bool) -> Any:
        elements, cx = self._elements, self._cx
        self.progress += count
        self.remaining -= count
        if elements.nothing:
            return [None] * count if to_host else range(count)
        at, size = self._at, count * elements.size
        self._at = at + size
        if elements.is_number and not to_host:
            return cx.u8[at : at + size].tobytes()
        cx.held = MAX_CALL_BYTES
        return elements.lift[to_host](cx, at, count)

    def put(self, items: Any, *, from_host: bool) -> None:
        elements = self._elements
        count = len(items)
        if elements.is_number and not from_host:
            self._cx.u8[self._at : self._at + count] = items
            self._at += count
            count //= elements.size
        elif not elements.nothing:
            try:
                elements.lower[from_host](self._cx, self._at, items)
            except MISFITS as error:
                raise elements.misfit(items) or error from error
            self._at += count * elements.size
        self.progress += count
        self.remaining -= count

    def copied(self, reclaim: Callable[[], None]) -> None:
        def event() -> WaitableEvent:
            reclaim()
            return self._event(COMPLETED)

        self.end.notify(event)

    def done(self, result: int) -> None:
        if self.begins:
            self.result = result
        else:
            self.end.notify(lambda: self._event(result))

    def _event(self, result: int) -> WaitableEvent:
        end = self.end
        return end.event_code, end.index, self.deliver(result)

    def deliver(self, result: int) -> int:
        """Have the operation be over; return its result with the count of elements."""
        end = self.end
        is_future = end.shared.is_future
        finished = result == DROPPED or (is_future and result == COMPLETED)
        end.state = CopyState.DONE if finished else CopyState.IDLE
        return result if is_future else result | self.progress << 4


class Copies:
    """The built-ins of one stream or future type, for one built-in definition.

    Args:
        builtin: The definition.
        converters: Those of the component.
        number: Index of its context in ``Instance.contexts``.
    """

    def __init__(self, builtin: Builtin, converters: Converters, number: int) -> None:
        type_ = builtin.type
        if not isinstance(type_, StreamType | FutureType):
            raise TypeError(f"{builtin.name} needs a stream or future type")
        self._type = interned(type_)
        self._number = number
        self._async_copy = builtin.options.is_async
        self._async_cancel = builtin.is_async
        self._class = (
            ReadableEnd if builtin.name.endswith(("read", "drop-readable")) else WritableEnd
        )
        if builtin.name.endswith((".read", ".write")):
            element = type_.payload if isinstance(type_, FutureType) else type_.element
            self._elements = _Elements(builtin, element, converters)

    def new(self, owner: "Instance", component: ComponentInstance) -> int:
        """``stream.new``, ``future.new``: both handles, the readable one below."""
        shared = Shared(self._type)
        ends: tuple[End, End] = ReadableEnd(shared), WritableEnd(shared)
        for end in ends:
            end.index = component.add(end)
        return ends[0].index | ends[1].index << 32

    def copy(
        self, owner: "Instance", component: ComponentInstance, index: int, at: int, count: int = 1
    ) -> int:
        """``stream.read``, ``stream.write``, ``future.read``, ``future.write``."""
        if not self._async_copy:
            scheduler_of(owner).check_block()
        end = end_at(component, index, self._class, self._type)
        if end.state is not CopyState.IDLE:
            end.check_idle()
        if not self._async_copy:
            end.check_alone()
        cx = owner.contexts[self._number]
        party = _GuestParty(component, end, cx, self._elements, at, count)
        end.state = CopyState.COPYING
        if end.readable:
            end.shared.read(party)
        else:
            end.shared.write(party)
        party.begins = False
        if party.result is not None:
            return party.deliver(party.result)
        return self._result(owner, end, is_async=self._async_copy)

    def cancel(self, owner: "Instance", component: ComponentInstance, index: int) -> int:
        """``*.cancel-read``, ``*.cancel-write``."""
        if not self._async_cancel:
            scheduler_of(owner).check_block()
        end = end_at(component, index, self._class, self._type)
        if end.state is not CopyState.COPYING or end.waited:
            verb = "read" if end.readable else "write"
            raise Trap(f"{end.kind} {verb} cancelled when no {verb} is pending")
        if not self._async_cancel:
            end.check_alone()
        end.state = CopyState.CANCELLING
        pending = end.shared.pending
        if end.event is None or (
            isinstance(pending, _GuestParty) and pending.end is end and pending.remaining
        ):
            # What was copied so far is counted, and the rest is cancelled.
            end.shared.cancel()
        return self._result(owner, end, is_async=self._async_cancel)

    def _result(self, owner: "Instance", end: End, *, is_async: bool) -> int:
        if end.event is None:
            if is_async:
                return BLOCKED
            end.waited = True
            scheduler_of(owner).block(lambda: end.event is not None)
            end.waited = False
        return end.take()[2]

    def drop(self, owner: "Instance", component: ComponentInstance, index: int) -> None:
        """``*.drop-readable``, ``*.drop-writable``."""
        end = end_at(component, index, self._class, self._type)
        end.check_drop()
        component.remove(index)
        if end.set is not None or end.waited:
            end.join(None)
        end.shared.drop()
