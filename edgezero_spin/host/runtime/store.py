"""Store of one instance: what the engine keeps for it.

In: the engine and limits. Out: calls of core functions by slots, traps as errors, and the
addresses of what core instances export. What a component is, it does not know.

Source: contract spin-host.md, LIFE-6 and LIFE-9; ``wasmtime/store.h``, ``func.h``.
"""

import ctypes
import math
from typing import Any

from edgezero_spin.host.errors import GuestTrapped, InstanceError, Trap
from edgezero_spin.host.runtime.engine import TICK_S, Engine, InstanceLimits
from edgezero_spin.host.runtime.list_writer import ListWriter
from edgezero_spin.host.runtime.native import (
    EXTERN_ITEM,
    ExternBuffer,
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
from edgezero_spin.host.runtime.traps import failure_of_error, failure_of_trap
from edgezero_spin.wasm.component.linked import CoreExport

__all__ = ["Store"]

_NO_DEADLINE = 1 << 60
"""Epoch ticks that no engine lives to see."""
_UNLIMITED_FUEL = (1 << 64) - 1
_TABLES = 128
"""Most tables of an instance outside a pool."""
_SLOTS = 32
"""Slots for the parameters and results of a core call; no function has more."""


class Store:
    """A store of the engine, used by one thread at a time.

    Attributes:
        context: Address of the store's context.
        core: Address of each core instance made so far.
        slots, words: Parameters and results of core calls, as bytes and as words.
        trap, trap_address: Where the engine puts a trap.
        trapped: The guest stopped: the instance is of no more use.
    """

    __slots__ = (
        "_areas",
        "_calls",
        "_context",
        "_engine",
        "_error",
        "_exports",
        "_fuel_given",
        "_fuel_used",
        "_kept",
        "_store",
        "_ticking",
        "context",
        "core",
        "slots",
        "trap",
        "trap_address",
        "trapped",
        "words",
    )

    def __init__(self, engine: Engine, address: int) -> None:
        """Make a store of the engine that is at this address."""
        self._store: int = 0
        self._engine = engine
        self._ticking = False
        self._error: BaseException | None = None
        self._exports: dict[CoreExport, int] = {}
        self._calls: dict[CoreExport, tuple[Any, ...]] = {}
        self._kept: list[Any] = []
        self._fuel_given: int | None = None
        self._fuel_used: int | None = None
        self.trapped = False
        self.core: list[int] = []
        slots = (ctypes.c_ubyte * (16 * _SLOTS))()
        self.slots = memoryview(slots).cast("B")
        self.words = self.slots.cast("I")
        self.trap = ctypes.c_size_t()
        self.trap_address = ctypes.addressof(self.trap)
        self._areas = ctypes.c_size_t(ctypes.addressof(slots)), ctypes.c_size_t(self.trap_address)
        self._store = new_store(address, 0, 0)
        self.context = store_context(self._store)
        self._context = ctypes.c_size_t(self.context)

    # Limits

    def apply(self, limits: InstanceLimits) -> None:
        """Set what guest code may spend.

        Raises:
            InstanceError: The engine does not count that.
        """
        settings = self._engine.settings
        memory, elements = limits.memory_bytes, self._engine.table_elements
        if elements is not None:
            store_limiter(self._store, -1 if memory is None else memory, elements, -1, _TABLES, -1)
        elif memory is not None:
            store_limiter(self._store, memory, -1, -1, -1, -1)
        if settings.fuel:
            self._fuel_given = _UNLIMITED_FUEL if limits.fuel is None else limits.fuel
            problem = set_fuel(self.context, self._fuel_given)
            if problem:
                raise InstanceError(error_message(problem))
        elif limits.fuel is not None:
            raise InstanceError("a fuel limit needs an engine with EngineSettings(fuel=True)")
        self._set_deadline(limits.deadline_s)

    def _set_deadline(self, deadline_s: float | None) -> None:
        if not self._engine.settings.epoch:
            if deadline_s is None:
                return
            raise InstanceError("a deadline needs an engine with EngineSettings(epoch=True)")
        ticker = self._engine.ticker
        ticks = _NO_DEADLINE
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
        """Give the guest so many seconds from now on; ``None`` gives it as long as it takes.

        Raises:
            InstanceError: The instance is closed, or the engine keeps no deadlines.
        """
        if not self._store:
            raise InstanceError("the instance is closed")
        self._set_deadline(deadline_s)

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

    # Core functions

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
            count: How many slots its parameters and results take.
        """
        found = self._calls.get(core)
        if found is None:
            found = self._calls[core] = self.arguments_of(self.export_address(core), count)
        return found

    def arguments_of(self, function: int, count: int) -> tuple[Any, ...]:
        """Return the same for the function at this address."""
        slots, trap = self._areas
        return self._context, ctypes.c_size_t(function), slots, ctypes.c_size_t(count), trap

    def list_writer(self, memory: CoreExport, realloc: CoreExport) -> ListWriter | None:
        """Return what writes large lists to a memory; ``None`` where that is not to be had."""
        if self._engine.settings.fuel:
            return None
        try:
            return ListWriter(self, self._engine.list_writer, memory, realloc)
        except InstanceError:
            return None

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
        extern = ExternBuffer()
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
        self.trapped = True
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

    # Its end

    def detach(self) -> int:
        """Allow no more calls; return what ``free`` frees."""
        if self._fuel_given is not None:
            self._fuel_used = self.fuel_used
        store, self._store = self._store, 0
        return store

    def free(self, store: int) -> None:
        """Free a detached store; everything in it is gone."""
        delete_store(store)
        self.core = []
        self._exports.clear()
        self._calls.clear()
        self._kept.clear()
        if self._ticking:
            self._ticking = False
            self._engine.ticker.release()
