"""Freeing of the copies that componentize-py makes of bytes for a call and then forgets.

In: a linked component that componentize-py made. Out: the same component, in which a call that
takes ``list<u8>`` frees what was copied for it once it is done. Without that a guest that
streams a body grows by as much as it sends: its runtime allocates a copy of each piece, hands
over its address, and never looks at it again (``maybe_pop_list`` in componentize-py 0.25).

The bindings (``libcomponentize_py_bindings.so``) are the module that is given
``wit_dylib_dealloc_bytes`` by the runtime; what else they are given are the functions that the
component imports, under the names of these; the version may be an older one that the imported one
is compatible with. Between the two comes a module that calls them and
then ``free``. Nothing but the runtime calls it: what libc passes to the same imports belongs to
its callers.

Whatever has another shape is returned as it came. A release of componentize-py that frees its
copies must not go through here; see ``project/componentize.py``.

Source: wit-dylib, as componentize-py 0.25 has it.
"""

from collections.abc import Iterator, Sequence

import attrs

from edgezero_spin.wasm.binary import number_bytes
from edgezero_spin.wasm.component.canonical import core_function_type
from edgezero_spin.wasm.component.definitions import CoreFunctionType
from edgezero_spin.wasm.component.layout import I32, core_signature, layout_of
from edgezero_spin.wasm.component.linked import (
    CoreExport,
    CoreImport,
    CoreInstance,
    LinkedComponent,
)
from edgezero_spin.wasm.component.names import version_track
from edgezero_spin.wasm.component.types import FunctionType, ListType, Primitive
from edgezero_spin.wasm.core_module import CODE, EXPORT, FUNCTION, IMPORT
from edgezero_spin.wasm.fuse.encoding import parameters
from edgezero_spin.wasm.fuse.renaming import Renaming
from edgezero_spin.wasm.module_writer import (
    ModuleSections,
    body_bytes,
    export_bytes,
    function_import_bytes,
)

__all__ = ["with_freed_bytes"]

_ENVIRONMENT, _OF_THE_RUNTIME, _FREE = "env", "wit_dylib_dealloc_bytes", "free"
_COPIED = (ListType(Primitive.U8), ListType(Primitive.S8))


@attrs.frozen
class _Call:
    """A call that bytes are copied for.

    Attributes:
        given: The import of the bindings.
        type: Its core type.
        copies: Which of its parameters are addresses of copies.
    """

    given: CoreImport
    type: CoreFunctionType
    copies: tuple[int, ...]


def with_freed_bytes(linked: LinkedComponent) -> tuple[LinkedComponent, Renaming]:
    """Return the component with its calls freeing what was copied for them.

    Returns:
        The component, and what its core exports are called in it.
    """
    bindings, free = _bindings(linked)
    calls = [] if free is None else list(_calls(linked, linked.core_instances[bindings]))
    if free is None or not calls:
        return linked, Renaming(lambda export: export)
    renaming = Renaming(
        lambda export: attrs.evolve(
            export, instance=export.instance + (export.instance >= bindings)
        )
    )
    instances = [renaming.core_instance(each) for each in linked.core_instances]
    imports = [*(each.given for each in calls), CoreImport("", "", free)]
    freeing = CoreInstance(instances[bindings].instance, _freeing_module(calls), tuple(imports))
    freed = {
        (each.given.module, each.given.name): CoreExport(bindings, str(number))
        for number, each in enumerate(calls)
    }
    instances[bindings] = attrs.evolve(
        instances[bindings],
        imports=tuple(
            attrs.evolve(each, source=freed.get((each.module, each.name), each.source))
            for each in instances[bindings].imports
        ),
    )
    instances.insert(bindings, renaming.core_instance(freeing))
    return renaming.component(linked, instances), renaming


def _bindings(linked: LinkedComponent) -> tuple[int, CoreExport | None]:
    """Return the number of the bindings, and the function that frees what the runtime allocates."""
    for number, instance in enumerate(linked.core_instances):
        dealloc = _given(instance, _OF_THE_RUNTIME)
        if dealloc is not None:
            return number, _given(linked.core_instances[dealloc.instance], _FREE)
    return 0, None


def _given(instance: CoreInstance, name: str) -> CoreExport | None:
    """Return what a core instance is given as an import from its environment."""
    for each in instance.imports:
        if (each.module, each.name) == (_ENVIRONMENT, name):
            return each.source if isinstance(each.source, CoreExport) else None
    return None


def _calls(linked: LinkedComponent, bindings: CoreInstance) -> Iterator[_Call]:
    types = {(version_track(each.path[0]), each.path[-1]): each.type for each in linked.imports}
    for given in bindings.imports:
        type_ = types.get((version_track(given.module), given.name))
        if type_ is None:
            continue
        signature = core_signature(type_, lowered=True)
        copies = () if signature.spilled else tuple(_copies(type_))
        if copies:
            yield _Call(given, core_function_type(signature), copies)


def _copies(type_: FunctionType) -> Iterator[int]:
    place = 0
    for _, parameter in type_.parameters:
        if parameter in _COPIED:
            yield place
        place += len(layout_of(parameter).flat or ())


def _freeing_module(calls: Sequence[_Call]) -> bytes:
    """Return a module whose exports call its imports and then free; its last import frees."""
    count = len(calls)
    content = ModuleSections()
    types = [content.type_index(each.type) for each in calls]
    free = content.type_index(CoreFunctionType((I32,), ()))
    bodies = []
    for number, call in enumerate(calls):
        code = parameters(call.type) + b"\x10" + number_bytes(number)
        for at in call.copies:
            code += b"\x20" + number_bytes(at) + b"\x10" + number_bytes(count)
        bodies.append(body_bytes(code))
    names = [(each.given.module, each.given.name) for each in calls]
    content.sections = {
        IMPORT: [
            function_import_bytes(module, name, type_)
            for (module, name), type_ in zip([*names, ("", "")], [*types, free], strict=True)
        ],
        FUNCTION: [number_bytes(type_) for type_ in types],
        EXPORT: [
            export_bytes(str(number), 0, number_bytes(count + 1 + number))
            for number in range(count)
        ],
        CODE: bodies,
    }
    return content.module()
