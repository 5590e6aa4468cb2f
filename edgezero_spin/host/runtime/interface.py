"""Descriptions of WIT interfaces, as factors give them to the runtime.

A capability is a table of plain functions. Each takes the state of the calling instance
and then the WIT parameters in Python form, and returns the WIT result in Python form:

| WIT | Python |
|---|---|
| ``bool``, integers, ``f32`` and ``f64`` | ``bool``, ``int``, ``float`` |
| ``char``, ``string`` | ``str`` of one character, ``str`` |
| ``list<u8>`` | ``bytes`` (any buffer of bytes is accepted from the host) |
| ``list<T>`` | ``list`` (a tuple is accepted from the host) |
| ``tuple<..>`` | ``tuple`` |
| ``record`` | ``dict`` with the WIT field names (``status-code``) |
| ``variant`` | ``(case, payload)``, payload ``None`` where the case has none |
| ``list<list<variant>>`` | a ``list`` of these (``VariantTable`` is accepted from the host) |
| ``enum`` | the case name |
| ``flags`` | ``frozenset`` of names (any set is accepted from the host) |
| ``option<T>`` | ``None`` or the value; ``Some(value)`` where ``T`` is itself an option |
| ``result<T, E>`` as a function's result | return ``T``, or raise ``WitError(E)`` |
| ``result<T, E>`` anywhere else | ``Ok(value)`` or ``Err(value)`` |
| ``own<R>``, ``borrow<R>`` | the object itself |

An ``own`` argument leaves the instance's table, a ``borrow`` stays in it, and a resource
that is returned enters it. When the guest drops its handle the object leaves the table
and its ``drop(state)`` is called if it has one; the same happens to every object left
when the instance closes.

Any exception but ``WitError`` stops the guest and reaches the caller of ``Instance.call``
with its traceback.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, overload

import attrs
import wasmtime

from edgezero_spin.host.errors import Trap, WitError
from edgezero_spin.host.runtime.resources import ResourceTable

__all__ = [
    "CoreFunction",
    "CoreInterface",
    "Err",
    "HostFunction",
    "HostState",
    "Interface",
    "Ok",
    "ResourceTable",
    "Some",
    "Trap",
    "VariantTable",
    "WitError",
]

HostFunction = Callable[..., Any]
"""``f(state, *parameters) -> result``, in the Python forms above."""


class HostState(Protocol):
    """What one instance needs to know of its state; capabilities add their own."""

    table: ResourceTable


# Not frozen: one is made at each request, which would take four times as long.
@attrs.define(unsafe_hash=True)
class Ok:
    """The ``ok`` case of a ``result`` that is nested in another type."""

    value: Any = None


@attrs.define(unsafe_hash=True)
class Err:
    """The ``err`` case of a ``result`` that is nested in another type."""

    value: Any = None


@attrs.frozen
class Some:
    """The ``some`` case of an ``option`` whose payload is itself an option."""

    value: Any = None


Cases = str | Mapping[type, str]
"""The case of a column's values, or that of each by its class."""


class VariantTable(Sequence[Any]):
    """A ``list<list<variant>>``, or of records with such a list alone, by its columns.

    What has a table returns it without a tuple for each value. It is equal to the list of its
    rows, and has its items.

    Attributes:
        cases: The case of each column.
        columns: The payloads of each column.
        null: The case of ``None`` in a column of one case.
        field: The name of the record's field; empty where rows are lists.
    """

    __slots__ = ("_count", "cases", "columns", "field", "null")
    __hash__ = None  # type: ignore[assignment] # as of any list

    def __init__(
        self,
        cases: Sequence[Cases],
        columns: Sequence[Sequence[Any]],
        count: int,
        *,
        null: str = "",
        field: str = "",
    ) -> None:
        """Note the columns.

        Args:
            count: How many rows there are.

        Raises:
            ValueError: A column has not one payload for each row.
        """
        if len(cases) != len(columns) or any(len(column) != count for column in columns):
            raise ValueError("a table has columns with a value for each row")
        self.cases = cases
        self.columns = columns
        self.null = null
        self.field = field
        self._count = count

    @classmethod
    def of_rows(
        cls,
        cases: Sequence[Cases],
        rows: Sequence[Sequence[Any]],
        *,
        null: str = "",
        field: str = "",
    ) -> "VariantTable":
        """Return the table of these rows.

        Raises:
            ValueError: A row has not one payload for each column.
        """
        columns = [*zip(*rows, strict=True)] if rows else [()] * len(cases)
        return cls(cases, columns, len(rows), null=null, field=field)

    @classmethod
    def joined(cls, tables: "Sequence[VariantTable]") -> "VariantTable":
        """Return the rows of several tables with the same cases, one at least."""
        if len(tables) == 1:
            return tables[0]
        columns: list[list[Any]] = [[] for _ in tables[0].columns]
        for table in tables:
            for column, part in zip(columns, table.columns, strict=True):
                column.extend(part)
        return tables[0]._alike(columns, sum(map(len, tables)))

    def _alike(self, columns: Sequence[Sequence[Any]], count: int) -> "VariantTable":
        return VariantTable(self.cases, columns, count, null=self.null, field=self.field)

    def listed(self) -> "VariantTable":
        """Return the same with lists for rows."""
        return VariantTable(self.cases, self.columns, self._count, null=self.null)

    def column(self, index: int) -> tuple[str | list[str], Sequence[Any]]:
        """Return the case of all payloads of a column or of each, and the payloads."""
        cases, payloads = self.cases[index], self.columns[index]
        if isinstance(cases, str):
            return cases if None not in payloads else self.cases_of(index), payloads
        classes = set(map(type, payloads))
        return cases[classes.pop()] if len(classes) == 1 else self.cases_of(index), payloads

    def cases_of(self, column: int) -> list[str]:
        """Return the case of each payload of a column."""
        cases, payloads = self.cases[column], self.columns[column]
        if isinstance(cases, str):
            null = self.null
            return [null if payload is None else cases for payload in payloads]
        return [cases[type(payload)] for payload in payloads]

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        columns = [
            zip(self.cases_of(index), column, strict=True)
            for index, column in enumerate(self.columns)
        ]
        rows: Iterator[Any] = map(list, zip(*columns, strict=True))
        if not columns:
            rows = iter([[] for _ in range(self._count)])
        return ({self.field: row} for row in rows) if self.field else rows

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> "VariantTable": ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            count = len(range(self._count)[index])
            return self._alike([column[index] for column in self.columns], count)
        at = range(self._count)[index]
        (row,) = self[at : at + 1]
        return row

    def __add__(self, other: Sequence[Any]) -> list[Any]:
        return [*self, *other]

    def __eq__(self, other: object) -> bool:
        return list(self) == (list(other) if isinstance(other, VariantTable) else other)

    def __repr__(self) -> str:
        return repr(list(self))


@attrs.frozen
class Interface:
    """The host's side of one WIT interface.

    Attributes:
        name: The interface without its version, ``wasi:io/streams``.
        functions: WIT item name to function: ``get-stdin``,
            ``[method]input-stream.read``, ``[static]outgoing-body.finish``,
            ``[constructor]fields``.
        resources: WIT resource name to the Python class of its objects. Two names with
            the same class are the same resource type, in this interface or another:
            ``headers`` and ``fields``, or ``pollable`` wherever it is used.
    """

    name: str
    functions: Mapping[str, HostFunction] = attrs.field(factory=dict)
    resources: Mapping[str, type] = attrs.field(factory=dict)


@attrs.frozen
class CoreFunction:
    """A core function that the host provides by itself.

    Attributes:
        parameters, results: Their core types: ``i32`` or ``i64``.
        run: ``f(context, *core parameters) -> core result``; the context is that of the guest's
            memory (``runtime.memory.Context``).
    """

    parameters: tuple[str, ...]
    results: tuple[str, ...]
    run: Callable[..., int | None]


@attrs.frozen
class CoreInterface(Interface):
    """The host's side of WASI 0.1, whose functions core modules import by themselves.

    Attributes:
        core_functions: Those that are not the engine's, by name.
        configure: Returns what the engine's functions may use, for one instance.
    """

    core_functions: Mapping[str, CoreFunction] = attrs.field(factory=dict)
    configure: Callable[[Any], wasmtime.WasiConfig] = lambda state: wasmtime.WasiConfig()
