"""Trampolines to ``resource.new``, ``resource.drop`` and ``resource.rep``.

Source: ``CanonicalABI.md``, "``canon resource.new``" to "``.rep``".
"""

from collections.abc import Callable

from edgezero_spin.host.runtime.handles import Handle
from edgezero_spin.host.runtime.native import areas_of
from edgezero_spin.host.runtime.running import running
from edgezero_spin.host.runtime.trampolines import Trampoline
from edgezero_spin.host.runtime.traps import cannot_leave
from edgezero_spin.wasm.component.layout import slots
from edgezero_spin.wasm.component.linked import ResourceFunction
from edgezero_spin.wasm.component.types import ResourceType

__all__ = ["resource_call"]

current = running.get
_INDEX = slots(("I",))
unpack_index, pack_index = _INDEX.unpack_from, _INDEX.pack_into


def resource_call(function: ResourceFunction, type_: ResourceType, *, is_host: bool) -> Trampoline:
    """Return the trampoline to ``resource.new``, ``resource.drop`` or ``resource.rep``.

    Args:
        type_: The resource type that handles have.
        is_host: The resource type is the host's.
    """
    name, number = function.name, function.instance
    if name == "resource.drop":
        return _drop(number, type_, is_host), ("I",), ()
    areas = areas_of(1)
    leaves = name == "resource.new"

    def callback(_data: int, _caller: int, address: int, _count: int) -> int:
        owner = current()
        try:
            component = owner.components[number]
            area = areas[address]
            given = unpack_index(area)[0]
            if not leaves:
                result = component.handle(given, type_).rep
            elif component.may_leave:
                result = component.add(Handle(type_, given))
            else:
                raise cannot_leave()
            pack_index(area, 0, result)
        except BaseException as error:
            return owner.keep(error)
        return 0

    return callback, ("I",), ("I",)


def _drop(number: int, type_: ResourceType, is_host: bool) -> Callable[[int, int, int, int], int]:
    areas = areas_of(1)

    def callback(_data: int, _caller: int, address: int, _count: int) -> int:
        owner = current()
        try:
            component = owner.components[number]
            if not component.may_leave:
                raise cannot_leave()
            index = unpack_index(areas[address])[0]
            if is_host:
                # Before it leaves the table, from which the end of the instance drops it.
                found = component.entries.get(index)
                if found.__class__ is Handle and found.type is type_ and found.call is None:
                    check = getattr(found.rep, "check_childless", None)
                    if check is not None:
                        check("a resource is dropped")
            handle = component.take(index, type_)
            if handle.call is None:
                if not is_host:
                    owner.drop(type_, handle.rep, number)
                elif (drop := getattr(handle.rep, "drop", None)) is not None:
                    drop(owner.state)
        except BaseException as error:
            return owner.keep(error)
        return 0

    return callback
