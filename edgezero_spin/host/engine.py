"""The wasm engine: its settings, its memory pool, its clock and its components.

In: ``EngineSettings`` and component files. Out: an ``Engine`` and ``Component`` values
that ``linking.link`` takes. An engine is shared by every thread and application of a
process; instances are not made here.

Source: contract spin-host.md, LIFE-6, LIFE-9 and ENG-1 to ENG-10; the pool's numbers are
what components built by componentize-py need.
"""

import hashlib
import importlib.metadata
import logging
import sys
import threading
from pathlib import Path
from typing import Self

import attrs
import wasmtime
from attrs.validators import ge, gt, optional
from wasmtime import _ffi as ffi
from wasmtime import component as wit

from edgezero_spin.host.compiled_cache import CompiledCache
from edgezero_spin.host.compiling import compiling
from edgezero_spin.host.errors import ComponentError, EngineError
from edgezero_spin.host.pool import SLOT_BYTES, can_map, can_reserve, set_pool

__all__ = [
    "Component",
    "Engine",
    "EngineSettings",
    "InstanceLimits",
    "is_core_module",
    "load_component",
    "make_engine",
    "read_wasm",
]

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
    max_memory_bytes: int = attrs.field(default=4 * _GIB, validator=[gt(0)])
    memory_keep_resident_bytes: int = attrs.field(default=20 * _MIB, validator=ge(0))
    table_keep_resident_bytes: int = attrs.field(default=2 * _MIB, validator=ge(0))
    scan_dirty_pages: bool = True
    fuel: bool = False
    epoch: bool = True
    debug_info: bool = False

    def compile_key(self) -> str:
        """Return what decides whether code compiled under one engine runs under another."""
        return f"fuel={self.fuel} epoch={self.epoch} debug={self.debug_info} tables=lazy bytes=bulk"


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
    """

    def __init__(self, settings: EngineSettings, native: wasmtime.Engine, pooling: bool) -> None:
        self.settings = settings
        self.native = native
        self.pooling = pooling
        self.ticker = _Ticker(native)

    def compile_key(self) -> str:
        """Return the part of a cache key that stands for engine, version and machine."""
        version = importlib.metadata.version("wasmtime")
        return (
            f"wasmtime={version} platform={sys.platform}-{ffi.machine} "
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
            settings.max_instances * SLOT_BYTES // _GIB,
            settings.max_instances,
        )
        pooling = False
    config = wasmtime.Config()
    config.wasm_component_model = True
    config.epoch_interruption = settings.epoch
    config.consume_fuel = settings.fuel
    config.debug_info = settings.debug_info
    # A view of a guest's memory stays good as long as the memory does not move.
    ffi.wasmtime_config_memory_may_move_set(config.ptr(), False)
    # Tasks of WASI 0.3, which this host has no use for. With them, wasmtime 50.0 stops every
    # call that passes two borrowed handles, as `poll` of two pollables does.
    ffi.wasmtime_config_concurrency_support_set(config.ptr(), False)
    if pooling:
        set_pool(
            config,
            count=settings.max_instances,
            max_memory_bytes=settings.max_memory_bytes,
            memory_keep_resident_bytes=settings.memory_keep_resident_bytes,
            table_keep_resident_bytes=settings.table_keep_resident_bytes,
            scan_dirty_pages=settings.scan_dirty_pages,
        )
    return Engine(settings, wasmtime.Engine(config), pooling)


@attrs.frozen(eq=False)
class Component:
    """A compiled component.

    Attributes:
        path: Where it came from, for messages.
        digest: SHA-256 of the wasm bytes, in hex.
        engine: The engine that it was compiled for.
        native: The component below.
    """

    path: Path
    digest: str
    engine: Engine
    native: wit.Component


def load_component(
    engine: Engine, path: Path | str, cache_dir: Path | None = None, *, joined: bool = False
) -> Component:
    """Return the component in a ``.wasm`` or ``.wat`` file, compiled or from the cache.

    Args:
        engine: What it will run on.
        path: The file. Text and binary are told apart by content.
        cache_dir: Folder of compiled components, made when missing. ``None`` compiles
            every time.
        joined: Other components will serve some of its imports. Their types then stay as
            they are; otherwise bytes cross them in bulk (``wasm/bulk_bytes.py``).

    Raises:
        ComponentError: The file cannot be read, or is not a component.
    """
    path = Path(path)
    wasm = read_wasm(path)
    if is_core_module(wasm):
        raise ComponentError(
            path,
            "is a core wasm module, not a component",
            "Wrap it with `wasm-tools component new`, build it for a component target, or, if "
            'it is a WASI 0.1 command, give its trigger `executor = { type = "wagi" }`',
        )
    digest = hashlib.sha256(wasm).hexdigest()
    cache = None if cache_dir is None else CompiledCache(cache_dir, engine.compile_key())
    entry = f"{digest} joined" if joined else digest
    native: wit.Component | None = None
    if cache is not None:
        native = cache.load(engine.native, entry, wit.Component)
    if native is None:
        native = compiling(path, lambda: _compile(engine, path, wasm, joined=joined))
        if cache is not None:
            cache.store(entry, native)
    return Component(path, digest, engine, native)


def read_wasm(path: Path) -> bytes:
    """Return the binary form of a ``.wasm`` or ``.wat`` file.

    Raises:
        ComponentError: The file cannot be read, or is no wasm.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ComponentError(
            path, f"cannot be read ({error.strerror})", "Build the component first"
        ) from error
    if not content.startswith(b"\0asm"):
        content = _parse_text(path, content)
    if len(content) < 8:
        raise ComponentError(path, "is cut short", "Build the component again")
    return content


def is_core_module(wasm: bytes) -> bool:
    """Whether a binary is a core module, no component."""
    return wasm[4:8] == b"\x01\0\0\0"


def _parse_text(path: Path, content: bytes) -> bytes:
    try:
        text = content.decode()
        return bytes(wasmtime.wat2wasm(text))
    except (UnicodeDecodeError, wasmtime.WasmtimeError) as error:
        if path.suffix == ".wat":
            raise ComponentError(
                path, f"is not valid wasm text: {error}", "Correct the text"
            ) from error
        raise ComponentError(
            path, "is not a wasm file", "Point to the component that the build made"
        ) from error


def _compile(engine: Engine, path: Path, wasm: bytes, *, joined: bool) -> wit.Component:
    # What was compiled before needs none of this.
    from edgezero_spin.wasm.bulk_bytes import with_bulk_bytes
    from edgezero_spin.wasm.lazy_table import with_lazy_table

    lazy = with_lazy_table(wasm)
    forms = [lazy] if joined else [with_bulk_bytes(lazy), lazy]
    for form in dict.fromkeys(forms):
        if form != wasm:
            try:
                return wit.Component(engine.native, form)
            except wasmtime.WasmtimeError as error:
                _log.debug("the engine refuses a rewired form of %s: %s", path, error)
    try:
        return wit.Component(engine.native, wasm)
    except wasmtime.WasmtimeError as error:
        if "component model async feature" in str(error):
            raise ComponentError(
                path,
                "needs WASI 0.3 (its streams, futures or async functions), which this host "
                "does not run",
                "Build it for WASI 0.2, or serve it with `spin up`",
            ) from error
        raise ComponentError(
            path,
            f"is not a valid component: {error}",
            "Build it again with a current tool chain",
        ) from error
