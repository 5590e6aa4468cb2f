"""Types of the component model, with every index resolved.

In these types no index is left: a field's type is the type itself, and a resource type is one
object that is compared by identity. The reader makes them; the canonical ABI says how values
of them cross.

Source: WebAssembly/component-model, ``design/mvp/Binary.md``, "Type Definitions", and
``Explainer.md``, "Fundamental value types".
"""

from enum import Enum

import attrs

__all__ = [
    "AnyRecord",
    "AnyVariant",
    "BorrowType",
    "EnumType",
    "FlagsType",
    "FunctionType",
    "FutureType",
    "ListType",
    "OptionType",
    "OwnType",
    "Primitive",
    "RecordType",
    "ResourceType",
    "ResultType",
    "StreamType",
    "TupleType",
    "ValueType",
    "VariantType",
]


class Primitive(Enum):
    """Value types without parts; the value is the name in WIT."""

    BOOL = "bool"
    S8 = "s8"
    U8 = "u8"
    S16 = "s16"
    U16 = "u16"
    S32 = "s32"
    U32 = "u32"
    S64 = "s64"
    U64 = "u64"
    F32 = "f32"
    F64 = "f64"
    CHAR = "char"
    STRING = "string"
    ERROR_CONTEXT = "error-context"


@attrs.frozen(cache_hash=True)
class RecordType:
    """``record``: name and type of each field, at least one."""

    fields: tuple[tuple[str, "ValueType"], ...]


@attrs.frozen(cache_hash=True)
class VariantType:
    """``variant``: name and payload type of each case, ``None`` where it has no payload."""

    cases: tuple[tuple[str, "ValueType | None"], ...]


@attrs.frozen(cache_hash=True)
class ListType:
    """``list``, and ``list`` of a fixed length."""

    element: "ValueType"
    length: int | None = None


@attrs.frozen(cache_hash=True)
class TupleType:
    """``tuple``: type of each element, at least one."""

    elements: tuple["ValueType", ...]


@attrs.frozen(cache_hash=True)
class FlagsType:
    """``flags``: name of each bit from the lowest, 1 to 32 of them."""

    labels: tuple[str, ...]


@attrs.frozen(cache_hash=True)
class EnumType:
    """``enum``: name of each case."""

    labels: tuple[str, ...]


@attrs.frozen(cache_hash=True)
class OptionType:
    """``option``: type of the value that may be there."""

    payload: "ValueType"


@attrs.frozen(cache_hash=True)
class ResultType:
    """``result``: payload types, ``None`` where the case has none."""

    ok: "ValueType | None"
    error: "ValueType | None"


@attrs.define(eq=False)
class ResourceType:
    """A resource type, with a name for messages; two are the same only if they are one object."""

    name: str = "resource"


@attrs.frozen(cache_hash=True)
class OwnType:
    """``own<R>``: a handle that owns its resource."""

    resource: ResourceType


@attrs.frozen(cache_hash=True)
class BorrowType:
    """``borrow<R>``: a handle lent for the time of a call."""

    resource: ResourceType


@attrs.frozen(cache_hash=True)
class StreamType:
    """``stream``: type of the elements, ``None`` for a stream without values."""

    element: "ValueType | None"


@attrs.frozen(cache_hash=True)
class FutureType:
    """``future``: type of the value, ``None`` for a future without one."""

    payload: "ValueType | None"


AnyRecord = RecordType | TupleType
AnyVariant = VariantType | OptionType | ResultType
ValueType = (
    Primitive
    | RecordType
    | VariantType
    | ListType
    | TupleType
    | FlagsType
    | EnumType
    | OptionType
    | ResultType
    | OwnType
    | BorrowType
    | StreamType
    | FutureType
)


@attrs.frozen(cache_hash=True)
class FunctionType:
    """The type of a component function.

    Attributes:
        parameters: Name and type of each.
        result: Type of the result, ``None`` for none.
        is_async: The type is ``async func``.
    """

    parameters: tuple[tuple[str, ValueType], ...]
    result: ValueType | None
    is_async: bool = False

    @property
    def parameter_types(self) -> tuple[ValueType, ...]:
        """The types of the parameters."""
        return tuple(type_ for _, type_ in self.parameters)

    @property
    def types(self) -> tuple[ValueType, ...]:
        """The types of the parameters, then that of the result if there is one."""
        types = self.parameter_types
        return types if self.result is None else (*types, self.result)
