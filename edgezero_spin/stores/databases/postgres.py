"""PostgreSQL servers.

The server infers the type of each parameter, and the interface takes a parameter in exactly that
type. What was refused is sent again as another case that carries the same value: nothing ran yet.

Source: contract services.md, PG-24, PG-30 to PG-58.
"""

import re
from typing import Any, ClassVar

from edgezero_spin.stores.databases.backend import DatabaseFailure
from edgezero_spin.stores.databases.parameters import Candidates
from edgezero_spin.stores.databases.sql import SqlDatabase
from edgezero_spin.stores.declaration import DatabaseKind

__all__ = ["Postgres"]

# As the driver of Spin words it, and as its debug output does.
_REFUSED = re.compile(r"error serializing parameter (\d+)|kind: ToSql\((\d+)\)")

_MAX_KNOWN = 256


class Postgres(SqlDatabase):
    """A database on a PostgreSQL server; placeholders are ``$1``, ``$2``.

    The address is a variable, ``postgres://user:password@host/database``. Numbers, ``Decimal``,
    dates and times, ``timedelta``, ``UUID``, ``Interval``, ``Range`` and lists fit the types of the
    server; models and dictionaries go to ``jsonb``. ``timestamptz`` is read as a ``datetime`` in
    UTC without ``tzinfo``.
    """

    kind: ClassVar[DatabaseKind] = "postgres"

    __slots__ = ()

    async def execute(self, statement: str, /, *parameters: Any) -> int:
        """Run a statement; return how many rows it touched."""
        count: int = await self._call("execute", statement, parameters)
        return count

    async def _send(self, call: Any, statement: str, candidates: list[Candidates]) -> Any:
        key = statement, tuple([tuple([case for case, _ in cases]) for cases in candidates])
        chosen = list(_known.get(key) or [0] * len(candidates))
        while True:
            values = [cases[choice] for cases, choice in zip(candidates, chosen, strict=True)]
            try:
                return await call(statement, values)
            except DatabaseFailure as failure:
                index = _refused_parameter(failure)
                if index is None or index >= len(chosen):
                    raise
                if chosen[index] + 1 >= len(candidates[index]):
                    raise
                chosen[index] += 1
            if len(_known) >= _MAX_KNOWN:
                _known.clear()
            _known[key] = tuple(chosen)


_known: dict[tuple[str, tuple[tuple[str, ...], ...]], tuple[int, ...]] = {}
"""Which case each parameter of a statement was last sent as."""


def _refused_parameter(failure: DatabaseFailure) -> int | None:
    match = _REFUSED.search(failure.message)
    return None if match is None else int(match[1] or match[2])
