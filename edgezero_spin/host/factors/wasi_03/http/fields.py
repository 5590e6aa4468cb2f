"""``wasi:http/types@0.3.fields``: the fields of 0.2 with the errors of 0.3.

Source: contract wasi03.md, WH-1 to WH-7.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from edgezero_spin.host.exchange.fields import Pair
from edgezero_spin.host.factors.bounds import hold
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.http import fields as fields_02
from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.runtime.interface import HostFunction, Trap, WitError

__all__ = ["FUNCTIONS", "read_only"]

_INVALID = ("invalid-syntax", None)
_LENGTH_OF_LENGTH = len("content-length")
_MOST_DIGITS = 20
_LARGEST_LENGTH = (1 << 64) - 1


def read_only(fields: Fields) -> Fields:
    """The same entries, which cannot be changed."""
    return Fields(fields.entries, immutable=True)


def _changed(change: Callable[..., Any], *arguments: Any) -> Any:
    """Change fields; too large is an error here, not the end of the guest (WH-7)."""
    try:
        return change(*arguments)
    except Trap as error:
        raise WitError(("size-exceeded", None)) from error


def _plain(name: str, values: Sequence[bytes]) -> Sequence[bytes]:
    """Check and write plainly what a length may be (WH-4); other values as they are."""
    if name.lower() != "content-length":
        return values
    plain = []
    for value in values:
        digits = bytes(value).lstrip(b"0")
        if (
            not value.isdigit()
            or len(digits) > _MOST_DIGITS
            or int(b"0" + digits) > _LARGEST_LENGTH
        ):
            raise WitError(_INVALID)
        plain.append(digits or b"0")
    return plain


def _from_list(state: InstanceState, entries: Iterable[Pair]) -> Fields:
    plain: list[Pair] = []
    for name, value in entries:
        if len(name) == _LENGTH_OF_LENGTH:
            (value,) = _plain(name, (value,))
        plain.append((name, value))
    fields: Fields = _changed(Fields.from_list, plain)
    hold(state, fields.size)
    return fields


def _set(state: InstanceState, fields: Fields, name: str, values: Sequence[bytes]) -> None:
    _changed(fields.set, name, _plain(name, values))
    hold(state, fields.size)


def _append(state: InstanceState, fields: Fields, name: str, value: bytes) -> None:
    before = fields.size
    (plain,) = _plain(name, (value,))
    _changed(fields.append, name, plain)
    hold(state, fields.size - before)


def _get_and_delete(state: InstanceState, fields: Fields, name: str) -> list[bytes]:
    values = fields.get(name)
    fields.set(name, ())
    return values


FUNCTIONS: dict[str, HostFunction] = {
    **{
        name: fields_02.FUNCTIONS[name]
        for name in (
            "[constructor]fields",
            "[method]fields.get",
            "[method]fields.has",
            "[method]fields.delete",
            "[method]fields.clone",
        )
    },
    "[static]fields.from-list": _from_list,
    "[method]fields.set": _set,
    "[method]fields.get-and-delete": _get_and_delete,
    "[method]fields.append": _append,
    "[method]fields.copy-all": fields_02.FUNCTIONS["[method]fields.entries"],
}
"""Those of ``fields``."""
