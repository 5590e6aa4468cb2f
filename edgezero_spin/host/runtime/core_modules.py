"""Core modules of a component, joined to the functions that they import.

In: a core instance of the linked component, its compiled module and the trampolines. Out: a
``JoinedModule``, of which an instance is one call of the engine if all its imports are the
host's.

Source: ``wasmtime/linker.h`` and ``instance.h``.
"""

import ctypes
from collections.abc import Sequence
from typing import Any

import attrs
import wasmtime

from edgezero_spin.host.errors import LinkError
from edgezero_spin.host.runtime.instance import Instance
from edgezero_spin.host.runtime.native import (
    EXTERN_BYTES,
    EXTERN_ITEM,
    Callback,
    InstanceBuffer,
    address_of,
    error_message,
    function_new,
    instance_new,
    instantiate,
    linker_define,
    linker_pre,
    pre_delete,
)
from edgezero_spin.host.runtime.trampolines import Trampoline
from edgezero_spin.wasm.component.layout import Formats, core_types
from edgezero_spin.wasm.component.linked import CoreExport, CoreInstance

__all__ = ["CoreFunctionTypes", "DefinedFunction", "JoinedModule"]

_VALUE_TYPES = {
    "i32": wasmtime.ValType.i32,
    "i64": wasmtime.ValType.i64,
    "f32": wasmtime.ValType.f32,
    "f64": wasmtime.ValType.f64,
}


@attrs.frozen
class DefinedFunction:
    """A trampoline as the engine calls it."""

    callback: Any
    type: wasmtime.FuncType


class CoreFunctionTypes:
    """Core function types of one engine, which no other engine takes."""

    def __init__(self) -> None:
        self._types: dict[tuple[Formats, Formats], wasmtime.FuncType] = {}

    def define(self, trampoline: Trampoline) -> DefinedFunction:
        """Return a trampoline in the engine's form."""
        callback, parameters, results = trampoline
        type_ = self._types.get((parameters, results))
        if type_ is None:
            type_ = wasmtime.FuncType(_types(parameters), _types(results))
            self._types[parameters, results] = type_
        return DefinedFunction(Callback(callback), type_)


def _types(formats: Formats) -> list[wasmtime.ValType]:
    return [_VALUE_TYPES[name]() for name in core_types(formats)]


class JoinedModule:
    """A core module to instantiate.

    Attributes:
        start: The export to call after instantiation, if any.
    """

    def __init__(
        self,
        engine: wasmtime.Engine,
        plan: CoreInstance,
        module: wasmtime.Module,
        sources: Sequence[CoreExport | DefinedFunction | None],
    ) -> None:
        """Join a module.

        Args:
            plan: The core instance.
            sources: What each import is given; ``None`` for a function of the engine's own
                WASI 0.1.

        Raises:
            LinkError: The engine refuses an import.
        """
        self.start = plan.start
        self._module = module
        self._address = address_of(module.ptr())
        self._sources = sources
        self._pre = 0
        if not any(isinstance(source, CoreExport) for source in sources):
            self._pre = self._join(engine, plan)

    def _join(self, engine: wasmtime.Engine, plan: CoreInstance) -> int:
        """Return the engine's module whose imports are all defined."""
        linker = wasmtime.Linker(engine)
        linker.allow_shadowing = True
        if None in self._sources:
            linker.define_wasi()
        for imported, source in zip(plan.imports, self._sources, strict=True):
            if isinstance(source, DefinedFunction):
                module, name = imported.module.encode(), imported.name.encode()
                problem = linker_define(
                    address_of(linker.ptr()),
                    *(module, len(module), name, len(name)),
                    *(address_of(source.type.ptr()), source.callback, 0, 0),
                )
                if problem:
                    raise LinkError(imported.name, error_message(problem))
        result = ctypes.c_size_t()
        problem = linker_pre(address_of(linker.ptr()), self._address, ctypes.addressof(result))
        if problem:
            raise LinkError("the component", error_message(problem))
        return result.value

    def instantiate(self, instance: Instance) -> None:
        """Add an instance of the module to those of a component's instance.

        Raises:
            OutOfMemory, EngineBusy, GuestTrapped: As ``PreparedComponent.instantiate``.
        """
        made = InstanceBuffer()
        address = ctypes.addressof(made)
        if self._pre:
            problem = instantiate(self._pre, instance.context, address, instance.trap_address)
        else:
            externs = self._externs(instance)
            problem = instance_new(
                instance.context,
                self._address,
                ctypes.addressof(externs),
                len(self._sources),
                address,
                instance.trap_address,
            )
        if problem or instance.trap.value:
            raise instance.failure(problem)
        instance.add_core(made)

    def _externs(self, instance: Instance) -> Any:
        """Return the engine's externs for the imports."""
        externs = ctypes.create_string_buffer(EXTERN_BYTES * max(len(self._sources), 1))
        first = ctypes.addressof(externs)
        for number, source in enumerate(self._sources):
            at = first + number * EXTERN_BYTES
            if isinstance(source, CoreExport):
                ctypes.memmove(at, instance.extern_address(source), EXTERN_BYTES)
            elif source is not None:
                type_ = address_of(source.type.ptr())
                function_new(instance.context, type_, source.callback, 0, 0, at + EXTERN_ITEM)
        return externs

    def close(self) -> None:
        """Free what the engine keeps."""
        pre, self._pre = self._pre, 0
        if pre:
            pre_delete(pre)
