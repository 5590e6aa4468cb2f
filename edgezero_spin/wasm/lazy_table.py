"""Let a component's largest core module define the function table, so that no one fills it.

In: a component whose core modules share one table, as componentize-py makes it. Out: the
same component, wired so that the module with the most table entries (CPython, about 5 000)
defines the table instead of importing it. An engine keeps the entries of a module's own table
as a list made at compile time and looks one up when it is first called; those of an imported
table it makes one by one in every new instance, which is two thirds of what a fresh instance
costs.

The wiring before and after. *Base* is the module that holds the memory, *holder* the large
one, and ``a -> b`` means that a is there before b::

    base (memory, globals, table, stubs)      base (memory, globals)
      -> libraries                              -> doors, one for each module holder imports from
      -> holder                                 -> holder (table) -> stubs
      -> entries of others                      -> libraries -> filler -> entries of others

Holder now starts before the libraries that it imports from. So it imports *doors*, functions
that jump through a table of their own, which the filler fills once the libraries are there:
two instructions more for each call into a library.

Whatever does not have this shape is returned as it came.

Source: WebAssembly tool conventions, "Dynamic linking"; the component model's binary format.
"""

from collections.abc import Sequence

from edgezero_spin.wasm import table_modules
from edgezero_spin.wasm.item_names import CORE_INSTANCES, renumbered_names
from edgezero_spin.wasm.module import Kind, read_module
from edgezero_spin.wasm.shared_table import SharedTable, find_shared_table
from edgezero_spin.wasm.wiring import (
    CUSTOM,
    CoreAlias,
    CoreInstance,
    CoreModule,
    Exports,
    Instantiation,
    Other,
    Part,
    rewritten_component,
)

__all__ = ["with_lazy_table"]


def with_lazy_table(component: bytes) -> bytes:
    """Return the component with its function table defined by the module that fills most of it.

    A component of another shape, and whatever is no whole component, comes back unchanged.
    """
    return rewritten_component(
        component, lambda parts: _Rewiring(find_shared_table(parts)).parts(parts)
    )


class _Rewiring:
    """The new order of a component's parts.

    Core instances get new numbers, so everything that mentions one is written anew. Nothing
    else is renumbered: modules are added behind those that there are, and the new instances
    find each other without aliases.
    """

    def __init__(self, shape: SharedTable) -> None:
        self._shape = shape
        self._doors = table_modules.doors(shape)
        self._waiting = [door for door in self._doors if door.functions]
        self._entries = {
            form.module: table_modules.entries_module(
                read_module(shape.modules[form.module]), names
            )
            for form in shape.instances
            if isinstance(form, Instantiation) and (names := self._base_names(form))
        }
        # Where things come to stand among the core instances.
        self._numbers: dict[int, int] = {}
        self._memory_at = self._table_at = self._stubs_at = -1
        self._door_at: dict[str, int] = {}
        self._made = 0
        self._out: list[Part] = []

    def _base_names(self, form: Instantiation) -> list[str]:
        """Return the names under which a module imports from the base itself."""
        return [name for name, instance in form.arguments if instance == self._shape.base]

    def parts(self, parts: Sequence[Part]) -> list[Part]:
        """Return the component's parts, rewired."""
        self._out += self._core_modules()
        instance = 0
        for part in parts:
            match part:
                case CoreModule():
                    pass
                case CoreInstance(form):
                    self._place(instance, form)
                    instance += 1
                case CoreAlias(kind, owner, name):
                    self._out.append(CoreAlias(kind, self._owner(kind, owner), name))
                case Other(section, content) if section == CUSTOM:
                    self._out.append(Other(section, self._names(content)))
                case _:
                    self._out.append(part)
        return self._out

    def _names(self, content: bytes) -> bytes:
        return renumbered_names(content, {CORE_INSTANCES: self._numbers})

    def _core_modules(self) -> list[CoreModule]:
        shape = self._shape
        modules = list(shape.modules)
        for index, entries in self._entries.items():
            modules[index] = entries
        modules[shape.instantiation(shape.base).module] = table_modules.memory_module(shape)
        modules[shape.instantiation(shape.holder).module] = table_modules.holder_module(shape)
        modules.append(table_modules.stub_module(shape))
        modules.append(table_modules.filler_module(shape, self._waiting))
        modules += [door.module for door in self._doors]
        return [CoreModule(each) for each in modules]

    def _place(self, number: int, form: Instantiation | Exports) -> None:
        """Make what stands where this instance stood."""
        shape = self._shape
        if number == shape.base:
            self._place_base()
        elif number == shape.holder:
            self._place_filler()
        elif isinstance(form, Instantiation):
            self._numbers[number] = self._make(form.module, self._renumbered(form.arguments))
        else:
            self._numbers[number] = self._append(form)

    def _place_base(self) -> None:
        shape = self._shape
        base, holder = shape.instantiation(shape.base), shape.instantiation(shape.holder)
        stubs = len(shape.modules)
        self._memory_at = self._make(base.module, ())
        for index, door in enumerate(self._doors, stubs + 2):
            self._door_at[door.name] = self._make(index, ((table_modules.BASE, self._memory_at),))
        self._table_at = self._make(holder.module, tuple(self._door_at.items()))
        self._numbers[shape.holder] = self._table_at
        given = (*self._renumbered(base.arguments), (table_modules.HOLDER, self._table_at))
        self._stubs_at = self._make(stubs, given)

    def _place_filler(self) -> None:
        given: list[tuple[str, int]] = []
        for door in self._waiting:
            given.append((door.name, self._numbers[door.served]))
            given.append((table_modules.behind(door.name), self._door_at[door.name]))
        self._make(len(self._shape.modules) + 1, tuple(given))

    def _renumbered(self, arguments: Sequence[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
        # Who takes the base whole was left with the table, which the holder has.
        return tuple(
            (name, self._table_at if number == self._shape.base else self._numbers[number])
            for name, number in arguments
        )

    def _owner(self, kind: int, instance: int) -> int:
        if instance != self._shape.base:
            return self._numbers[instance]
        return {Kind.FUNCTION: self._stubs_at, Kind.TABLE: self._table_at}.get(
            Kind(kind), self._memory_at
        )

    def _make(self, module: int, arguments: tuple[tuple[str, int], ...]) -> int:
        return self._append(Instantiation(module, arguments))

    def _append(self, form: Instantiation | Exports) -> int:
        self._out.append(CoreInstance(form))
        self._made += 1
        return self._made - 1
