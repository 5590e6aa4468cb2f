"""Components, loaded: read, linked, fused and compiled, or from the cache.

In: component files and core modules, and an engine. Out: ``Component`` values that
``linking.link`` takes, and the ``CompiledForm`` of those that are joined to others.

Source: contract spin-host.md, ENG-1 to ENG-10 and GEN-8.
"""

import hashlib
import logging
import pickle
from collections.abc import Mapping
from pathlib import Path

import attrs
import wasmtime

from edgezero_spin.host.errors import ComponentError, LinkError
from edgezero_spin.host.runtime.compiled_cache import CompiledCache
from edgezero_spin.host.runtime.compiling import compiling
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.wasm.component.linked import LinkedComponent

__all__ = [
    "CompiledForm",
    "Component",
    "Provider",
    "compiled_form",
    "is_core_module",
    "load_component",
    "read_wasm",
]

_log = logging.getLogger(__name__)


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


@attrs.frozen
class Provider:
    """A component that provides an import of another.

    Attributes:
        name: Of the import.
        component: The component.
        export: What of it is used; ``None`` for all of its exports.
        host_name: Its name in the linked form; no two of a component are the same.
        providers: Those of its own imports.
    """

    name: str
    component: Component
    export: str | None
    host_name: str
    providers: "tuple[Provider, ...]" = ()

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


def compiled_form(component: Component, providers: tuple[Provider, ...] = ()) -> CompiledForm:
    """Return what to instantiate for a component and those that it depends on.

    Args:
        component: The component.
        providers: Those that provide some of its imports.

    Raises:
        ComponentError: A component is not valid.
        LinkError: The dependency for the import that ``item`` names does not fit.
    """
    cache = component.cache
    key = f"{_FORM} {component.digest}" + "".join(part.key for part in providers)
    form = None if cache is None else _kept_form(component.engine, cache, key)
    if form is not None:
        return form
    return compiling(component.path, lambda: _compile(component, providers, key))


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


def _compile(component: Component, providers: tuple[Provider, ...], key: str) -> CompiledForm:
    # What was compiled before needs none of this.
    from edgezero_spin.host.runtime.proposals import refused_proposal
    from edgezero_spin.wasm.component.errors import ComponentError as WasmComponentError
    from edgezero_spin.wasm.fuse.fusing import fuse

    engine, cache = component.engine, component.cache
    try:
        fused = fuse(
            _linked(component, providers), cache=None if cache is None else _CodeEntries(cache)
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


def _linked(component: Component, providers: tuple[Provider, ...]) -> LinkedComponent:
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
    read: dict[int, Definitions | CoreGuest] = {}

    def dependency(part: Provider) -> Dependency:
        # One that provides several imports is one instance.
        guest = read.get(id(part.component))
        if guest is None:
            try:
                guest = read[id(part.component)] = read_guest(part.component.wasm)
                validate(guest)
            except WasmComponentError as error:
                raise _invalid(part.component.path, error, part.component.wasm) from error
        below = tuple(dependency(inner) for inner in part.providers)
        return Dependency(part.name, guest, part.export, below, part.host_name)

    given = tuple(dependency(part) for part in providers)
    try:
        return link(root, given)
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
    module = None
    if cache is not None:
        module = cache.load(engine.native, digest.hex())
    if module is None:
        module = wasmtime.Module(engine.native, wasm)
        if cache is not None:
            cache.store(digest.hex(), module)
    return module
