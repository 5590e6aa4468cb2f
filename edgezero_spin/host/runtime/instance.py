"""One running instance of a component: making it, calling it, ending it.

In: a ``PreparedComponent`` and a state. Out: results in Python form, or one of the errors that
say why there is none.

Source: contract spin-host.md, LIFE-2, LIFE-6 and LIFE-9; ``wasmtime/func.h``, ``store.h``.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from struct import Struct
from typing import TYPE_CHECKING, Any, Self, TypeVar

from edgezero_spin.host.errors import EngineBusy, GuestTrapped, InstanceError, WitError
from edgezero_spin.host.runtime.engine import InstanceLimits
from edgezero_spin.host.runtime.handles import ComponentInstance, Handle
from edgezero_spin.host.runtime.interface import Err, HostState, Ok
from edgezero_spin.host.runtime.memory import Context
from edgezero_spin.host.runtime.native import memory_data, memory_size
from edgezero_spin.host.runtime.running import running
from edgezero_spin.host.runtime.scheduler import Completion, Scheduler
from edgezero_spin.host.runtime.store import Store
from edgezero_spin.host.runtime.streams import ReadableEnd
from edgezero_spin.host.runtime.tasks import Task
from edgezero_spin.host.runtime.traps import cannot_enter
from edgezero_spin.wasm.component.linked import CoreExport, HostResource
from edgezero_spin.wasm.component.types import ResourceType

if TYPE_CHECKING:
    from edgezero_spin.host.runtime.prepared import PreparedComponent

__all__ = ["ContextSource", "Instance"]

_log = logging.getLogger(__name__)

_one_i32 = Struct("<I12x")

_Result = TypeVar("_Result")
ContextSource = tuple[int, CoreExport | None, CoreExport | None]
"""Component instance, memory and ``realloc`` of a context."""


class Instance(Store):
    """One running copy of a component, used by one thread at a time.

    Use it in ``with``, or ``close`` it: its memory goes back to the pool at once and every
    host object that it held is dropped. Closing twice is harmless.

    Attributes:
        state: The embedder's state, first argument of every host function.
        contexts: The contexts of lifts and lowers, by number.
        tasks: Runs the tasks of a component with asynchronous functions; ``None`` for others.
    """

    __slots__ = ("_entered", "_prepared", "_running", "components", "contexts", "state", "tasks")

    def __init__(
        self, prepared: "PreparedComponent", state: HostState, limits: InstanceLimits
    ) -> None:
        """Called by ``PreparedComponent.instantiate``."""
        super().__init__(prepared.engine, prepared.engine_address)
        self._prepared = prepared
        self._running = False
        self._entered = False
        self.state: Any = state
        limit = state.table.limit
        self.components = [ComponentInstance(limit) for _ in range(len(prepared.linked.instances))]
        state.table.handles = [component.entries for component in self.components]
        self.contexts: list[Context] = []
        self.tasks: Scheduler | None = None
        self.tasks = prepared.scheduler(self)
        self.contexts = [
            Context(self, self.components[number], memory, realloc)
            for number, memory, realloc in prepared.contexts
        ]
        try:
            self.apply(limits)
            self._inside(lambda: prepared.start(self))
        except BaseException:
            self.close()
            raise

    @property
    def memory_bytes(self) -> int:
        """Bytes of its linear memories, as far as values cross to them; 0 once it is closed."""
        if not self._store:
            return 0
        # Core modules export each other's memories under names of their own.
        return sum(dict(self._memories()).values())

    def _memories(self) -> Iterator[tuple[int, int]]:
        """Yield address and size of the memories that values cross to."""
        for source in self._prepared.memories:
            memory = self.export_address(source)
            yield memory_data(self.context, memory), memory_size(self.context, memory)

    def call(self, interface: str | None, function: str, *args: Any) -> Any:
        """Call an exported function and return its result in Python form.

        Args:
            interface: The exported interface, with its version or, for WASI 0.2, without;
                ``None`` for a function that the world exports by itself.
            args: Its parameters in Python form; see ``host/interface.py``.

        Raises:
            WitError: The function returned ``err``.
            GuestTrapped: The guest stopped; one of its subclasses where the reason is known.
            InstanceError: The instance is closed or trapped before, or has no such export.
            ValueMismatchError: An argument does not fit its type.
            BaseException: Whatever a host function raised, with its traceback.
        """
        export = self._prepared.export(interface, function, len(args))
        value = self.enter(export.invoke, self, args)
        if not export.fallible:
            return value
        if isinstance(value, Err):
            raise WitError(value.value)
        return value.value if isinstance(value, Ok) else value

    def start(
        self,
        interface: str | None,
        function: str,
        *args: Any,
        when_done: Callable[[Completion], None] | None = None,
    ) -> Completion:
        """Start a call of an exported function; ``tasks.pump`` lets it go on.

        Several calls may be in progress. The completion has what the function returns, a
        ``result`` as ``Ok`` or ``Err``.

        Args:
            interface, function, args: As for ``call``.
            when_done: Called with the completion as soon as the function returned, which may be
                before this does.

        Raises:
            GuestTrapped: The guest stopped; every call in progress ends with that.
            InstanceError: The instance is closed, in a call or trapped before, or has no such
                export.
        """
        export = self._prepared.export(interface, function, len(args))
        completion = Completion()
        if when_done is not None:
            completion.when_done(when_done)
        submit = export.submit
        if submit is None:
            completion.finish(self.enter(export.invoke, self, args))
        else:
            self.enter(submit, self, args, completion)
        return completion

    def enter(self, work: Callable[..., _Result], *arguments: Any) -> _Result:
        """Do something that may call the guest.

        Raises:
            InstanceError: The instance is closed, in a call or trapped before.
        """
        if self._running:
            raise InstanceError("the instance is in a call; it runs one at a time")
        if self.trapped:
            raise InstanceError("the instance stopped in an earlier call")
        if not self._store:
            raise InstanceError("the instance is closed")
        self._entered = True
        return self._inside(work, *arguments)

    def _inside(self, work: Callable[..., _Result], *arguments: Any) -> _Result:
        """Run what may call the guest, with this instance as the thread's present one."""
        token = running.set(self)
        self._running = True
        try:
            return work(*arguments)
        except (GuestTrapped, EngineBusy):
            self.trapped = True
            raise
        finally:
            self._running = False
            running.reset(token)

    def destroy(self, type_: ResourceType, rep: Any) -> None:
        """Run the destructor of a resource that the host owned."""
        if self._store and not self.trapped and not self._running:
            self._inside(lambda: self.drop(type_, rep, None))

    def drop(self, type_: ResourceType, rep: Any, caller: int | None) -> None:
        """Run the destructor of a resource; the caller is a component instance, or the host."""
        owner = self._prepared.linked.resources[type_]
        if isinstance(owner, HostResource):
            drop = getattr(rep, "drop", None)
            if drop is not None:
                drop(self.state)
            return
        entered = self._prepared.entered(owner.instance, caller)
        for index in entered:
            if not self.components[index].may_enter:
                raise cannot_enter()
        if owner.destructor is None:
            return
        for index in entered:
            self.components[index].may_enter = False
        tasks = self.tasks
        # A destructor is a call of its own: it may not block, and has its own context.
        previous = (
            None
            if tasks is None
            else tasks.enter((entered, False), Task(self, self.components[owner.instance]))
        )
        _one_i32.pack_into(self.slots, 0, rep)
        self.run(owner.destructor, 1)
        if tasks is not None and previous is not None:
            tasks.leave(previous)
        for index in entered:
            self.components[index].may_enter = True

    def close(self) -> None:
        """Free the instance and drop what it held.

        Raises:
            InstanceError: The instance is in a call.
        """
        if not self._store:
            return
        if self._running:
            raise InstanceError("the instance is in a call and cannot be closed now")
        slots = self._engine.slots
        if slots is not None and self._entered:
            for address, size in self._memories():
                slots.map(address, size, self._prepared.image)
        store = self.detach()
        if self.tasks is not None:
            self.tasks.fail(InstanceError("the instance was closed"))
        for context in self.contexts:
            context.release()
        self.contexts = []
        self.free(store)
        for component in self.components:
            # The youngest first: children before parents.
            owned = [
                entry.rep
                for entry in reversed(component.entries.values())
                if isinstance(entry, Handle) and entry.call is None
            ]
            ends = [entry for entry in component.entries.values() if isinstance(entry, ReadableEnd)]
            component.entries.clear()
            self._drop_all(owned)
            for end in ends:
                # What the host would still bring for it is not wanted any more.
                end.shared.drop()
        self._drop_all(self.state.table.drain())

    def _drop_all(self, resources: Sequence[Any]) -> None:
        for resource in resources:
            drop = getattr(resource, "drop", None)
            if drop is not None:
                try:
                    drop(self.state)
                except Exception:
                    _log.exception("a host resource could not be dropped")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
