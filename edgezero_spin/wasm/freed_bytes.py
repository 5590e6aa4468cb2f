"""Free the copies that componentize-py makes of bytes for a call and then forgets.

In: a component that componentize-py made. Out: the same component, in which a call that takes
``list<u8>`` frees what was copied for it once it is done. Without that a guest that streams a
body grows by as much as it sends: its runtime allocates a copy of each piece, hands over its
address, and never looks at it again (``maybe_pop_list`` in componentize-py 0.25).

The bindings (``libcomponentize_py_bindings.so``) are the module that is given
``wit_dylib_dealloc_bytes`` by the runtime; what else they are given are the functions that the
component imports. Between the two come functions that call these and then ``free``. Nothing
but the runtime calls them: what libc passes to the same imports belongs to its callers.

Whatever has another shape is returned as it came. A release of componentize-py that frees its
copies must not go through here; see ``project/componentize.py``.

Source: wit-dylib, as componentize-py 0.25 has it.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import attrs

from edgezero_spin.wasm.binary import number_bytes
from edgezero_spin.wasm.canonical import Lower
from edgezero_spin.wasm.component_types import Compound, Form, Function, InstanceType, Primitive
from edgezero_spin.wasm.core_rewriting import CoreRewriting
from edgezero_spin.wasm.flattening import I32, flattened, flattened_function
from edgezero_spin.wasm.index_spaces import IndexSpaces, read_index_spaces
from edgezero_spin.wasm.module import (
    Export,
    Import,
    Kind,
    UnknownFormError,
    function_type_bytes,
    new_module,
)
from edgezero_spin.wasm.wiring import (
    CoreAlias,
    Exports,
    Instantiation,
    Part,
    rewritten_component,
)

__all__ = ["with_freed_bytes"]

_ENVIRONMENT, _OF_THE_RUNTIME, _FREE = "env", "wit_dylib_dealloc_bytes", "free"
_TABLE_OF_STUBS = "$imports"
_COPIED = [Compound(Form.LIST, ((None, part),)) for part in (Primitive.U8, Primitive.S8)]
_GET, _CALL, _END, _NO_LOCALS = b"\x20", b"\x10", b"\x0b", b"\0"


def with_freed_bytes(component: bytes) -> bytes:
    """Return the component with its calls freeing what was copied for them.

    A component of another shape, and whatever is no whole component, comes back unchanged.
    """
    return rewritten_component(component, _freeing)


def _freeing(parts: list[Part]) -> list[Part] | None:
    calls = list(_calls(_Bindings(read_index_spaces(parts))))
    return _Rewriting(calls).parts(parts) if calls else None


@attrs.frozen
class _Call:
    """A function that the bindings are given.

    Attributes:
        function: Its index among the core functions.
        given_by: The core instance through which they are.
        free: Index of ``free``.
        parameters, results: Its type.
        copies: Which parameters are addresses of copies.
    """

    function: int
    given_by: int
    free: int
    parameters: tuple[int, ...]
    results: tuple[int, ...]
    copies: tuple[int, ...]


_T = TypeVar("_T")


def _first(found: Iterator[_T], what: str) -> _T:
    for each in found:
        return each
    raise UnknownFormError(f"there is no {what}")


class _Bindings:
    """The instance of the bindings, and what surrounds it.

    Attributes:
        spaces: The component.
        given: Core instances that give imports to the bindings.
        free: Index of ``free`` among the core functions.
    """

    def __init__(self, spaces: IndexSpaces) -> None:
        """Find it.

        Raises:
            UnknownFormError: There is none.
        """
        self.spaces = spaces
        bindings, dealloc = _first(
            (
                (form, index)
                for form in spaces.core_instances
                if isinstance(form, Instantiation)
                for name, index in self._environment(form)
                if name == _OF_THE_RUNTIME
            ),
            "module of bindings",
        )
        self.given = [number for name, number in bindings.arguments if name != _ENVIRONMENT]
        owner = spaces.core_functions[dealloc]
        runtime = spaces.core_instances[owner.instance] if isinstance(owner, CoreAlias) else None
        if not isinstance(runtime, Instantiation):
            raise UnknownFormError("the runtime is no module")
        self.free = _first(
            (index for name, index in self._environment(runtime) if name == _FREE), "free"
        )

    def _environment(self, form: Instantiation) -> Iterator[tuple[str, int]]:
        """Yield name and index of the functions that a module is given as ``env``."""
        for name, number in form.arguments:
            given = self.spaces.core_instances[number]
            if name == _ENVIRONMENT and isinstance(given, Exports):
                for item, kind, index in given.items:
                    if kind == Kind.FUNCTION:
                        yield item, index

    def behind(self, function: int) -> Lower | None:
        """Return what a core function really is, where a stub stands for it until it is there."""
        source = self.spaces.core_functions[function]
        if isinstance(source, CoreAlias):
            stubs = [
                index
                for index, alias in enumerate(self.spaces.core_tables)
                if (alias.instance, alias.name) == (source.instance, _TABLE_OF_STUBS)
            ]
            for form in self.spaces.core_instances:
                if not isinstance(form, Exports):
                    continue
                items = {(name, kind): index for name, kind, index in form.items}
                if items.get((_TABLE_OF_STUBS, Kind.TABLE)) in stubs:
                    later = items.get((source.name, Kind.FUNCTION))
                    return None if later is None else self.behind(later)
        return source if isinstance(source, Lower) else None


def _calls(bindings: _Bindings) -> Iterator[_Call]:
    """Yield the calls that bytes are copied for."""
    for instance in bindings.given:
        form = bindings.spaces.core_instances[instance]
        if not isinstance(form, Exports):
            continue
        for _, kind, index in form.items:
            lower = bindings.behind(index) if kind == Kind.FUNCTION else None
            imported = None if lower is None else bindings.spaces.imported(lower)
            if imported is None:
                continue
            scope = imported.scope
            function = scope.types[scope.functions[imported.name]]
            if not isinstance(function, Function):
                continue
            copies = tuple(_copies(function, scope))
            if copies:
                parameters, results, _ = flattened_function(function, scope)
                yield _Call(index, instance, bindings.free, parameters, results, copies)


def _copies(function: Function, scope: InstanceType) -> Iterator[int]:
    if not any(scope.resolved(type_) in _COPIED for _, type_ in function.parameters):
        return
    place = 0
    for _, type_ in function.parameters:
        if scope.resolved(type_) in _COPIED:
            yield place
        place += len(flattened(type_, scope))


class _Rewriting(CoreRewriting):
    """Puts functions that free between the bindings and what they are given."""

    def __init__(self, calls: Sequence[_Call]) -> None:
        super().__init__()
        self._calls = calls

    def before_instance(self, instance: int) -> None:
        """Make the functions that this instance gives to the bindings."""
        calls = [call for call in self._calls if call.given_by == instance]
        if not calls:
            return
        given = [
            (str(number), Kind.FUNCTION, self.new_number(call.function))
            for number, call in enumerate(calls)
        ]
        given.append((_FREE, Kind.FUNCTION, self.new_number(calls[0].free)))
        made = self.instantiate(
            _freeing_module(calls), (("", self.add_instance(Exports(tuple(given)))),)
        )
        for number, call in enumerate(calls):
            self.replace(call.function, self.take_function(made, str(number)))


def _freeing_module(calls: Sequence[_Call]) -> bytes:
    """Return a module whose exports call the imports of the same name, and then free."""
    count = len(calls)
    types = [function_type_bytes(call.parameters, call.results) for call in calls]
    imports = [
        Import("", str(number), Kind.FUNCTION, number_bytes(number)) for number in range(count)
    ]
    types.append(function_type_bytes((I32,), ()))
    imports.append(Import("", _FREE, Kind.FUNCTION, number_bytes(count)))
    bodies = []
    for number, call in enumerate(calls):
        code = [_NO_LOCALS]
        code += [_GET + number_bytes(place) for place in range(len(call.parameters))]
        code += [_CALL, number_bytes(number)]
        for place in call.copies:
            code += [_GET, number_bytes(place), _CALL, number_bytes(count)]
        bodies.append(b"".join([*code, _END]))
    exports = [Export(str(number), Kind.FUNCTION, count + 1 + number) for number in range(count)]
    return new_module(types, imports, range(count), exports, bodies)
