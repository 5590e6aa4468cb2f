"""Core wasm modules that are WASI 0.1 commands: loading, linking and running them.

In: a file, what its component is granted and a ``Command``. Out: the command's output, or
one of the errors that say why there is none. The engine's own WASI 0.1 serves the module,
with an environment, directories and streams made for this one run and nothing inherited.
One function of it is replaced: ``poll_oneoff`` waits here, where a deadline and the end of
the host reach a guest that sleeps.

Source: contract spin-host.md, WAGI-1 to WAGI-6, ENV-1, ENV-12 to ENV-17, LIFE-6 and LIFE-9;
WASI preview 1 for the layout of what ``poll_oneoff`` reads and writes.
"""

import ctypes
import hashlib
import math
import struct
from collections.abc import Iterable
from pathlib import Path
from time import monotonic_ns, time_ns
from typing import Any, Self

import attrs
import wasmtime
from wasmtime import _ffi as ffi

from edgezero_spin.host.errors import (
    ComponentError,
    GuestTrapped,
    InstanceError,
    LinkError,
    Trap,
)
from edgezero_spin.host.factors.command import Command
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.cli import GuestExit, too_much_output
from edgezero_spin.host.runtime.compiled_cache import CompiledCache
from edgezero_spin.host.runtime.compiling import compiling
from edgezero_spin.host.runtime.engine import (
    TICK_S,
    Engine,
    InstanceLimits,
    is_core_module,
    read_wasm,
)
from edgezero_spin.host.runtime.instance import NO_DEADLINE
from edgezero_spin.host.runtime.traps import failure_of_text

__all__ = ["ENTRY_POINT", "CompiledModule", "LinkedModule", "ModuleInstance", "load_module"]

ENTRY_POINT = "_start"

# Of one poll. Each takes more of the host than of the guest, which has no table of them.
MAX_SUBSCRIPTIONS = 65_536

_WASI = "wasi_snapshot_preview1"
_UNLIMITED_FUEL = (1 << 64) - 1


@attrs.frozen(eq=False)
class CompiledModule:
    """A compiled core module.

    Attributes:
        path: Where it came from, for messages.
        digest: SHA-256 of the wasm bytes, in hex.
        engine: The engine that it was compiled for.
        native: The module below.
    """

    path: Path
    digest: str
    engine: Engine
    native: wasmtime.Module


def load_module(engine: Engine, path: Path | str, cache_dir: Path | None = None) -> CompiledModule:
    """Return the core module in a ``.wasm`` or ``.wat`` file, compiled or from the cache.

    Args:
        engine: What it will run on.
        path: The file.
        cache_dir: Folder of compiled components and modules; ``None`` compiles every time.

    Raises:
        ComponentError: The file cannot be read, or is no core module.
    """
    path = Path(path)
    wasm = read_wasm(path)
    if not is_core_module(wasm):
        raise ComponentError(path, "is a component, no core module", "Load it as a component")
    digest = hashlib.sha256(wasm).hexdigest()
    cache = None if cache_dir is None else CompiledCache(cache_dir, engine.compile_key())
    native = None if cache is None else cache.load(engine.native, digest)
    if native is None:
        try:
            native = compiling(path, lambda: wasmtime.Module(engine.native, wasm))
        except wasmtime.WasmtimeError as error:
            raise ComponentError(
                path,
                f"is not a valid module: {error}",
                "Build it again with a current tool chain",
            ) from error
        if cache is not None:
            cache.store(digest, native)
    return CompiledModule(path, digest, engine, native)


class LinkedModule:
    """A command with every import defined. Safe to share between threads.

    Attributes:
        module: The module.
    """

    def __init__(self, module: CompiledModule) -> None:
        """Join a module to WASI 0.1.

        Raises:
            LinkError: It imports something else, or is no command.
        """
        self.module = module
        foreign = sorted(
            f"{part.module} {part.name}" for part in module.native.imports if part.module != _WASI
        )
        if foreign:
            raise LinkError(
                str(module.path), f"imports {', '.join(foreign)}; a command imports {_WASI} only"
            )
        offer = [part.name for part in module.native.exports]
        if ENTRY_POINT not in offer:
            raise LinkError(
                str(module.path),
                f"exports no {ENTRY_POINT}, so it is no WASI 0.1 command (exported: "
                f"{', '.join(offer) or 'nothing'})",
            )
        self._linker = wasmtime.Linker(module.engine.native)
        self._linker.define_wasi()
        self._linker.allow_shadowing = True
        _define_poll(self._linker)

    def instantiate(self, state: InstanceState, limits: InstanceLimits) -> "ModuleInstance":
        """Return a fresh instance; ``state.command`` is what it runs.

        Raises:
            OutOfMemory: The module needs more than its limits to start.
            EngineBusy: All pooled instances are in use.
            GuestTrapped: The module trapped while it started.
        """
        if state.command is None:
            raise InstanceError("a command module needs a command to run")
        return ModuleInstance(self.module, self._linker, state, state.command, limits)


_instances: dict[int, "ModuleInstance"] = {}
"""Running instances by the address of their store's context."""


class ModuleInstance:
    """One run of a command module, on one thread. Use it in ``with``, or ``close`` it."""

    def __init__(
        self,
        module: CompiledModule,
        linker: wasmtime.Linker,
        state: InstanceState,
        command: Command,
        limits: InstanceLimits,
    ) -> None:
        """Called by ``LinkedModule.instantiate``."""
        self.state = state
        self.command = command
        self.failure: BaseException | None = None
        self._engine = module.engine
        self._ticking = False
        self._store: wasmtime.Store | None = None
        store = wasmtime.Store(module.engine.native)
        self._address = _address_of(store._context())
        self._store = store
        try:
            self._apply(store, limits)
            store.set_wasi(_wasi_of(state, command))
            self.begin_ns = monotonic_ns()
            _instances[self._address] = self
            self._native = self._guarded(lambda: linker.instantiate(store, module.native))
        except BaseException:
            self.close()
            raise

    def _apply(self, store: wasmtime.Store, limits: InstanceLimits) -> None:
        settings = self._engine.settings
        if limits.memory_bytes is not None:
            store.set_limits(memory_size=limits.memory_bytes)
        if settings.fuel:
            store.set_fuel(_UNLIMITED_FUEL if limits.fuel is None else limits.fuel)
        if settings.epoch:
            ticks = NO_DEADLINE
            if limits.deadline_s is not None:
                self._engine.ticker.acquire()
                self._ticking = True
                ticks = math.ceil(limits.deadline_s / TICK_S) + 1
            store.set_epoch_deadline(ticks)

    def run(self) -> None:
        """Run the command to its end.

        Raises:
            GuestExit: It ended with a status that is not 0.
            GuestTrapped: It stopped; one of the subclasses where the reason is known.
        """
        store = self._store
        if store is None:
            raise InstanceError("the instance is closed")
        entry = self._native.exports(store)[ENTRY_POINT]
        if not isinstance(entry, wasmtime.Func):
            raise InstanceError(f"{ENTRY_POINT} is no function")
        try:
            self._guarded(lambda: entry(store))
        except GuestTrapped as error:
            if self.command.overflowed:
                raise Trap(too_much_output(self.command)) from error
            if not isinstance(error, GuestExit) or error.code != 0:
                raise
        if self.command.overflowed:
            raise Trap(too_much_output(self.command))

    def _guarded(self, call: Any) -> Any:
        """Run guest code, and turn what the engine says into an error of this host."""
        try:
            return call()
        except wasmtime.ExitTrap as error:
            raise GuestExit(error.code) from error
        except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
            if self.failure is not None:
                raise self.failure from None
            code = error.trap_code if isinstance(error, wasmtime.Trap) else None
            raise failure_of_text(str(error), None if code is None else code.value) from error

    def close(self) -> None:
        """Free the instance. Twice is harmless."""
        store, self._store = self._store, None
        if store is None:
            return
        _instances.pop(self._address, None)
        store.close()
        if self._ticking:
            self._ticking = False
            self._engine.ticker.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _address_of(context: Any) -> int:
    return ctypes.cast(context, ctypes.c_void_p).value or 0


def _wasi_of(state: InstanceState, command: Command) -> wasmtime.WasiConfig:
    config = wasmtime.WasiConfig()
    config.argv = list(command.arguments)
    config.env = command.environment
    content = ffi.wasm_byte_vec_t()
    # The configuration takes these bytes over.
    ffi.wasm_byte_vec_new(
        ctypes.byref(content),
        len(command.stdin),
        ctypes.cast(ctypes.c_char_p(command.stdin), ctypes.POINTER(ctypes.c_uint8)),
    )
    ffi.wasi_config_set_stdin_bytes(config.ptr(), ctypes.byref(content))
    config.stdout_custom = lambda data: len(data) if command.print(data) else -_ENOSPC
    config.stderr_custom = lambda data: state.sink("stderr").write(data)
    for mount in state.grants.mounts:
        config.preopen_dir(str(mount.host_path), mount.guest_path, fs_mutable=mount.writable)
    return config


_ENOSPC = 28

# Of WASI preview 1.
_SUCCESS = 0
_FAULT = 21
_INVALID = 28
_CLOCK = 0
_MONOTONIC = 1
_ABSOLUTE = 1
_SUBSCRIPTION = struct.Struct("<QB7xI4xQQH6x")
_EVENT = struct.Struct("<QHB5xQH6x")
_COUNT = struct.Struct("<I")


@attrs.frozen
class _Subscription:
    """What a guest waits for.

    Attributes:
        id: Its own mark on it.
        kind: The clock, or reading or writing a descriptor.
        until_ns: ``monotonic_ns`` at which a clock is due; ``None`` for a descriptor.
    """

    id: int
    kind: int
    until_ns: int | None


_Finalizer = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def _define_poll(linker: wasmtime.Linker) -> None:
    """Replace ``poll_oneoff``, below the package's own way of defining functions.

    The package keeps what a callback raises in one place for all threads, where another
    guest's call would find it; here it stays with its instance.
    """
    number = wasmtime.ValType.i32()
    type_ = wasmtime.FuncType([number] * 4, [number])
    module, name = _WASI.encode(), b"poll_oneoff"
    problem = ffi.wasmtime_linker_define_func(
        linker.ptr(),
        ctypes.create_string_buffer(module),
        len(module),
        ctypes.create_string_buffer(name),
        len(name),
        type_.ptr(),
        _poll,
        None,
        ctypes.cast(0, _Finalizer),
    )
    if problem:
        raise wasmtime.WasmtimeError._from_ptr(problem)


def _polled(_data: Any, native: Any, arguments: Any, _count: int, results: Any, _room: int) -> int:
    """``poll_oneoff``: sleep until one of the subscriptions is due.

    Descriptors are files, bytes in memory or logs, and ready at any time.
    """
    caller = wasmtime.Caller(native)
    instance = _instances[_address_of(caller._context())]
    try:
        numbers = [arguments[index].of.i32 for index in range(4)]
        results[0].kind = ffi.WASMTIME_I32.value
        results[0].of.i32 = _answer_poll(instance, caller, *numbers)
    except BaseException as error:
        instance.failure = error
        reason = b"a host function raised"
        return _address_of(ffi.wasmtime_trap_new(ctypes.create_string_buffer(reason), len(reason)))
    return 0


_poll: Any = ffi.wasmtime_func_callback_t(_polled)


def _answer_poll(
    instance: ModuleInstance,
    caller: wasmtime.Caller,
    source: int,
    target: int,
    count: int,
    counted: int,
) -> int:
    """Do the work of ``poll_oneoff``; see ``_poll``.

    Raises:
        GuestTrapped: The instance's time is up, or the host is closing.
    """
    # Unsigned numbers; the engine hands them over as signed ones.
    source, target, count, counted = (
        number & 0xFFFFFFFF for number in (source, target, count, counted)
    )
    memory = caller.get("memory")
    if not isinstance(memory, wasmtime.Memory) or not 0 < count <= MAX_SUBSCRIPTIONS:
        return _INVALID
    room = memory.data_len(caller)
    ends = (source + count * _SUBSCRIPTION.size, target + count * _EVENT.size, counted + 4)
    if max(ends) > room:
        return _FAULT
    content = bytes(memory.read(caller, source, source + count * _SUBSCRIPTION.size))
    wanted = [_subscription(instance, *parts) for parts in _SUBSCRIPTION.iter_unpack(content)]
    times = [part.until_ns for part in wanted if part.until_ns is not None]
    if len(times) == len(wanted):
        instance.state.wait(lambda: False, min(times))
    due = list(_due(wanted, monotonic_ns()))
    events = b"".join(_EVENT.pack(part.id, _SUCCESS, part.kind, 1, 0) for part in due)
    memory.write(caller, events, target)
    memory.write(caller, _COUNT.pack(len(due)), counted)
    return _SUCCESS


def _due(wanted: Iterable[_Subscription], now: int) -> Iterable[_Subscription]:
    return (part for part in wanted if part.until_ns is None or part.until_ns <= now)


def _subscription(
    instance: ModuleInstance, id: int, kind: int, clock: int, timeout: int, _slack: int, flags: int
) -> _Subscription:
    if kind != _CLOCK:
        return _Subscription(id, kind, None)
    if flags & _ABSOLUTE:
        # The guest's monotonic clock began when it did.
        clock_now = monotonic_ns() - instance.begin_ns if clock == _MONOTONIC else time_ns()
        timeout = max(0, timeout - clock_now)
    return _Subscription(id, kind, monotonic_ns() + timeout)
