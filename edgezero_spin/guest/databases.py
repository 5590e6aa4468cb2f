"""Generated bindings of the database interfaces, and values on their way through them.

In: the databases that an app declares. Out: for each kind the functions and classes of the
interface that its world imports, or which one is missing. Cases of WIT are classes here:
``("int64", 1)`` is ``ParameterValue_Int64(1)``.

Source: componentize-py 0.25; ``fermyon:spin@2.0.0``, ``spin:postgres@4.0.0`` and ``4.2.0``,
``spin:sqlite@3.1.0``, ``spin:redis@3.0.0``, ``spin:mysql@3.0.0``.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import attrs

from edgezero_spin.guest.bindings import Err, imported
from edgezero_spin.stores import DatabaseKind, StoreDeclaration
from edgezero_spin.stores.databases import DECODERS, DatabaseFailure, Parameter, ServerMessage

__all__ = ["Connection", "DatabaseBinding", "DatabaseInterface", "bound_databases", "failure_of"]

_UPPER = re.compile(r"(?<!^)(?=[A-Z])")


@attrs.frozen(kw_only=True)
class DatabaseInterface:
    """The interface of one kind of database, of one generation of WASI.

    Attributes:
        name: Its name in WIT, with version.
        modules: What componentize-py and spin-sdk call its module.
        types: The same of the module with its types, where that is another.
        opens: The function that opens a connection.
        asynchronous: Whether that is a coroutine.
        parameter, value: The variants of parameters and of values in rows.
    """

    name: str
    modules: tuple[str, ...]
    types: tuple[str, ...] = ()
    opens: str = "open"
    asynchronous: bool
    parameter: str = "ParameterValue"
    value: str = "DbValue"

    def loaded(self) -> tuple[Any, Any]:
        """Return its module and that of its types; ``None`` where the world does not import it."""
        module = imported(f"Connection.{self.opens}", self.asynchronous, *self.modules)
        return module, imported("", self.asynchronous, *self.types) or module


@attrs.frozen
class DatabaseBinding:
    """What a component calls for one kind of database.

    Attributes:
        open: Opens a connection.
    """

    open: Callable[[str], Any]
    _types: Any
    _interface: DatabaseInterface
    _readers: Mapping[type, Callable[[Any], Any]]

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of the interface.

        Raises:
            DatabaseFailure: It returned an error.
        """
        try:
            result = function(*arguments)
            return await result if self._interface.asynchronous else result
        except Err as error:
            raise failure_of(error.value) from None

    def parameters(self, parameters: Sequence[Parameter]) -> list[Any]:
        """Return parameters as the interface takes them."""
        return [self.case_of(self._interface.parameter, *parameter) for parameter in parameters]

    def case_of(self, variant: str, case: str, payload: Any) -> Any:
        """Return one case of a variant."""
        made = getattr(self._types, f"{variant}_{case.title().replace('-', '')}")
        if payload is None:
            return made()
        if case.startswith("range-"):
            payload = tuple(map(self._bound, payload))
        elif case == "interval":
            payload = self._types.Interval(**payload)
        return made(payload)

    def rows(self, rows: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Return rows as Python values."""
        readers = self._readers
        return [
            tuple([readers[type(value)](value) for value in getattr(row, "values", row)])
            for row in rows
        ]

    def _bound(self, bound: tuple[Any, str] | None) -> Any:
        if bound is None:
            return None
        return bound[0], self._types.RangeBoundKind[bound[1].upper()]


class Connection:
    """An open connection, for the backends of the facades.

    Attributes:
        binding: The interface of its kind.
    """

    def __init__(self, binding: DatabaseBinding, kind: DatabaseKind, native: Any) -> None:
        self.binding = binding
        self.kind = kind
        self._native = native

    def close(self) -> None:
        """Close it. Twice is harmless."""
        native, self._native = self._native, None
        if native is not None:
            native.__exit__(None, None, None)

    async def _call(self, function: str, *arguments: Any) -> Any:
        return await self.binding.call(getattr(self._native, function), *arguments)

    async def _run(self, function: str, statement: str, parameters: Sequence[Parameter]) -> Any:
        return await self._call(function, statement, self.binding.parameters(parameters))


class _RedisConnection(Connection):
    """A ``RedisBackend``."""

    async def call(self, function: str, *arguments: Any) -> Any:
        if function == "execute":
            replies = await self._run(function, *arguments)
            return [("", getattr(reply, "value", None)) for reply in replies]
        return await self._call("del_" if function == "del" else function, *arguments)


def bound_databases(
    declaration: StoreDeclaration,
    known: Mapping[DatabaseKind, DatabaseInterface],
    world: str,
    sql: type[Connection],
) -> Callable[[DatabaseKind, str], Awaitable[Any]]:
    """Return what opens the databases that an app declares; see ``DatabasePlatform``.

    Args:
        declaration: What the app declares.
        known: The interfaces of one generation of WASI.
        world: A fixed world that has them, for messages.
        sql: A ``SqlBackend``.

    Raises:
        ImportError: The world lacks an interface; names it and the way out.
    """
    bindings = _bindings(declaration, known, world)

    async def open_database(kind: DatabaseKind, target: str) -> Any:
        binding = bindings[kind]
        native = await binding.call(binding.open, target)
        return (_RedisConnection if kind == "redis" else sql)(binding, kind, native)

    return open_database


def _bindings(
    declaration: StoreDeclaration, known: Mapping[DatabaseKind, DatabaseInterface], world: str
) -> dict[DatabaseKind, DatabaseBinding]:
    """Return a binding for each kind of database that is declared.

    Raises:
        ImportError: The world lacks one of them; names it and the way out.
    """
    found = {}
    for kind, interface in known.items():
        if getattr(declaration, kind) is None:
            continue
        module, types = interface.loaded()
        if module is None:
            raise ImportError(
                f"the app declares {kind}, but the world of this component does not import "
                f"{interface.name}: build it with `edgezero componentize`, which writes the "
                f"world, or name one that has it (-w {world})"
            )
        opened = getattr(module.Connection, interface.opens)
        found[kind] = DatabaseBinding(opened, types, interface, _readers(kind, interface, types))
    return found


def _readers(
    kind: DatabaseKind, interface: DatabaseInterface, types: Any
) -> dict[type, Callable[[Any], Any]]:
    """Return for each class of a value what makes a Python value of it."""
    return {
        getattr(types, f"{interface.value}_{case.title().replace('-', '')}"): _reader(case, decoder)
        for case, decoder in DECODERS.get(kind, {}).items()
    }


def _reader(case: str, decoder: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    if decoder is None:
        return lambda value: value.value
    if case.startswith("range-"):
        return lambda value: decoder([_neutral(bound) for bound in value.value])
    if case == "interval":
        return lambda value: decoder(vars(value.value))
    return lambda value: decoder(getattr(value, "value", None))


def _neutral(bound: Any) -> Any:
    return None if bound is None else (bound[0], bound[1].name.lower())


def failure_of(error: Err) -> DatabaseFailure:
    """Return what a call failed with; ``error`` is the payload of its ``Err``."""
    case = _case_of(error)
    payload = getattr(error, "value", None)
    if payload is None or isinstance(payload, str):
        return DatabaseFailure(case, payload)
    # PostgreSQL: the text of a failure, or all that the server said.
    said = payload.value
    if isinstance(said, str):
        return DatabaseFailure(case, said)
    server = ServerMessage(code=said.code, detail=said.detail or "", extras=dict(said.extras))
    return DatabaseFailure(case, said.message, server)


def _case_of(error: Any) -> str:
    return _UPPER.sub("-", type(error).__name__.partition("_")[2]).lower()
