"""The wasm engine: its settings, its memory pool, its clock and its components.

In: ``EngineSettings`` and component files. Out: an ``Engine`` and ``Component`` values
that ``linking.link`` takes. An engine is shared by every thread and application of a
process; instances are not made here.

Source: contract spin-host.md, LIFE-6, LIFE-9 and ENG-1 to ENG-10; the pool's numbers are
what components built by componentize-py need.
"""

import hashlib
import logging
import pickle
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import attrs
import wasmtime
from attrs.validators import ge, gt, optional
from wasmtime import _ffi as ffi

from edgezero_spin.host.errors import ComponentError, EngineError, LinkError
from edgezero_spin.host.runtime.compiled_cache import CompiledCache
from edgezero_spin.host.runtime.compiling import compiling
from edgezero_spin.host.runtime.engine_version import engine_version
from edgezero_spin.host.runtime.pool import SLOT_BYTES, can_map, can_reserve, set_pool
from edgezero_spin.wasm.component.linked import LinkedComponent

__all__ = [
    "CompiledForm",
    "Component",
    "Engine",
    "EngineSettings",
    "InstanceLimits",
    "compiled_form",
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
    """

    def __init__(self, settings: EngineSettings, native: wasmtime.Engine, pooling: bool) -> None:
        self.settings = settings
        self.native = native
        self.pooling = pooling
        self.ticker = _Ticker(native)

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
            settings.max_instances * SLOT_BYTES // _GIB,
            settings.max_instances,
        )
        pooling = False
    config = wasmtime.Config()
    config.epoch_interruption = settings.epoch
    config.consume_fuel = settings.fuel
    config.debug_info = settings.debug_info
    # A view of a guest's memory stays good as long as the memory does not move.
    ffi.wasmtime_config_memory_may_move_set(config.ptr(), False)
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
    """A component, compiled.

    Attributes:
        path: Where it came from, for messages.
        digest: SHA-256 of the wasm bytes, in hex.
        engine: The engine that it was compiled for.
        cache: Where compiled code is kept.
        wasm: The bytes.
        code: What to instantiate; ``None`` where it has to be linked with others first.
    """

    path: Path
    digest: str
    engine: Engine
    cache: CompiledCache | None
    wasm: bytes = attrs.field(repr=False)
    code: "CompiledForm | None"

    def names(self) -> tuple[list[str], list[str]]:
        """Return the names of what the component imports, and of what it exports.

        Raises:
            ComponentError: It cannot be read.
        """
        # A component alone whose compiled form is kept is not read at all.
        from edgezero_spin.wasm.component.core_guest import read_guest
        from edgezero_spin.wasm.component.definitions import ExportDefinition, ImportDefinition
        from edgezero_spin.wasm.component.errors import ComponentError as WasmComponentError

        try:
            found = read_guest(self.wasm).definitions
        except WasmComponentError as error:
            raise _invalid(self.path, error, self.wasm) from error
        imports = [part.name for part in found if isinstance(part, ImportDefinition)]
        return imports, [part.name for part in found if isinstance(part, ExportDefinition)]


Dependencies = tuple[tuple[str, Component, str | None], ...]
"""For each import that another component provides: its name, the component and which export of
that one it is, ``None`` for all."""


@attrs.frozen(eq=False)
class CompiledForm:
    """What a runtime instantiates for a component.

    Attributes:
        linked: The component, linked and fused. In the place of each core module's bytes is
            its digest.
        modules: The compiled core modules by digest.
    """

    linked: LinkedComponent
    modules: Mapping[bytes, wasmtime.Module]


def load_component(
    engine: Engine, path: Path | str, cache_dir: Path | None = None, *, joined: bool = False
) -> Component:
    """Return the component in a ``.wasm`` or ``.wat`` file, compiled or from the cache.

    A core module that can be one is adapted (``wasm/component/adapting.py``).

    Args:
        engine: What it will run on.
        path: The file. Text and binary are told apart by content.
        cache_dir: Folder of compiled components, made when missing. ``None`` compiles
            every time.
        joined: Other components will serve some of its imports, so it is compiled with them.

    Raises:
        ComponentError: The file cannot be read, or is no component and cannot be one.
    """
    path = Path(path)
    wasm = read_wasm(path)
    digest = hashlib.sha256(wasm).hexdigest()
    cache = None if cache_dir is None else CompiledCache(cache_dir, engine.compile_key())
    component = Component(path, digest, engine, cache, wasm, None)
    return component if joined else attrs.evolve(component, code=compiled_form(component))


_FORM = "form 2"
"""Changes with the classes of the linked form and with what the fuser does."""


def compiled_form(component: Component, dependencies: Dependencies = ()) -> CompiledForm:
    """Return what to instantiate for a component and those that it depends on.

    Args:
        component: The component.
        dependencies: Those that provide some of its imports.

    Raises:
        ComponentError: A component is not valid.
        LinkError: The dependency for the import that ``item`` names does not fit.
    """
    cache = component.cache
    key = f"{_FORM} {component.digest}"
    for name, part, export in dependencies:
        key += f" {name} {part.digest} {export}"
    form = None if cache is None else _kept_form(component.engine, cache, key)
    if form is not None:
        return form
    return compiling(component.path, lambda: _compile(component, dependencies, key))


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


def _compile(component: Component, dependencies: Dependencies, key: str) -> CompiledForm:
    # What was compiled before needs none of this.
    from edgezero_spin.host.runtime.proposals import refused_proposal
    from edgezero_spin.wasm.component.errors import ComponentError as WasmComponentError
    from edgezero_spin.wasm.fuse.fusing import fuse

    engine, cache = component.engine, component.cache
    try:
        fused = fuse(
            _linked(component, dependencies), cache=None if cache is None else _CodeEntries(cache)
        )
        proposal = refused_proposal(fused)
        if proposal is not None:
            raise ComponentError(
                component.path,
                f"uses {proposal}, a proposal that this host does not run; nor does Spin",
                "Build it without",
            )
        modules = {}
        cores = []
        for core in fused.core_instances:
            digest = hashlib.sha256(core.module).digest()
            cores.append(attrs.evolve(core, module=digest))
            if digest not in modules:
                modules[digest] = _compiled_module(engine, cache, core.module, digest)
    except (WasmComponentError, wasmtime.WasmtimeError) as error:
        raise _invalid(component.path, error, component.wasm) from error
    form = attrs.evolve(fused, core_instances=tuple(cores))
    if cache is not None:
        cache.store_bytes(key, pickle.dumps(form))
    return CompiledForm(form, modules)


def _kept_form(engine: Engine, cache: CompiledCache, key: str) -> CompiledForm | None:
    """Return a component from the cache, whose entries are trusted like compiled code."""
    content = cache.load_bytes(key)
    if content is None:
        return None
    try:
        linked = pickle.loads(content)
    except Exception as error:
        _log.info("linking again, an entry of the cache cannot be read: %s", error)
        return None
    if not isinstance(linked, LinkedComponent):
        return None
    modules: dict[bytes, wasmtime.Module] = {}
    for core in linked.core_instances:
        module = modules.get(core.module) or cache.load(engine.native, core.module.hex())
        if module is None:
            return None
        modules[core.module] = module
    return CompiledForm(linked, modules)


@attrs.frozen
class _CodeEntries:
    """Keeps the fuser's code modules among the compiled code; ``wasm.fuse.CodeCache``."""

    cache: CompiledCache

    def load(self, key: str) -> bytes | None:
        """Return an entry, ``None`` if there is none."""
        return self.cache.load_bytes(f"code {key}")

    def store(self, key: str, entry: bytes) -> None:
        """Keep an entry."""
        self.cache.store_bytes(f"code {key}", entry)


def _linked(component: Component, dependencies: Dependencies) -> LinkedComponent:
    """Link a component with those that it depends on.

    Raises:
        LinkError: The dependency for the import that ``item`` names does not fit.
        ComponentError: The file of a dependency is not valid.
        wasm.component.errors.ComponentError: The component is not valid.
    """
    from edgezero_spin.wasm.component.core_guest import CoreGuest, read_guest
    from edgezero_spin.wasm.component.definitions import Component as Definitions
    from edgezero_spin.wasm.component.errors import ComponentError as WasmComponentError
    from edgezero_spin.wasm.component.linking import Dependency, link, validate

    root = read_guest(component.wasm)
    given = []
    providers: dict[int, Definitions | CoreGuest] = {}
    for name, part, export in dependencies:
        # One that provides several imports is one instance.
        provider = providers.get(id(part))
        if provider is None:
            try:
                provider = providers[id(part)] = read_guest(part.wasm)
                validate(provider)
            except WasmComponentError as error:
                raise _invalid(part.path, error, part.wasm) from error
        given.append(Dependency(name, provider, export))
    try:
        return link(root, tuple(given))
    except WasmComponentError:
        for one in given:
            try:
                link(root, (one,))
            except WasmComponentError as error:
                validate(root)
                raise LinkError(one.name, error.reason) from error
        raise


def _invalid(path: Path, error: Exception, wasm: bytes) -> ComponentError:
    again = "Build it again with a current tool chain"
    if not is_core_module(wasm):
        return ComponentError(path, f"is not a valid component: {error}", again)
    if isinstance(error, wasmtime.WasmtimeError):
        return ComponentError(path, f"is not a valid module: {error}", again)
    reason = getattr(error, "reason", str(error))
    return ComponentError(
        path,
        f"is a core module that cannot be adapted: {reason}",
        "Build it as a component, or wrap it with `wasm-tools component new`",
    )


def _compiled_module(
    engine: Engine, cache: CompiledCache | None, wasm: bytes, digest: bytes
) -> wasmtime.Module:
    module = None
    if cache is not None:
        module = cache.load(engine.native, digest.hex())
    if module is None:
        module = wasmtime.Module(engine.native, wasm)
        if cache is not None:
            cache.store(digest.hex(), module)
    return module
