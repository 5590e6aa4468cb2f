"""Find the function table that a component's core modules share, and who fills it.

In: a component's parts. Out: a ``SharedTable``: the instance that defines the table and the
one that fills most of it, or ``UnknownFormError`` where the component does not have the shape
that ``wasm-tools component link`` gives to dynamic libraries, and componentize-py with it.

Source: WebAssembly tool conventions, "Dynamic linking".
"""

from collections.abc import Sequence

import attrs

from edgezero_spin.wasm.binary import number_at
from edgezero_spin.wasm.module import Kind, Module, Section, UnknownFormError, bodies, read_module
from edgezero_spin.wasm.wiring import (
    CoreAlias,
    CoreInstance,
    CoreModule,
    Exports,
    Instantiation,
    Part,
)

__all__ = ["TABLE", "SharedTable", "find_shared_table"]

TABLE = "__indirect_function_table"

FEWEST_ENTRIES = 1000
"""Entries below which nothing is to be gained."""

END = 0x0B
_LOCAL_GET, _CALL, _CALL_INDIRECT, _I32_CONST, _RETURN = 0x20, 0x10, 0x11, 0x41, 0x0F
_OPERANDS = {_LOCAL_GET: 1, _CALL: 1, _CALL_INDIRECT: 2, _I32_CONST: 1, _RETURN: 0, END: 0}
_AT_A_GLOBAL = b"\0\x23"
"""How an element segment begins that fills the first table from a global's value on."""


@attrs.frozen(kw_only=True)
class SharedTable:
    """The shape of a component whose core modules share a table.

    Attributes:
        modules: The core modules' bytes.
        instances: The core instances.
        aliases: Aliases of their exports, by kind, in the order of their indices.
        base: Index of the instance that defines memory, globals, table and stubs.
        holder: Index of the instance that fills most of the table.
        base_module, holder_module: Their modules.
    """

    modules: Sequence[bytes]
    instances: Sequence[Instantiation | Exports]
    aliases: dict[int, list[CoreAlias]]
    base: int
    holder: int
    base_module: Module
    holder_module: Module

    def instantiation(self, instance: int) -> Instantiation:
        """Return how an instance is made of its module.

        Raises:
            UnknownFormError: It is put together from single items.
        """
        return _instantiation(self.instances, instance)

    def base_export(self, kind: int, index: int) -> str:
        """Return the name under which the base exports an item that has an index of its own.

        Raises:
            UnknownFormError: It belongs to another instance.
        """
        alias = self.aliases[kind][index]
        if alias.instance != self.base:
            raise UnknownFormError("the large module needs more than functions of its libraries")
        return alias.name


def find_shared_table(parts: Sequence[Part]) -> SharedTable:
    """Find the shared table.

    Raises:
        UnknownFormError: There is none, it is small, or code runs while modules are joined.
    """
    modules = [part.data for part in parts if isinstance(part, CoreModule)]
    instances = [part.form for part in parts if isinstance(part, CoreInstance)]
    aliases: dict[int, list[CoreAlias]] = {}
    for part in parts:
        if isinstance(part, CoreAlias):
            aliases.setdefault(part.kind, []).append(part)
    owners = {alias.instance for alias in aliases.get(Kind.TABLE, ()) if alias.name == TABLE}
    if len(owners) != 1:
        raise UnknownFormError("there is not one shared table")
    base = owners.pop()
    base_module = read_module(modules[_instantiation(instances, base).module])
    _check_base(base_module)
    holder, holder_module = _find_holder(modules, instances, base)
    for instance in (base, holder):
        index = _instantiation(instances, instance).module
        if sum(isinstance(f, Instantiation) and f.module == index for f in instances) != 1:
            raise UnknownFormError("a module is instantiated twice")
    return SharedTable(
        modules=modules,
        instances=instances,
        aliases=aliases,
        base=base,
        holder=holder,
        base_module=base_module,
        holder_module=holder_module,
    )


def _instantiation(instances: Sequence[Instantiation | Exports], number: int) -> Instantiation:
    form = instances[number]
    if not isinstance(form, Instantiation):
        raise UnknownFormError(f"core instance {number} is no instantiated module")
    return form


def _find_holder(
    modules: Sequence[bytes], instances: Sequence[Instantiation | Exports], base: int
) -> tuple[int, Module]:
    most, found = FEWEST_ENTRIES, None
    running: list[int] = []
    for number, form in enumerate(instances):
        if number <= base or not isinstance(form, Instantiation):
            continue
        module = read_module(modules[form.module])
        if module.content(Section.START) is not None:
            running.append(number)
        tables = [each.name for each in module.imported(Kind.TABLE)]
        if tables == [TABLE] and _entry_count(module) > most:
            most, found = _entry_count(module), (number, module)
    if found is None:
        raise UnknownFormError("no module has many table entries")
    if running and running[0] <= found[0]:
        raise UnknownFormError("a module runs code before all are there")
    return found


def _entry_count(module: Module) -> int:
    """Return the entries of a module's only element segment; 0 for any other shape."""
    content = module.content(Section.ELEMENT)
    if content is None:
        return 0
    count, at = number_at(content, 0)
    if count != 1 or content[at : at + 2] != _AT_A_GLOBAL:
        return 0
    _, at = number_at(content, at + 2)
    return number_at(content, at + 1)[0] if content[at] == END else 0


def _check_base(module: Module) -> None:
    """The base may have no code but stubs, which do nothing but call."""
    if any(module.content(each) is not None for each in (Section.START, Section.ELEMENT)):
        raise UnknownFormError("the module of the memory does more than hold it")
    if any(each.kind != Kind.FUNCTION for each in module.imports):
        raise UnknownFormError("the module of the memory imports more than functions")
    for body in bodies(module.content(Section.CODE) or b"\0"):
        locals_, at = number_at(body, 0)
        if locals_:
            raise UnknownFormError("the module of the memory has functions of its own")
        while at < len(body):
            operands = _OPERANDS.get(body[at])
            if operands is None:
                raise UnknownFormError("the module of the memory has functions of its own")
            at += 1
            for _ in range(operands):
                _, at = number_at(body, at)
