"""Components, loaded: read, linked, fused and compiled, or from the cache.

In: component files and core modules, and an engine. Out: ``CompiledComponent`` values that
``linking.link`` takes, and the ``CompiledForm`` of those that are joined to others.

Source: contract spin-host.md, ENG-1 to ENG-10 and GEN-8.
"""

import hashlib
import logging
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import wasmtime

from edgezero_spin.host.errors import ComponentError, LinkError
from edgezero_spin.host.runtime.compiled_cache import CompiledCache
from edgezero_spin.host.runtime.compiling import compiling
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.wasm.component.linked import LinkedComponent
from edgezero_spin.wasm.sources import sources_digest

if TYPE_CHECKING:
    from edgezero_spin.wasm.component.core_guest import CoreGuest
    from edgezero_spin.wasm.component.definitions import Component

__all__ = [
    "CompiledComponent",
    "CompiledForm",
    "ProvidedImport",
    "compiled_form",
    "is_core_module",
    "load_component",
    "read_wasm",
]

_log = logging.getLogger(__name__)

_MAGIC = b"\0asm"
_PREAMBLE_BYTES = 8


@attrs.frozen(eq=False)
class CompiledComponent:
    """A component, compiled.

    Attributes:
        path: Where it came from, for messages.
        digest: SHA-256 of the wasm bytes, in hex.
        cache: Where compiled code is kept.
        code: What to instantiate; ``None`` where it has to be linked with others first.
    """

    path: Path
    digest: str
    engine: Engine
    cache: CompiledCache | None
    code: "CompiledForm | None"

    def wasm(self) -> bytes:
        """Read the bytes again: a start that finds all compiled holds none of them.

        Raises:
            ComponentError: The file was changed or removed since it was loaded.
        """
        content = read_wasm(self.path)
        if hashlib.sha256(content).hexdigest() != self.digest:
            raise ComponentError(
                self.path, "was changed while it was loaded", "Start again after the build"
            )
        return content

    def names(self) -> tuple[list[str], list[str]]:
        """Return the names of what the component imports, and of what it exports.

        Raises:
            ComponentError: It cannot be read.
        """
        # A component alone whose compiled form is kept is not read at all.
        from edgezero_spin.wasm.component.core_guest import read_guest
        from edgezero_spin.wasm.component.definitions import ExportDefinition, ImportDefinition
        from edgezero_spin.wasm.component.errors import WasmError

        wasm = self.wasm()
        try:
            found = read_guest(wasm).definitions
        except WasmError as error:
            raise _invalid(self.path, error, wasm) from error
        imports = [part.name for part in found if isinstance(part, ImportDefinition)]
        return imports, [part.name for part in found if isinstance(part, ExportDefinition)]


@attrs.frozen
class ProvidedImport:
    """A component that provides an import of another.

    Attributes:
        name: Of the import.
        export: What of it is used; ``None`` for all of its exports.
        host_name: Its name in the linked form; no two of a component are the same.
        providers: Those of its own imports.
    """

    name: str
    component: CompiledComponent
    export: str | None
    host_name: str
    providers: "tuple[ProvidedImport, ...]" = ()

    @property
    def key(self) -> str:
        """What tells it apart from others in the cache."""
        own = f" {self.name} {self.component.digest} {self.export}"
        below = "".join(part.key for part in self.providers)
        return f"{own} ({below})" if below else own


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
) -> CompiledComponent:
    """Return the component in a ``.wasm`` or ``.wat`` file, compiled or from the cache.

    A core module that can be one is adapted (``wasm/component/adapting.py``).

    Args:
        engine: What it will run on.
        path: The file. Text and binary are told apart by content.
        cache_dir: Folder of compiled components, made when missing. ``None`` compiles
            every time.
        joined: Other components will serve some of its imports, so it is compiled with them.

    Raises:
        ComponentError: The file cannot be read, or is not a component and cannot be one.
    """
    path = Path(path)
    digest = _digest_of(path)
    cache = None if cache_dir is None else CompiledCache(cache_dir, engine.compile_key())
    component = CompiledComponent(path, digest, engine, cache, None)
    return component if joined else attrs.evolve(component, code=compiled_form(component))


def compiled_form(
    component: CompiledComponent, providers: tuple[ProvidedImport, ...] = ()
) -> CompiledForm:
    """Return what to instantiate for a component and those that it depends on.

    Args:
        providers: Those that provide some of its imports.

    Raises:
        ComponentError: A component is not valid.
        LinkError: The dependency for the import that ``item`` names does not fit.
    """
    cache = component.cache
    key = f"form {sources_digest()} {component.digest}" + "".join(part.key for part in providers)
    form = None if cache is None else _kept_form(component.engine, cache, key)
    if form is not None:
        return form
    return compiling(component.path, lambda: _compile(component, providers, key))


def read_wasm(path: Path) -> bytes:
    """Return the binary form of a ``.wasm`` or ``.wat`` file.

    Raises:
        ComponentError: The file cannot be read, or is not wasm.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    if not content.startswith(_MAGIC):
        content = _parse_text(path, content)
    if len(content) < _PREAMBLE_BYTES:
        raise ComponentError(path, "is cut short", "Build the component again")
    return content


def _digest_of(path: Path) -> str:
    """Return the digest of the binary form, read in pieces: a component has 20 MB.

    Raises:
        ComponentError: The file cannot be read, or is not wasm.
    """
    try:
        with path.open("rb", buffering=0) as file:
            preamble = file.read(_PREAMBLE_BYTES)
            if preamble.startswith(_MAGIC) and len(preamble) == _PREAMBLE_BYTES:
                file.seek(0)
                return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error
    return hashlib.sha256(read_wasm(path)).hexdigest()


def _unreadable(path: Path, error: OSError) -> ComponentError:
    return ComponentError(path, f"cannot be read ({error.strerror})", "Build the component first")


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


def _compile(
    component: CompiledComponent, providers: tuple[ProvidedImport, ...], key: str
) -> CompiledForm:
    # What was compiled before needs none of this.
    from edgezero_spin.host.runtime.proposals import refused_proposal
    from edgezero_spin.wasm.component.core_guest import read_guest
    from edgezero_spin.wasm.component.errors import WasmError
    from edgezero_spin.wasm.component.linking import unused_modules
    from edgezero_spin.wasm.fuse.fusing import fuse

    engine, cache = component.engine, component.cache
    wasm = component.wasm()
    try:
        root = read_guest(wasm)
        linked = _linked(root, providers)
        for module in unused_modules(root, linked):
            # The engine never compiles it, and an invalid one makes the component invalid.
            wasmtime.Module.validate(engine.native, module)
        fused = fuse(linked, cache=cache)
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
    except (WasmError, wasmtime.WasmtimeError) as error:
        raise _invalid(component.path, error, wasm) from error
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


def _linked(
    root: "Component | CoreGuest", providers: tuple[ProvidedImport, ...]
) -> LinkedComponent:
    """Link a component with those that it depends on.

    Raises:
        LinkError: The dependency for the import that ``item`` names does not fit.
        ComponentError: The file of a dependency is not valid.
        wasm.component.errors.WasmError: The component is not valid.
    """
    from edgezero_spin.wasm.component.core_guest import read_guest
    from edgezero_spin.wasm.component.errors import WasmError
    from edgezero_spin.wasm.component.linking import ProvidedComponent, link, validate

    read: dict[int, Component | CoreGuest] = {}

    def provided(part: ProvidedImport) -> ProvidedComponent:
        # One that provides several imports is one instance.
        guest = read.get(id(part.component))
        if guest is None:
            content = part.component.wasm()
            try:
                guest = read[id(part.component)] = read_guest(content)
                validate(guest)
            except WasmError as error:
                raise _invalid(part.component.path, error, content) from error
        below = tuple(provided(inner) for inner in part.providers)
        return ProvidedComponent(part.name, guest, part.export, below, part.host_name)

    given = tuple(provided(part) for part in providers)
    try:
        return link(root, given)
    except WasmError:
        for one in given:
            try:
                link(root, (one,))
            except WasmError as error:
                validate(root)
                raise LinkError(one.name, error.reason) from error
        raise


def _invalid(path: Path, error: Exception, wasm: bytes) -> ComponentError:
    again = "Build it again with a current tool chain"
    said = [line.strip() for line in str(error).splitlines()]
    shown = ": ".join(line for line in said if line and line != "Caused by:")
    if isinstance(error, wasmtime.WasmtimeError) and "pooling allocator" in shown:
        cause = shown.partition(": ")[2].partition(";")[0] or shown
        return ComponentError(
            path,
            f"does not fit the pool of instances: {cause}",
            "Raise the SPIN_WASMTIME_... variable that bounds it, or run with --disable-pooling",
        )
    if not is_core_module(wasm):
        return ComponentError(path, f"is not a valid component: {shown}", again)
    if isinstance(error, wasmtime.WasmtimeError):
        return ComponentError(path, f"is not a valid module: {shown}", again)
    reason = getattr(error, "reason", str(error))
    return ComponentError(
        path,
        f"is a core module that cannot be adapted: {reason}",
        "Build it as a component, or wrap it with `wasm-tools component new`",
    )


def _compiled_module(
    engine: Engine, cache: CompiledCache | None, wasm: bytes, digest: bytes
) -> wasmtime.Module:
    module = None if cache is None else cache.load(engine.native, digest.hex())
    if module is None:
        module = wasmtime.Module(engine.native, wasm)
        if cache is not None:
            cache.store(digest.hex(), module)
    return module
