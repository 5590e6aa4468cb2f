"""The wasm engine: its settings, its memory pool and its clock.

In: ``EngineSettings``. Out: an ``Engine``, shared by every thread and application of a process.

Source: contract spin-host.md, LIFE-6, LIFE-9 and ENG-1 to ENG-10; the pool's numbers are
what components built by componentize-py need.
"""

import logging
import sys
import threading
from functools import cached_property
from typing import Self

import attrs
import wasmtime
from attrs.validators import ge, gt, optional
from wasmtime import _ffi as ffi

from edgezero_spin.host.errors import EngineError
from edgezero_spin.host.runtime.engine_version import engine_version
from edgezero_spin.host.runtime.list_writer import ListWriterModule
from edgezero_spin.host.runtime.memory_slots import MemorySlots
from edgezero_spin.host.runtime.pool import (
    SLOT_BYTES,
    TABLE_ELEMENTS,
    can_map,
    can_reserve,
    set_pool,
)

__all__ = ["Engine", "EngineSettings", "InstanceLimits", "make_engine"]

_log = logging.getLogger(__name__)

_MIB = 1024 * 1024
_GIB = 1024 * _MIB

TICK_S = 0.01
"""Seconds between two epoch ticks. Source: LIFE-6."""


@attrs.frozen(kw_only=True)
class EngineSettings:
    """How the engine compiles and where instances live.

    Attributes:
        pooling: Take instances from address space reserved in advance. Faster; the
            numbers below are its limits.
        max_instances: Instances alive at once. At least 1.
        max_memory_bytes: Most that one linear memory can grow to, 4 GiB at most. An
            instance may be given less, see ``InstanceLimits``.
        memory_keep_resident_bytes: Bytes of a memory slot that stay mapped between two
            instances and are wiped instead of returned.
        table_keep_resident_bytes: The same for a table slot.
        scan_dirty_pages: Wipe only the pages that an instance wrote, where the kernel can
            tell which (Linux 6.7 or later).
        fuel: Count instructions. Costs speed; needed for ``InstanceLimits.fuel``.
        epoch: Let deadlines interrupt guests. Needed for ``InstanceLimits.deadline_s``.
        debug_info: Keep DWARF in compiled code, for native debuggers.
    """

    pooling: bool = True
    max_instances: int = attrs.field(default=1000, validator=ge(1))
    max_memory_bytes: int = attrs.field(default=4 * _GIB, validator=gt(0))
    memory_keep_resident_bytes: int = attrs.field(default=20 * _MIB, validator=ge(0))
    table_keep_resident_bytes: int = attrs.field(default=2 * _MIB, validator=ge(0))
    scan_dirty_pages: bool = True
    fuel: bool = False
    epoch: bool = True
    debug_info: bool = False

    def compile_key(self) -> str:
        """Return what decides whether code compiled under one engine runs under another."""
        return f"fuel={self.fuel} epoch={self.epoch} debug={self.debug_info}"


@attrs.frozen(kw_only=True)
class InstanceLimits:
    """What one instance may use. ``None`` means as much as the engine allows.

    Attributes:
        memory_bytes: Most bytes of linear memory; growing past it fails in the guest,
            needing more to start fails ``instantiate``.
        deadline_s: Seconds from ``instantiate`` until the guest is stopped. Time in host
            functions counts, but only guest code is interrupted.
        fuel: Instructions, roughly.
    """

    memory_bytes: int | None = attrs.field(default=None, validator=optional(gt(0)))
    deadline_s: float | None = attrs.field(default=None, validator=optional(gt(0)))
    fuel: int | None = attrs.field(default=None, validator=optional(ge(0)))


class _Ticker:
    """Advances an engine's epoch every ``TICK_S`` while anyone needs it.

    The thread starts with the first deadline, and sleeps without waking while no instance
    has one.
    """

    def __init__(self, engine: wasmtime.Engine) -> None:
        self._engine = engine
        self._condition = threading.Condition()
        self._users = 0
        self._asleep = False
        self._closed = False
        self._thread: threading.Thread | None = None

    def acquire(self) -> None:
        """Keep the clock running until ``release``.

        Raises:
            EngineError: The engine is closed.
        """
        with self._condition:
            if self._closed:
                raise EngineError("the engine is closed; no deadline can be kept")
            self._users += 1
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="edgezero-epoch", daemon=True
                )
                self._thread.start()
            if self._asleep:
                # One that waits for its next tick is not to be woken before that.
                self._condition.notify_all()

    def release(self) -> None:
        """End one ``acquire``."""
        with self._condition:
            self._users -= 1

    def close(self) -> None:
        """Stop the thread and wait for it."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        condition = self._condition
        with condition:
            while not self._closed:
                if self._users == 0:
                    self._asleep = True
                    condition.wait()
                    self._asleep = False
                else:
                    condition.wait(TICK_S)
                    self._engine.increment_epoch()


class Engine:
    """A configured wasmtime engine. ``make_engine`` makes one; ``close`` or ``with`` ends it.

    Attributes:
        settings: What was asked for.
        pooling: Whether the pool was granted.
        native: The engine below.
        slots: The pool's slots, where the engine wipes but what an instance wrote.
        table_elements: Most elements of a table; ``None`` where the pool sees to it.
    """

    def __init__(
        self,
        settings: EngineSettings,
        native: wasmtime.Engine,
        pooling: bool,
        slots: MemorySlots | None = None,
    ) -> None:
        self.settings = settings
        self.native = native
        self.pooling = pooling
        self.slots = slots
        self.ticker = _Ticker(native)
        self.table_elements = None if pooling else TABLE_ELEMENTS

    @cached_property
    def list_writer(self) -> ListWriterModule:
        """What writes large lists to guests, compiled when the first one comes."""
        return ListWriterModule(self.native)

    def compile_key(self) -> str:
        """Return the part of a cache key that stands for engine, version and machine."""
        return (
            f"wasmtime={engine_version()} platform={sys.platform}-{ffi.machine} "
            # Not whether instances are pooled: the code is the same, byte for byte.
            f"{self.settings.compile_key()}"
        )

    def close(self) -> None:
        """Stop the clock. Instances and components keep the native engine alive."""
        self.ticker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def make_engine(settings: EngineSettings | None = None) -> Engine:
    """Return a new engine.

    Without the address space for the pool, or when the system refuses it, instances are
    allocated one by one: slower, and said in the log.

    Raises:
        EngineError: A setting is out of range.
    """
    settings = settings or EngineSettings()
    if settings.max_memory_bytes > 4 * _GIB:
        raise EngineError(
            f"max_memory_bytes is {settings.max_memory_bytes}; a 32-bit memory ends at 4 GiB"
        )
    pooling = settings.pooling
    count = settings.max_instances
    if pooling and not (can_reserve(count * SLOT_BYTES) and can_map(count)):
        _log.warning(
            "the system refuses %d GiB of address space for %d pooled instances; instances "
            "are allocated one by one, which is slower (lower max_instances or raise ulimit -v)",
            count * SLOT_BYTES // _GIB,
            count,
        )
        pooling = False
    config = wasmtime.Config()
    config.epoch_interruption = settings.epoch
    config.consume_fuel = settings.fuel
    config.debug_info = settings.debug_info
    # A view of a guest's memory stays good as long as the memory does not move.
    ffi.wasmtime_config_memory_may_move_set(config.ptr(), False)
    scans = pooling and set_pool(config, settings)
    slots = MemorySlots() if scans else None
    return Engine(settings, wasmtime.Engine(config), pooling, slots)
