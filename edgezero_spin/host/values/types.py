"""Which Python class stands behind a resource type, and how a WIT type is written."""

import itertools
import threading

import attrs
from wasmtime import component as wit

__all__ = ["HostResource", "ResourceTypes", "describe", "host_type_id"]

_ids: dict[type, int] = {}
_next_id = itertools.count(1)
_lock = threading.Lock()


def host_type_id(class_: type) -> int:
    """Return the number under which the engine knows a Python class; the same every time."""
    found = _ids.get(class_)
    if found is None:
        with _lock:
            found = _ids.setdefault(class_, next(_next_id))
    return found


@attrs.frozen
class HostResource:
    """A resource that the host provides.

    Attributes:
        name: The WIT name, for messages.
        class_: The class of its objects.
        type_id: ``host_type_id(class_)``.
    """

    name: str
    class_: type
    type_id: int


class ResourceTypes:
    """The imported resource types of one component, with the class behind each.

    The engine numbers the types of a component that is not instantiated yet, and two
    names for one resource (an alias, a ``use``) have the same number.

    Attributes:
        in_bulk: They are those of a function whose texts are bytes (``values/bulk.py``).
    """

    def __init__(self) -> None:
        self._known: list[tuple[wit.ResourceType, HostResource]] = []
        self.in_bulk = False

    def of_bulk_function(self) -> "ResourceTypes":
        """Return the same types as a bulk function has them."""
        types = ResourceTypes()
        types._known = self._known
        types.in_bulk = True
        return types

    def add(self, type_: wit.ResourceType, name: str, class_: type) -> None:
        """Note that ``type_`` is served by objects of ``class_``."""
        self._known.append((type_, HostResource(name, class_, host_type_id(class_))))

    def find(self, type_: wit.ResourceType) -> HostResource | None:
        """Return the host's side of a type, or ``None`` for one that the guest defines."""
        for known, resource in self._known:
            if known == type_:
                return resource
        return None


_PLAIN: dict[type, str] = {
    wit.Bool: "bool",
    wit.S8: "s8",
    wit.U8: "u8",
    wit.S16: "s16",
    wit.U16: "u16",
    wit.S32: "s32",
    wit.U32: "u32",
    wit.S64: "s64",
    wit.U64: "u64",
    wit.F32: "f32",
    wit.F64: "f64",
    wit.Char: "char",
    wit.String: "string",
    wit.StreamType: "stream",
    wit.FutureType: "future",
    wit.ErrorContext: "error-context",
    wit.OwnType: "own",
    wit.BorrowType: "borrow",
}


def describe(type_: wit.ValType | None) -> str:
    """Return a type as WIT text; named types show their shape, since names are not kept."""
    match type_:
        case None:
            return "_"
        case wit.ListType():
            return f"list<{describe(type_.element)}>"
        case wit.OptionType():
            return f"option<{describe(type_.payload)}>"
        case wit.ResultType():
            return f"result<{describe(type_.ok)}, {describe(type_.err)}>"
        case wit.TupleType():
            return f"tuple<{', '.join(map(describe, type_.elements))}>"
        case wit.RecordType():
            return f"record {{{', '.join(name for name, _ in type_.fields)}}}"
        case wit.VariantType():
            return f"variant {{{', '.join(name for name, _ in type_.cases)}}}"
        case wit.EnumType():
            return f"enum {{{', '.join(type_.names)}}}"
        case wit.FlagsType():
            return f"flags {{{', '.join(type_.names)}}}"
    return _PLAIN.get(type(type_), type(type_).__name__)
