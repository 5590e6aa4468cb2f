"""``wasi:http/types.fields``: header names and values, with the rules of HTTP-3 to HTTP-9.

Names are kept in lower case, the values of one name together and in order. A handle that
belongs to a request or to a response that was made is immutable.
"""

from collections.abc import Iterable, Sequence

from edgezero_spin.host.exchange.fields import (
    ENTRY_OVERHEAD,
    FIELDS_LIMIT,
    FORBIDDEN,
    Pair,
    is_token,
    is_value,
    size_of,
    together,
)
from edgezero_spin.host.factors.bounds import hold
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.io import Parent
from edgezero_spin.host.runtime.interface import HostFunction, Trap, WitError

__all__ = ["FUNCTIONS", "Fields"]

# Lower-case form of names seen before; bounded, because guests choose them.
_known: dict[str, str] = {}
_KNOWN_LIMIT = 1024
_LONGEST_KNOWN = 64

INVALID = ("invalid-syntax", None)


def _lower(name: str) -> str | None:
    """The name in lower case; ``None`` when it is not a header name."""
    lower = _known.get(name)
    if lower is None and len(name) < FIELDS_LIMIT and is_token(name):
        lower = name.lower()
        if len(_known) < _KNOWN_LIMIT and len(name) <= _LONGEST_KNOWN:
            _known[name] = lower
    return lower


def _checked_name(name: str) -> str:
    lower = _lower(name)
    if lower is None:
        raise WitError(INVALID)
    if lower in FORBIDDEN:
        raise WitError(("forbidden", None))
    return lower


def _place_of(name: str, entries: Sequence[Pair]) -> int:
    """Where another value of a name goes: behind the ones that are there, or last."""
    for place in range(len(entries), 0, -1):
        if entries[place - 1][0] == name:
            return place
    return len(entries)


class Fields:
    """One ``fields`` handle.

    Attributes:
        entries: Lower-case names and values.
        immutable: Changes are refused.
        parent: The request or response that they are the headers of.
    """

    __slots__ = ("_size", "entries", "immutable", "parent")

    def __init__(
        self,
        entries: list[Pair] | None = None,
        *,
        immutable: bool = False,
        parent: Parent | None = None,
    ) -> None:
        """Hold entries that were checked before, and own the list from now on."""
        self.parent = parent
        if parent is not None:
            parent.adopt()
        self.entries: list[Pair] = [] if entries is None else entries
        self.immutable = immutable
        self._size: int | None = None

    @classmethod
    def from_list(cls, entries: Iterable[Pair]) -> "Fields":
        """Check and hold entries of the guest.

        Raises:
            WitError: A name is forbidden, or a name or value is malformed.
            Trap: They are too large together.
        """
        checked = []
        for name, value in entries:
            lower = _known.get(name)
            if lower is None or lower in FORBIDDEN:
                lower = _checked_name(name)
            if not is_value(value):
                raise WitError(INVALID)
            checked.append((lower, value))
        fields = cls()
        fields._replace(together(checked))
        return fields

    @property
    def size(self) -> int:
        """What its entries count against ``FIELDS_LIMIT``."""
        if self._size is None:
            self._size = size_of(self.entries)
        return self._size

    @property
    def held_bytes(self) -> int:
        """The same, unless another resource holds the entries."""
        return 0 if self.immutable else self.size

    def get(self, name: str) -> list[bytes]:
        """Every value of a name; none for a name that cannot be one."""
        lower = _lower(name)
        return [value for known, value in self.entries if known == lower]

    def has(self, name: str) -> bool:
        """Whether the name has a value."""
        lower = _lower(name)
        return any(known == lower for known, _ in self.entries)

    def set(self, name: str, values: Sequence[bytes]) -> None:
        """Replace every value of a name; no values removes it.

        Raises:
            WitError: As ``from_list``, or the fields are immutable.
            Trap: As ``from_list``.
        """
        lower = _checked_name(name)
        if not all(map(is_value, values)):
            raise WitError(INVALID)
        self._check_mutable()
        kept = [pair for pair in self.entries if pair[0] != lower]
        kept.extend((lower, value) for value in values)
        self._replace(kept)

    def append(self, name: str, value: bytes) -> None:
        """Add one value behind the others.

        Raises:
            WitError: As ``set``.
            Trap: As ``from_list``.
        """
        lower = _checked_name(name)
        if not is_value(value):
            raise WitError(INVALID)
        self._check_mutable()
        size = self.size + len(lower) + len(value) + ENTRY_OVERHEAD
        _check_size(size)
        self.entries.insert(_place_of(lower, self.entries), (lower, value))
        self._size = size

    def clone(self) -> "Fields":
        """A mutable copy."""
        return Fields(list(self.entries))

    def view(self, parent: Parent) -> "Fields":
        """The same entries as a child of the request or response that has them."""
        return Fields(self.entries, immutable=True, parent=parent)

    def pass_on(self) -> "Fields":
        """Become the headers of a new request or response; nobody changes them any more."""
        self.immutable = True
        self._leave_parent()
        return self

    def drop(self, state: InstanceState) -> None:
        """Let the request or response that they are the headers of be dropped."""
        self._leave_parent()

    def _leave_parent(self) -> None:
        parent, self.parent = self.parent, None
        if parent is not None:
            parent.release()

    def _check_mutable(self) -> None:
        if self.immutable:
            raise WitError(("immutable", None))

    def _replace(self, entries: list[Pair]) -> None:
        size = size_of(entries)
        if size > FIELDS_LIMIT:
            _check_size(size)
        self.entries = entries
        self._size = size


def _check_size(size: int) -> None:
    if size > FIELDS_LIMIT:
        raise Trap(f"http fields of {size} bytes, at most {FIELDS_LIMIT}")


def _held(state: InstanceState, fields: Fields) -> Fields:
    hold(state, fields.size)
    return fields


def _set(state: InstanceState, fields: Fields, name: str, values: Sequence[bytes]) -> None:
    fields.set(name, values)
    hold(state, fields.size)


def _append(state: InstanceState, fields: Fields, name: str, value: bytes) -> None:
    before = fields.size
    fields.append(name, value)
    hold(state, fields.size - before)


FUNCTIONS: dict[str, HostFunction] = {
    "[constructor]fields": lambda state: Fields(),
    "[static]fields.from-list": lambda state, entries: _held(state, Fields.from_list(entries)),
    "[method]fields.get": lambda state, fields, name: fields.get(name),
    "[method]fields.has": lambda state, fields, name: fields.has(name),
    "[method]fields.set": _set,
    "[method]fields.delete": lambda state, fields, name: fields.set(name, ()),
    "[method]fields.append": _append,
    "[method]fields.entries": lambda state, fields: fields.entries,
    "[method]fields.clone": lambda state, fields: _held(state, fields.clone()),
}
"""Those of ``fields``."""
