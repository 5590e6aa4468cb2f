"""Let the bytes that a component gives to imported functions cross in bulk.

In: a component. Out: the same component, in which functions of imported instances that take
or return ``list<u8>`` are called in their bulk form (``bulk_form``), and only there where that
is possible. The host has to know these forms; so this is done to what the embedded host
compiles, never to what is shipped.

Why: in the engine's C interface a list is an array of values of 32 bytes each, filled and
freed one by one, while text is a run of bytes. A component that says that its text is Latin-1
gives and takes any bytes as text, a byte a character: in memory the two look the same, an
address and a length. What has to be rewritten is the type that the import has, the option
that says how text lies in memory, and, because Latin-1 text begins at an even address, a core
module in between that evens addresses out (``bulk_adapter``). Real text in such a function
crosses as its UTF-8 bytes.

Results need memory that the guest gives, and as Latin-1 they would be asked for it twice; a
module of its own, the room, answers for the guest.

Whatever has another shape is returned as it came.

Source: the component model's canonical ABI, "Storing" of strings in ``latin1+utf16``.
"""

from collections import Counter

import attrs

from edgezero_spin.wasm.binary import vector_bytes
from edgezero_spin.wasm.bulk_adapter import (
    GIVEN,
    MEMORY,
    REALLOC,
    ROOM,
    adapter_module,
    room_module,
)
from edgezero_spin.wasm.bulk_form import BulkForm, GrowingInstance
from edgezero_spin.wasm.canonical import (
    CANONICAL,
    IN_MEMORY,
    LATIN1,
    UTF8,
    WITH_REALLOC,
    Canonical,
    Lower,
    canonicals,
)
from edgezero_spin.wasm.core_rewriting import CoreRewriting
from edgezero_spin.wasm.index_spaces import (
    TYPE,
    FunctionAlias,
    IndexSpaces,
    function_alias,
    read_index_spaces,
)
from edgezero_spin.wasm.module import Kind
from edgezero_spin.wasm.type_section import definitions
from edgezero_spin.wasm.wiring import (
    ALIAS,
    CoreAlias,
    Exports,
    Part,
    rewritten_component,
)

__all__ = ["with_bulk_bytes"]


def with_bulk_bytes(component: bytes) -> bytes:
    """Return the component with its imported functions in bulk form, where they can have it.

    A component of another shape, and whatever is no whole component, comes back unchanged.
    """
    return rewritten_component(component, _in_bulk)


def _in_bulk(parts: list[Part]) -> list[Part] | None:
    plan = _Plan(read_index_spaces(parts))
    return _Rewriting(plan).parts(parts) if plan.forms else None


_RoomKey = tuple[int, int]
"""Memory and allocator that a room answers for, by their old numbers."""

_ALLOCATES_ONCE = "cabi_import_realloc"
"""The allocator of the adapter for WASI 0.1: it has a place for what a read returns, wherever
that is, and no other one at an even address."""


class _Plan:
    """Which functions are called in bulk form.

    Attributes:
        forms: By the index of the function.
        rooms: For each with a room, which one.
        grown: Instance types with bulk functions, by the index of the type.
    """

    def __init__(self, spaces: IndexSpaces) -> None:
        self.forms: dict[int, BulkForm] = {}
        self.rooms: dict[int, _RoomKey] = {}
        self.grown: dict[int, GrowingInstance] = {}
        self._spaces = spaces
        uses = Counter(spaces.lowered())
        for canonical in spaces.core_functions:
            # A function that is used in other ways, too, keeps its form.
            if isinstance(canonical, Lower) and uses[canonical.function] == 1:
                self._add(canonical)

    def _add(self, lower: Lower) -> None:
        function = lower.function
        form, room = self._form_for(lower), self._room_for(lower)
        if form is None or (form.has_text and lower.encoding != UTF8):
            return
        if form.room is not None:
            if room is None:
                return
            self.rooms[function] = room
        self.forms[function] = form

    def _form_for(self, lower: Lower) -> BulkForm | None:
        imported = self._spaces.imported(lower)
        if imported is None or lower.function in self._spaces.passed_on:
            return None
        if imported.type not in self.grown:
            self.grown[imported.type] = GrowingInstance(imported.scope)
        return self.grown[imported.type].bulk_form(imported.name)

    def _room_for(self, lower: Lower) -> _RoomKey | None:
        memory, realloc = lower.option(IN_MEMORY), lower.option(WITH_REALLOC)
        if memory is None or realloc is None:
            return None
        source = self._spaces.core_functions[realloc]
        once = isinstance(source, CoreAlias) and source.name == _ALLOCATES_ONCE
        return None if once else (memory, realloc)


@attrs.frozen
class _Waiting:
    """A bulk function whose adapter is still to be made.

    Attributes:
        old: Index of the core function that the adapter stands for.
        lowered: Index of the bulk function's core function.
        form: Its form.
        room: Where its results come; ``None`` for none.
    """

    old: int
    lowered: int
    form: BulkForm
    room: _RoomKey | None


class _Rewriting(CoreRewriting):
    """Calls functions in bulk form.

    Adapters are made as late as can be, for several functions at once: before the first core
    instance that could be given them.
    """

    def __init__(self, plan: _Plan) -> None:
        super().__init__()
        self._plan = plan
        self._waiting: list[_Waiting] = []
        # Instance and allocator of each room.
        self._rooms: dict[_RoomKey, tuple[int, int]] = {}

    def content(self, section: int, content: bytes) -> bytes:
        """Return a section with the functions that come new in its types, or called there."""
        if section == TYPE:
            return self._grown_types(content)
        if section == ALIAS:
            return self._renamed(content)
        if section == CANONICAL:
            for each in canonicals(content):
                self._make_room(each)
        return super().content(section, content)

    def _grown_types(self, content: bytes) -> bytes:
        items = []
        for index, (_, item) in enumerate(definitions(content), len(self.seen.types)):
            grown = self._plan.grown.get(index)
            items.append(item if grown is None else grown.to_bytes())
        return vector_bytes(items)

    def _renamed(self, content: bytes) -> bytes:
        alias = function_alias(content)
        form = self._plan.forms.get(len(self.seen.functions))
        if alias is None or form is None:
            return content
        return FunctionAlias(alias.instance, form.name).to_bytes()

    def _make_room(self, canonical: Canonical) -> None:
        """Make the room that a bulk function needs, if there is none yet."""
        room = self._plan.rooms.get(canonical.function) if isinstance(canonical, Lower) else None
        if room is None or room in self._rooms:
            return
        memory, realloc = room
        given = (
            (MEMORY, Kind.MEMORY, memory),
            (REALLOC, Kind.FUNCTION, self.new_number(realloc)),
        )
        made = self.instantiate(room_module(), ((GIVEN, self.add_instance(Exports(given))),))
        self._rooms[room] = made, self.take_function(made, REALLOC)

    def lowered(self, lower: Lower, index: int) -> Lower:
        """Say that text is Latin-1 where a function is called in bulk form."""
        form = self._plan.forms.get(lower.function)
        if form is None:
            return lower
        options = ((LATIN1, None), *(each for each in lower.options if each[0] > LATIN1))
        room = self._plan.rooms.get(lower.function)
        if room is not None:
            allocator = (WITH_REALLOC, self._rooms[room][1])
            options = (*(each for each in options if each[0] != WITH_REALLOC), allocator)
        if form.pairs or room is not None:
            self._waiting.append(_Waiting(self.core_functions - 1, index, form, room))
        return attrs.evolve(lower, options=options)

    def before_instance(self, instance: int) -> None:
        """Put adapters in the place of the functions that they stand for."""
        by_room: dict[_RoomKey | None, list[_Waiting]] = {}
        for each in self._waiting:
            by_room.setdefault(each.room, []).append(each)
        self._waiting.clear()
        for room, waiting in by_room.items():
            bulk = tuple(
                (str(number), Kind.FUNCTION, each.lowered) for number, each in enumerate(waiting)
            )
            given = [("", self.add_instance(Exports(bulk)))]
            if room is not None:
                given.append((ROOM, self._rooms[room][0]))
            adapter = self.instantiate(
                adapter_module([each.form for each in waiting]), tuple(given)
            )
            for number, each in enumerate(waiting):
                self.replace(each.old, self.take_function(adapter, str(number)))
