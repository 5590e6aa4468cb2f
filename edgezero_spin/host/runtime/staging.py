"""Staged lists: the values of a large list, column by column, for the list writer.

``Staging`` prepares for each type what stages many values of it: numbers with one format for all
of them, texts with one join. What it makes are the nodes of ``list_writer.py``, with the bytes
that they point to, all in one piece.

Values that do not fit raise what they raise in ``storing.py``, before anything is written.

Source: ``CanonicalABI.md``, "Storing", for the form of every type.
"""

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from struct import pack
from typing import Any, Final

from edgezero_spin.host.runtime.cases import flag_bits, split_case
from edgezero_spin.host.runtime.interface import VariantTable
from edgezero_spin.host.runtime.list_writer import STAGING_BYTES
from edgezero_spin.host.runtime.memory import Context
from edgezero_spin.host.runtime.text import MAX_LIST_BYTES
from edgezero_spin.wasm.component import types as wit
from edgezero_spin.wasm.component.layout import (
    cases_of,
    discriminant_size,
    fields_of,
    layout_of,
    offsets_of,
    payload_offset,
)
from edgezero_spin.wasm.component.linked import Encoding

__all__ = ["PACKS", "Area", "Stage", "Staging", "StagingFullError", "store_staged"]

_TEXT, _LIST, _RECORD, _ROW, _VARIANT = 4, 5, 6, 7, 8
_WIDTHS: Final = {1: 0, 2: 1, 4: 2, 8: 3}
"""By bytes: the kind of a number, and what is added to ``_VARIANT``."""

_WORDS: Final = {1: "B", 2: "H", 4: "I"}

Pack = Callable[[Sequence[Any]], bytes]


def _packing(format_: str) -> Pack:
    return lambda values: pack(f"<{len(values)}{format_}", *values)


def _pack_bools(values: Sequence[Any]) -> bytes:
    if not _are(values, bool):
        raise TypeError("no bool")
    return bytes(values)


def _pack_chars(values: Sequence[Any]) -> bytes:
    codes = [*map(ord, values)]
    if any(0xD800 <= code <= 0xDFFF for code in codes):
        raise ValueError("a surrogate is not a char")
    return pack(f"<{len(codes)}I", *codes)


PACKS: Final[Mapping[wit.Primitive, Pack]] = {
    wit.Primitive.BOOL: _pack_bools,
    wit.Primitive.S8: _packing("b"),
    wit.Primitive.U8: _packing("B"),
    wit.Primitive.S16: _packing("h"),
    wit.Primitive.U16: _packing("H"),
    wit.Primitive.S32: _packing("i"),
    wit.Primitive.U32: _packing("I"),
    wit.Primitive.S64: _packing("q"),
    wit.Primitive.U64: _packing("Q"),
    # As a view of the memory has it: what is too large is infinite.
    wit.Primitive.F32: lambda values: array("f", values).tobytes(),
    wit.Primitive.F64: _packing("d"),
    wit.Primitive.CHAR: _pack_chars,
}
"""The bytes of many values of one type."""

MAX_ELEMENTS: Final = 4096
"""Elements that are staged at once."""

MIN_ELEMENTS: Final = 16
"""Elements, fewer than which are not staged: each is large, or has columns of its own."""

_MIN_ALLOCATIONS: Final = 64
"""Calls of ``realloc`` that a list needs, about, for staging it to pay."""


class StagingFullError(Exception):
    """A list does not fit the staging memory."""


class Area:
    """Bytes of the staging memory, from its first to the last that is in use."""

    def __init__(self) -> None:
        # The writer's word for faults. It also keeps 0 from being a node.
        self._parts = [bytes(4)]
        self._end = 4

    def add(self, data: bytes) -> int:
        """Append bytes and return their address.

        Raises:
            StagingFullError: There is no room.
        """
        self.check(len(data))
        at = self._end
        self._end = at + len(data)
        self._parts.append(data)
        return at

    def check(self, size: int) -> None:
        """Raise ``StagingFullError`` where there is no room for so many bytes more."""
        if self._end + size > STAGING_BYTES:
            raise StagingFullError

    def node(self, *words: int) -> int:
        """Append a node and return its address."""
        return self.add(pack(f"<{len(words)}I", *words))

    def write_to(self, memory: memoryview) -> None:
        """Write all of it."""
        memory[: self._end] = b"".join(self._parts)


_Column = tuple[str | Sequence[str], Sequence[Any]]
"""The case of all values or of each, and the payloads."""

Stage = Callable[[Area, Sequence[Any]], int]
"""``(area, values) -> node`` that stands for them, one after the other."""


class Staging:
    """Prepares what stages values of a type, for guests of one encoding."""

    def __init__(self, encoding: Encoding) -> None:
        self._has_text = encoding is Encoding.UTF8
        self._stages: dict[wit.ValueType, Stage | None] = {}

    def stage(self, type_: wit.ValueType) -> Stage | None:
        """Return what stages values of a type; ``None`` where they are stored one by one."""
        if type_ not in self._stages:
            self._stages[type_] = self._stage(type_)
        return self._stages[type_]

    def worthwhile(self, element: wit.ValueType) -> tuple[Stage, int] | None:
        """Return what stages the elements of a list, and how many it pays for.

        Returns:
            ``None`` where nothing is allocated for an element, or it cannot be staged.
        """
        allocations, stage = _allocations(element), self.stage(element)
        if stage is None or not allocations:
            return None
        return stage, -(-_MIN_ALLOCATIONS // allocations)

    def _stage(self, type_: wit.ValueType) -> Stage | None:
        match type_:
            case wit.Primitive.STRING:
                return _stage_texts if self._has_text else None
            case wit.Primitive() if type_ in PACKS:
                return _stage_numbers(layout_of(type_).size, PACKS[type_])
            case wit.ListType(wit.Primitive.U8, None):
                return _stage_bytes
            case wit.ListType(element, None):
                return self._stage_lists(element)
            case wit.RecordType() | wit.TupleType():
                return self._stage_records(type_)
            case wit.EnumType(labels):
                number = {label: index for index, label in enumerate(labels)}.__getitem__
                return self._stage_words(type_, number)
            case wit.FlagsType(labels):
                return self._stage_words(type_, flag_bits(labels))
            case wit.VariantType() | wit.OptionType() | wit.ResultType():
                return self._stage_variants(type_)
        return None

    def _stage_words(self, type_: wit.ValueType, number_of: Callable[[Any], int]) -> Stage:
        size = layout_of(type_).size
        numbers = _stage_numbers(size, _packing(_WORDS[size]))
        return lambda area, values: numbers(area, [*map(number_of, values)])

    def _stage_lists(self, element: wit.ValueType) -> Stage | None:
        stage, layout = self.stage(element), layout_of(element)
        if stage is None:
            return None
        size, alignment = layout.size, layout.alignment
        # Bytes that are staged for an element.
        least = size if element in PACKS else 1
        row = self._stage_rows(element) if isinstance(element, wit.VariantType) else None

        def stage_lists(area: Area, values: Sequence[Any]) -> int:
            if row is not None and isinstance(values, VariantTable) and not values.field:
                return row(area, map(values.column, range(len(values.columns))))
            if not _are(values, list, tuple):
                raise TypeError("no list")
            lengths = [*map(len, values)]
            area.check(least * sum(lengths))
            if max(lengths, default=0) * size > MAX_LIST_BYTES:
                raise StagingFullError
            if row is not None and len(values) >= MIN_ELEMENTS and len(set(lengths)) == 1:
                return row(area, map(_apart, zip(*values, strict=True)))
            items = stage(area, [*chain.from_iterable(values)])
            place = area.add(pack(f"<{len(lengths)}I", *lengths))
            return area.node(_LIST, place, size, alignment, items)

        return stage_lists

    def _stage_rows(self, type_: wit.VariantType) -> Callable[[Area, Iterable[_Column]], int]:
        """Return what stages lists of one length by their columns."""
        layout = layout_of(type_)
        size, alignment = layout.size, layout.alignment
        stage = self._stage_cases(type_)
        numbers = {name: index for index, (name, _) in enumerate(type_.cases)}

        def stage_rows(area: Area, columns: Iterable[_Column]) -> int:
            fields: list[int] = []
            count = 0
            for names, payloads in columns:
                if isinstance(names, str):
                    cases: Any = numbers[names]
                else:
                    cases = [*map(numbers.__getitem__, names)]
                fields += count * size, stage(area, cases, payloads)
                count += 1
            record = area.node(_RECORD, count, *fields)
            return area.node(_ROW, count, count * size, alignment, record)

        return stage_rows

    def _stage_records(self, type_: wit.AnyRecord) -> Stage | None:
        names, types = fields_of(type_)
        stages = [*map(self.stage, types)]
        if None in stages:
            return None
        parts: list[Any] = [*zip(stages, offsets_of(types), strict=True)]
        count = len(parts)
        items = None if names is None else itemgetter(*names)

        def stage_records(area: Area, values: Sequence[Any]) -> int:
            if items is None:
                if not _are(values, tuple):
                    raise TypeError("no tuple")
                columns: Any = zip(*values, strict=True)
            elif set(map(len, values)) != {count}:
                raise KeyError("other fields")
            elif count == 1:
                columns = ([*map(items, values)],)
            else:
                columns = zip(*map(items, values), strict=True)
            fields: list[int] = []
            for (stage, offset), column in zip(parts, columns, strict=True):
                fields += offset, stage(area, column)
            return area.node(_RECORD, count, *fields)

        if names is None or not _is_row(types):
            return stage_records
        only, (name,) = parts[0][0], names

        def stage_rows(area: Area, values: Sequence[Any]) -> int:
            if isinstance(values, VariantTable) and values.field == name:
                # A record lies as its only field does.
                return int(only(area, values.listed()))
            return stage_records(area, values)

        return stage_rows

    def _stage_variants(self, type_: wit.AnyVariant) -> Stage | None:
        if any(case is not None and self.stage(case) is None for case in cases_of(type_)):
            return None
        column, split = self._stage_cases(type_), split_case(type_)

        def stage_variants(area: Area, values: Sequence[Any]) -> int:
            if not values:
                return column(area, (), ())
            cases, payloads = zip(*map(split, values), strict=True)
            return column(area, cases, payloads)

        return stage_variants

    def _stage_cases(
        self, type_: wit.AnyVariant
    ) -> Callable[[Area, int | Sequence[int], Sequence[Any]], int]:
        """Return ``(area, case of all or of each, payloads) -> node``."""
        types = cases_of(type_)
        stages = [None if case is None else self.stage(case) for case in types]
        offset, width = payload_offset(types), discriminant_size(len(types))
        kind, format_ = _VARIANT + _WIDTHS[width], _WORDS[width]

        def payload(area: Area, case: int, values: Sequence[Any]) -> int:
            stage = stages[case]
            if stage is not None:
                return stage(area, values)
            if values.count(None) != len(values):
                raise TypeError("the case has no payload")
            return 0

        def stage_cases(area: Area, cases: Any, payloads: Sequence[Any]) -> int:
            nodes = [0] * len(types)
            count = len(payloads)
            used = {cases} if isinstance(cases, int) else set(cases)
            if len(used) == 1:
                (only,) = used
                nodes[only] = payload(area, only, payloads)
                place = area.add(only.to_bytes(width, "little") * count)
            else:
                for case, group in _grouped(used, cases, payloads).items():
                    nodes[case] = payload(area, case, group)
                place = area.add(pack(f"<{count}{format_}", *cases))
            return area.node(kind, place, offset, *nodes)

        return stage_cases


def _allocations(type_: wit.ValueType) -> int:
    """Return how often a value calls ``realloc``, with a guess of how long lists are."""
    match type_:
        case wit.Primitive.STRING | wit.ListType(wit.Primitive.U8, None):
            return 1
        case wit.ListType(element, None):
            return 1 + 8 * _allocations(element)
        case wit.RecordType() | wit.TupleType():
            return sum(map(_allocations, fields_of(type_)[1]))
        case wit.VariantType() | wit.OptionType() | wit.ResultType():
            return max(
                (_allocations(case) for case in cases_of(type_) if case is not None), default=0
            )
    return 0


def _is_row(fields: Sequence[wit.ValueType]) -> bool:
    match fields:
        case [wit.ListType(wit.VariantType(), None)]:
            return True
    return False


def _grouped(used: set[int], cases: Sequence[int], payloads: Sequence[Any]) -> dict[int, list[Any]]:
    """Return the payloads of each case."""
    if len(used) == 2:
        return {
            case: [value for value, of in zip(payloads, cases, strict=True) if of == case]
            for case in used
        }
    groups: dict[int, list[Any]] = {case: [] for case in used}
    for case, value in zip(cases, payloads, strict=True):
        groups[case].append(value)
    return groups


def _apart(column: Sequence[tuple[str, Any]]) -> _Column:
    names, payloads = zip(*column, strict=True)
    return names, payloads


def _are(values: Sequence[Any], *kinds: type) -> bool:
    """Tell whether all values are of one of these kinds, or of one made of it."""
    return all(issubclass(found, kinds) for found in set(map(type, values)))


def _stage_numbers(size: int, pack_values: Pack) -> Stage:
    kind = _WIDTHS[size]
    return lambda area, values: area.node(kind, area.add(pack_values(values)))


def _stage_texts(area: Area, values: Sequence[Any]) -> int:
    lengths = [*map(len, values)]
    area.check(sum(lengths))
    joined = "".join(values)
    data = joined.encode()
    if len(data) != len(joined):
        lengths = [len(value.encode()) for value in values]
    return _add_texts(area, data, lengths)


def _stage_bytes(area: Area, values: Sequence[Any]) -> int:
    if not _are(values, bytes):
        values = [memoryview(value).cast("B") for value in values]
    lengths = [*map(len, values)]
    area.check(sum(lengths))
    return _add_texts(area, b"".join(values), lengths)


def _add_texts(area: Area, data: bytes, lengths: Sequence[int]) -> int:
    place = area.add(data)
    return area.node(_TEXT, area.add(pack(f"<{len(lengths)}I", *lengths)), place)


def store_staged(cx: Context, stage: Stage, at: int, size: int, values: Sequence[Any]) -> int:
    """Write elements of a list; return how many, from the first on, are written.

    Args:
        at: Where the first begins; the range of all was checked.
        size: Bytes of an element.

    Raises:
        Trap: What ``realloc`` returned is not aligned or not within the memory.
        GuestTrapped: It trapped.
    """
    writer = cx.writer
    if writer is None:
        return 0
    done, most = 0, MAX_ELEMENTS
    while done < len(values):
        part = values if len(values) <= most else values[done : done + most]
        area = Area()
        try:
            node = stage(area, part)
        except StagingFullError:
            most = len(part) // 2
            if most < MIN_ELEMENTS:
                return done
            continue
        area.write_to(writer.staging)
        instance = cx.instance
        instance.may_leave = False
        writer.run(node, at + done * size, size, len(part))
        instance.may_leave = True
        done += len(part)
    return done
