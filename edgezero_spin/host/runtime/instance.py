"""One running instance of a component: making it, calling it, ending it.

In: a ``PreparedComponent`` and a state. Out: results in Python form, or one of the errors that
say why there is none.

Source: contract spin-host.md, LIFE-2, LIFE-6 and LIFE-9; ``wasmtime/func.h``, ``store.h``.
"""

import ctypes
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import Any, Protocol, Self, TypeVar

from edgezero_spin.host.errors import (
    EngineBusy,
    GuestTrapped,
    InstanceError,
    Trap,
    WitError,
)
from edgezero_spin.host.runtime.engine import TICK_S, Engine, InstanceLimits
from edgezero_spin.host.runtime.handles import ComponentInstance, Handle
from edgezero_spin.host.runtime.interface import Err, HostState, Ok
from edgezero_spin.host.runtime.lifted import Invoke
from edgezero_spin.host.runtime.memory import Context
from edgezero_spin.host.runtime.native import (
    EXTERN_BYTES,
    EXTERN_ITEM,
    call,
    delete_store,
    error_message,
    get_export,
    get_fuel,
    new_store,
    new_trap,
    set_epoch_deadline,
    set_fuel,
    store_context,
    store_limiter,
)
from edgezero_spin.host.runtime.running import running
from edgezero_spin.host.runtime.scheduler import Completion, Scheduler
from edgezero_spin.host.runtime.streams import ReadableEnd
from edgezero_spin.host.runtime.tasks import Task
from edgezero_spin.host.runtime.traps import failure_of_error, failure_of_trap
from edgezero_spin.wasm.component.linked import CoreExport, HostResource, LocalResource
from edgezero_spin.wasm.component.types import ResourceType

__all__ = ["NO_DEADLINE", "ContextSource", "ExportedFunction", "Instance", "Template"]

_log = logging.getLogger(__name__)

NO_DEADLINE = 1 << 60
"""Epoch ticks that no engine lives to see."""
_UNLIMITED_FUEL = (1 << 64) - 1
_SLOTS = 32
"""Slots for the parameters and results of a core call; no function has more."""
_one_i32 = Struct("<I12x")

_Result = TypeVar("_Result")
ContextSource = tuple[int, CoreExport | None, CoreExport | None]
"""Component instance, memory and ``realloc`` of a context."""


class ExportedFunction(Protocol):
    """An exported function, ready to be called."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def invoke(self) -> Invoke:
        """Calls it."""

    @property
    def parameters(self) -> int:
        """How many parameters it has."""

    @property
    def submit(self) -> "Callable[[Instance, tuple[Any, ...], Completion], None] | None":
        """Starts a call, where the function may wait."""

    @property
    def fallible(self) -> bool:
        """Whether the result is a ``result``."""


class Template(Protocol):
    """What instances are made from; ``PreparedComponent``."""

    engine: Engine
    engine_address: int
    contexts: Sequence[ContextSource]
    component_count: int
    resources: Mapping[ResourceType, LocalResource | HostResource]

    def prepared(self, interface: str | None, function: str) -> ExportedFunction:
        """Return an exported function."""

    def start(self, instance: "Instance") -> None:
        """Instantiate the core modules."""

    def scheduler(self, instance: "Instance") -> Scheduler | None:
        """Return what runs the tasks of an instance, if its component has any."""

    def entered(self, callee: int, caller: int | None) -> Sequence[int]:
        """Return the component instances that a call from one to another enters."""


class Instance:
    """One running copy of a component, used by one thread at a time.

    Use it in ``with``, or ``close`` it: its memory goes back to the pool at once and every
    host object that it held is dropped. Closing twice is harmless.

    Attributes:
        state: The embedder's state, first argument of every host function.
        components: The component instances.
        contexts: The contexts of lifts and lowers, by number.
        context: Address of the store's context.
        core: Address of each core instance made so far.
        tasks: Runs the tasks of a component with asynchronous functions; ``None`` for others.
        slots, words: Parameters and results of core calls, as bytes and as words.
        trap, trap_address: Where the engine puts a trap.
    """

    __slots__ = (
        "_areas",
        "_calls",
        "_context",
        "_error",
        "_exports",
        "_fuel_given",
        "_fuel_used",
        "_kept",
        "_running",
        "_store",
        "_template",
        "_ticking",
        "_trapped",
        "components",
        "context",
        "contexts",
        "core",
        "slots",
        "state",
        "tasks",
        "trap",
        "trap_address",
        "words",
    )

    def __init__(self, template: Template, state: HostState, limits: InstanceLimits) -> None:
        """Called by ``PreparedComponent.instantiate``."""
        self._store = 0
        self._template = template
        self._ticking = False
        self._trapped = False
        self._running = False
        self._error: BaseException | None = None
        self._exports: dict[CoreExport, int] = {}
        self._calls: dict[CoreExport, tuple[Any, ...]] = {}
        self._kept: list[Any] = []
        self._fuel_given: int | None = None
        self._fuel_used: int | None = None
        self.state: Any = state
        self.core: list[int] = []
        slots = (ctypes.c_ubyte * (16 * _SLOTS))()
        self.slots = memoryview(slots).cast("B")
        self.words = self.slots.cast("I")
        self.trap = ctypes.c_size_t()
        self.trap_address = ctypes.addressof(self.trap)
        self._areas = ctypes.c_size_t(ctypes.addressof(slots)), ctypes.c_size_t(self.trap_address)
        limit = state.table.limit
        self.components = [ComponentInstance(limit) for _ in range(template.component_count)]
        state.table.handles = [component.entries for component in self.components]
        self.contexts: list[Context] = []
        self.tasks = template.scheduler(self)
        self._store = new_store(template.engine_address, 0, 0)
        self.context = store_context(self._store)
        self._context = ctypes.c_size_t(self.context)
        self.contexts = [
            Context(self, self.components[number], memory, realloc)
            for number, memory, realloc in template.contexts
        ]
        try:
            self._apply(limits)
            self._inside(lambda: template.start(self))
        except BaseException:
            self.close()
            raise

    def _apply(self, limits: InstanceLimits) -> None:
        settings = self._template.engine.settings
        if limits.memory_bytes is not None:
            store_limiter(self._store, limits.memory_bytes, -1, -1, -1, -1)
        if settings.fuel:
            self._fuel_given = _UNLIMITED_FUEL if limits.fuel is None else limits.fuel
            problem = set_fuel(self.context, self._fuel_given)
            if problem:
                raise InstanceError(error_message(problem))
        elif limits.fuel is not None:
            raise InstanceError("a fuel limit needs an engine with EngineSettings(fuel=True)")
        if settings.epoch:
            self._set_deadline(limits.deadline_s)
        elif limits.deadline_s is not None:
            raise InstanceError("a deadline needs an engine with EngineSettings(epoch=True)")

    def _set_deadline(self, deadline_s: float | None) -> None:
        ticker = self._template.engine.ticker
        ticks = NO_DEADLINE
        if deadline_s is not None:
            if not self._ticking:
                ticker.acquire()
                self._ticking = True
            ticks = math.ceil(deadline_s / TICK_S) + 1
        elif self._ticking:
            self._ticking = False
            ticker.release()
        set_epoch_deadline(self.context, ticks)

    def restart_deadline(self, deadline_s: float | None) -> None:
        """Give the guest this much time from now on.

        Args:
            deadline_s: Seconds; ``None`` for as long as it takes.

        Raises:
            InstanceError: The instance is closed, or the engine keeps no deadlines.
        """
        if not self._store:
            raise InstanceError("the instance is closed")
        if self._template.engine.settings.epoch:
            self._set_deadline(deadline_s)
        elif deadline_s is not None:
            raise InstanceError("a deadline needs an engine with EngineSettings(epoch=True)")

    def call(self, interface: str | None, function: str, *args: Any) -> Any:
        """Call an exported function and return its result in Python form.

        Args:
            interface: The exported interface, with its version or, for WASI 0.2, without;
                ``None`` for a function that the world exports by itself.
            function: Its WIT name.
            args: Its parameters in Python form; see ``host/interface.py``.

        Raises:
            WitError: The function returned ``err``.
            GuestTrapped: The guest stopped; one of its subclasses where the reason is known.
            InstanceError: The instance is closed or trapped before, or has no such export.
            ValueMismatchError: An argument does not fit its type.
            BaseException: Whatever a host function raised, with its traceback.
        """
        export = self._template.prepared(interface, function)
        if len(args) != export.parameters:
            raise TypeError(f"{export.name} takes {export.parameters} arguments, got {len(args)}")
        value = self.enter(lambda: export.invoke(self, args))
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
        export = self._template.prepared(interface, function)
        if len(args) != export.parameters:
            raise TypeError(f"{export.name} takes {export.parameters} arguments, got {len(args)}")
        completion = Completion()
        if when_done is not None:
            completion.when_done(when_done)
        submit = export.submit
        if submit is None:
            completion.finish(self.enter(lambda: export.invoke(self, args)))
        else:
            self.enter(lambda: submit(self, args, completion))
        return completion

    @property
    def trapped(self) -> bool:
        """Whether the guest stopped: the instance is of no more use."""
        return self._trapped

    def end(self) -> None:
        """Note that the instance is of no more use."""
        self._trapped = True

    def enter(self, work: Callable[[], _Result]) -> _Result:
        """Do something that may call the guest.

        Raises:
            InstanceError: The instance is closed, in a call or trapped before.
        """
        if self._running:
            raise InstanceError("the instance is in a call; it runs one at a time")
        if self._trapped:
            raise InstanceError("the instance stopped in an earlier call")
        if not self._store:
            raise InstanceError("the instance is closed")
        return self._inside(work)

    def _inside(self, work: Callable[[], _Result]) -> _Result:
        """Run what may call the guest, with this instance as the thread's present one."""
        token = running.set(self)
        self._running = True
        try:
            return work()
        except (GuestTrapped, EngineBusy):
            self._trapped = True
            raise
        finally:
            self._running = False
            running.reset(token)

    def destroy(self, type_: ResourceType, rep: Any) -> None:
        """Run the destructor of a resource that the host owned."""
        if self._store and not self._trapped and not self._running:
            self._inside(lambda: self.drop(type_, rep, None))

    def drop(self, type_: ResourceType, rep: Any, caller: int | None) -> None:
        """Run the destructor of a resource.

        Args:
            type_: Its type.
            rep: Its representation.
            caller: The component instance that drops it, ``None`` for the host.
        """
        owner = self._template.resources[type_]
        if isinstance(owner, HostResource):
            drop = getattr(rep, "drop", None)
            if drop is not None:
                drop(self.state)
            return
        entered = self._template.entered(owner.instance, caller)
        for index in entered:
            if not self.components[index].may_enter:
                raise Trap("wasm trap: cannot enter component instance")
        if owner.destructor is None:
            return
        for index in entered:
            self.components[index].may_enter = False
        tasks = self.tasks
        # A destructor is a call of its own: it may not block, and has its own context.
        previous = None if tasks is None else tasks.enter((entered, False), self._task(owner))
        _one_i32.pack_into(self.slots, 0, rep)
        self.run(owner.destructor, 1)
        if tasks is not None and previous is not None:
            tasks.leave(previous)
        for index in entered:
            self.components[index].may_enter = True

    def _task(self, owner: LocalResource) -> Task:
        return Task(self, self.components[owner.instance], None, tuple, lambda _: None)

    def run(self, core: CoreExport, count: int) -> None:
        """Call a core function with what is in ``slots``.

        Raises:
            GuestTrapped: The guest stopped.
            BaseException: What a host function raised.
        """
        problem = call(*self.call_arguments(core, count))
        if problem or self.trap.value:
            raise self.failure(problem)

    def call_arguments(self, core: CoreExport, count: int) -> tuple[Any, ...]:
        """Return the arguments of ``native.call`` for a core function.

        They are C values already, which halves the cost of the call.

        Args:
            core: The function.
            count: How many slots its parameters and results take.
        """
        found = self._calls.get(core)
        if found is None:
            slots, trap = self._areas
            function = ctypes.c_size_t(self.export_address(core))
            found = (self._context, function, slots, ctypes.c_size_t(count), trap)
            self._calls[core] = found
        return found

    def export_address(self, source: CoreExport) -> int:
        """Return the address of the engine's function or memory for a core export.

        Raises:
            Trap: The core instance that exports it is not there yet.
        """
        address = self._exports.get(source)
        if address is None:
            address = self._exports[source] = self.extern_address(source) + EXTERN_ITEM
        return address

    def extern_address(self, source: CoreExport) -> int:
        """Return the address of the engine's extern for a core export."""
        if source.instance >= len(self.core):
            raise Trap(f"the core module that exports {source.name} is not instantiated yet")
        extern = ctypes.create_string_buffer(EXTERN_BYTES)
        self._kept.append(extern)
        address = ctypes.addressof(extern)
        name = source.name.encode()
        if not get_export(self.context, self.core[source.instance], name, len(name), address):
            raise InstanceError(f"the core module has no export {source.name}")
        return address

    def add_core(self, instance: Any) -> None:
        """Note a core instance: a buffer with the engine's handle of it."""
        self._kept.append(instance)
        self.core.append(ctypes.addressof(instance))

    def keep(self, error: BaseException) -> int:
        """Keep what a host function raised, and return the engine's trap that ends the guest."""
        if self._error is None:
            self._error = error
        trap: int = new_trap(b"a host function raised", 22)
        return trap

    def failure(self, problem: int) -> BaseException:
        """Return what to raise for a call that failed: the host function's own error, or a trap.

        Args:
            problem: The engine's error, 0 where there is a trap.
        """
        self._trapped = True
        raised, self._error = self._error, None
        if problem:
            found: BaseException = failure_of_error(problem)
        else:
            trap, self.trap.value = self.trap.value, 0
            found = failure_of_trap(trap)
        if raised is None:
            return found
        if isinstance(raised, GuestTrapped) and not raised.backtrace:
            raised.backtrace = getattr(found, "backtrace", "")
        return raised

    @property
    def fuel_used(self) -> int | None:
        """Instructions spent so far, also after ``close``; ``None`` when the engine counts none."""
        if self._store and self._fuel_given is not None:
            left = ctypes.c_uint64()
            problem = get_fuel(self.context, ctypes.addressof(left))
            if problem:
                raise InstanceError(error_message(problem))
            self._fuel_used = self._fuel_given - left.value
        return self._fuel_used

    def close(self) -> None:
        """Free the instance and drop what it held.

        Raises:
            InstanceError: The instance is in a call.
        """
        store = self._store
        if not store:
            return
        if self._running:
            raise InstanceError("the instance is in a call and cannot be closed now")
        if self._fuel_given is not None:
            self._fuel_used = self.fuel_used
        self._store = 0
        if self.tasks is not None:
            self.tasks.fail(InstanceError("the instance was closed"))
        for context in self.contexts:
            context.release()
        delete_store(store)
        self.contexts, self.core = [], []
        self._exports.clear()
        self._calls.clear()
        self._kept.clear()
        if self._ticking:
            self._ticking = False
            self._template.engine.ticker.release()
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
