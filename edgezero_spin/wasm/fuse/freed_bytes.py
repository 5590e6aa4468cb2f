"""Freeing of the copies that componentize-py makes of bytes and then forgets.

In: a linked component that componentize-py made. Out: the same component, in which what is
copied for a call is freed when the call is over. Without that a guest grows by each
``list<u8>`` that it hands over, wherever in a value it is: bodies, header values, what it
stores.

The bindings (``libcomponentize_py_bindings.so``) allocate memory for what they lower and hand it
to the runtime with ``wit_dylib_dealloc_bytes``, to be freed when the call is over. They leave out
the bytes that ``wit_dylib_pop_list`` returns: these belong to the runtime, and that of
componentize-py 0.25 copies them and keeps no note of it (``maybe_pop_list``). Between bindings
and runtime comes a module that hands these over, too.

Whatever has another shape is returned as it came. A release of componentize-py that frees its
copies must not go through here; see ``project/componentize.py``.

Source: ``wit_dylib.h`` of wasm-tools, as componentize-py 0.25 has it.
"""

import attrs

from edgezero_spin.wasm.binary import number_bytes, text_bytes
from edgezero_spin.wasm.component.definitions import CoreFunctionType
from edgezero_spin.wasm.component.layout import I32
from edgezero_spin.wasm.component.linked import (
    CoreExport,
    CoreImport,
    CoreInstance,
    LinkedComponent,
)
from edgezero_spin.wasm.core_module import CODE, EXPORT, FUNCTION, IMPORT
from edgezero_spin.wasm.fuse.renaming import Renaming
from edgezero_spin.wasm.module_writer import (
    ModuleSections,
    body_bytes,
    export_bytes,
    function_import_bytes,
)

__all__ = ["with_freed_bytes"]

_POP_LIST, _DEALLOC, _MEMORY = "wit_dylib_pop_list", "wit_dylib_dealloc_bytes", "memory"

# What ``wit_dylib_pop_list(context, type, address)`` does here: it calls the real one, and if
# there is an address in the memory at ``address``, ``wit_dylib_dealloc_bytes(context, that, the
# length, 1, 1)``; the last 1 has it wait for the end of the call.
_POP_LIST_CODE = bytes.fromhex(
    "2000 2001 2002 1000 2101 2002 280200 0440 2000 2002 280200 2001 4101 4101 1001 0b 2001"
)


def with_freed_bytes(linked: LinkedComponent) -> tuple[LinkedComponent, Renaming]:
    """Return the component with everything freed that it copies for a call.

    Returns:
        The component, and what its core exports are called in it.
    """
    for bindings, instance in enumerate(linked.core_instances):
        given = {each.name: each for each in instance.imports if each.module == "env"}
        if given.keys() >= {_POP_LIST, _DEALLOC, _MEMORY}:
            wanted = [given[name] for name in (_POP_LIST, _DEALLOC, _MEMORY)]
            return _with_freeing(linked, bindings, wanted)
    return linked, Renaming(lambda export: export)


def _with_freeing(
    linked: LinkedComponent, bindings: int, given: list[CoreImport]
) -> tuple[LinkedComponent, Renaming]:
    renaming = Renaming(
        lambda export: export._replace(instance=export.instance + (export.instance >= bindings))
    )
    instances = [renaming.of(each) for each in linked.core_instances]
    instances[bindings] = attrs.evolve(
        instances[bindings],
        imports=tuple(
            attrs.evolve(each, source=CoreExport(bindings, each.name))
            if each.module == "env" and each.name == _POP_LIST
            else each
            for each in instances[bindings].imports
        ),
    )
    freeing = CoreInstance(instances[bindings].instance, _freeing_module(), tuple(given))
    instances.insert(bindings, renaming.of(freeing))
    return renaming.component(linked, instances), renaming


def _freeing_module() -> bytes:
    content = ModuleSections()
    pop_list = content.type_index(CoreFunctionType((I32,) * 3, (I32,)))
    dealloc = content.type_index(CoreFunctionType((I32,) * 5, ()))
    content.sections = {
        IMPORT: [
            function_import_bytes("env", _POP_LIST, pop_list),
            function_import_bytes("env", _DEALLOC, dealloc),
            text_bytes("env") + text_bytes(_MEMORY) + b"\x02\0\0",
        ],
        FUNCTION: [number_bytes(pop_list)],
        EXPORT: [export_bytes(_POP_LIST, 0, number_bytes(2))],
        CODE: [body_bytes(_POP_LIST_CODE)],
    }
    return content.module()
