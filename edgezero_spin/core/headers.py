"""Header fields: several values per name, values as bytes, order kept.

In: pairs as a host delivers them, or text that a handler sets. Out: look-ups by name
in any case. Names are kept in lower case, which is how HTTP/2 and WASI spell them.

What a request brought is taken as it is; what a handler sets is checked, because a
line break in a value would start a header of its own.

Source: RFC 9110 section 5; contract edgezero.md, EXT-5, SPN-1, SPN-5.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self, TypeAlias, overload

__all__ = ["HOST_ONLY", "HeaderInput", "Headers", "MutableHeaders", "header_text"]

HOST_ONLY = frozenset(
    {
        "connection",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
    }
)
"""Names that WASI hosts decide about: no app sees them (contract spin-host.md, HTTP-3)."""

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")
_CONTROLS = frozenset(range(0x20)) - {0x09} | {0x7F}


class Headers:
    """The header fields of a request; they do not change.

    ``headers["host"]`` and ``headers.get("host")`` give the first value as text: UTF-8
    where that decodes, else Latin-1. ``get_bytes`` gives what was sent.
    """

    __slots__ = ("_pairs",)

    def __init__(self, fields: "HeaderInput" = ()) -> None:
        pairs = fields._pairs if isinstance(fields, Headers) else _checked(fields)
        self._pairs: list[tuple[str, bytes]] = list(pairs)

    @classmethod
    def received(cls, pairs: Iterable[tuple[str, bytes]]) -> Self:
        """Take fields from a host as they are, names lower-cased and nothing checked."""
        headers = cls.__new__(cls)
        headers._pairs = [(name.lower(), value) for name, value in pairs]
        return headers

    @property
    def pairs(self) -> Sequence[tuple[str, bytes]]:
        """Every field in order, as a host wants them. Not to be changed."""
        return self._pairs

    def get_bytes(self, name: str) -> bytes | None:
        """Return the first value as it was sent, or ``None``."""
        name = name.lower()
        for known, value in self._pairs:
            if known == name:
                return value
        return None

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: str) -> str: ...
    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first value as text, or the default."""
        value = self.get_bytes(name)
        return default if value is None else header_text(value)

    def get_all(self, name: str) -> list[str]:
        """Return every value of the name as text, in order."""
        return [header_text(value) for value in self.get_all_bytes(name)]

    def get_all_bytes(self, name: str) -> list[bytes]:
        """Return every value of the name as it was sent, in order."""
        name = name.lower()
        return [value for known, value in self._pairs if known == name]

    def keys(self) -> list[str]:
        """Return each name once, in order of first appearance."""
        return list(dict(self._pairs))

    def items(self) -> list[tuple[str, str]]:
        """Return every field as text, repeats included."""
        return [(name, header_text(value)) for name, value in self._pairs]

    def __getitem__(self, name: str) -> str:
        value = self.get_bytes(name)
        if value is None:
            raise KeyError(name)
        return header_text(value)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get_bytes(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self._pairs)

    def __eq__(self, other: object) -> bool:
        return self._pairs == other._pairs if isinstance(other, Headers) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # a list inside; equality is by content

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._pairs!r})"


HeaderInput: TypeAlias = Mapping[str, str | bytes] | Iterable[tuple[str, str | bytes]] | Headers
"""What headers can be made of. Names in any case; text is sent as UTF-8."""


class MutableHeaders(Headers):
    """The header fields of a response.

    Raises:
        TypeError: A name is not text, or a value neither text nor bytes.
        ValueError: A name is not an HTTP token, or a value holds a control character.
    """

    __slots__ = ()

    @classmethod
    def over(cls, pairs: list[tuple[str, bytes]]) -> Self:
        """Share a list of checked, lower-case fields: changes show in both."""
        headers = cls.__new__(cls)
        headers._pairs = pairs
        return headers

    def add(self, name: str, value: str | bytes) -> None:
        """Append one field and keep those of the same name."""
        self._pairs += _checked([(name, value)])

    def __setitem__(self, name: str, value: str | bytes) -> None:
        new = _checked([(name, value)])
        self.discard(name)
        self._pairs += new

    def setdefault(self, name: str, value: str | bytes) -> None:
        """Add the field unless one of that name is there."""
        if name not in self:
            self.add(name, value)

    def discard(self, name: str) -> None:
        """Remove every field of the name; none is not an error."""
        name = name.lower()
        self._pairs[:] = [pair for pair in self._pairs if pair[0] != name]

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self.discard(name)


def header_text(value: bytes) -> str:
    """Return the value of a field as text: UTF-8 where that decodes, else Latin-1."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _checked(
    fields: Mapping[str, str | bytes] | Iterable[tuple[str, str | bytes]],
) -> list[tuple[str, bytes]]:
    checked = []
    # Not isinstance(fields, Mapping): the first answer of an abstract class to a type costs
    # a component more than everything else that a small response does.
    pairs: Any = fields.items() if hasattr(fields, "items") else fields
    if isinstance(pairs, str | bytes):
        raise TypeError(f"headers are a mapping or pairs of name and value, not {pairs!r}")
    for pair in pairs:
        if isinstance(pair, str | bytes) or not hasattr(pair, "__len__") or len(pair) != 2:
            raise TypeError(f"headers are a mapping or pairs of name and value, not {pair!r}")
        name, value = pair
        if not isinstance(name, str):
            raise TypeError(f"a header name is text, not {name!r}")
        lower = name.lower()
        if not lower or not _TOKEN.issuperset(lower):
            raise ValueError(f"invalid header name {name!r}")
        checked.append((lower, _checked_value(lower, value)))
    return checked


def _checked_value(name: str, value: object) -> bytes:
    if isinstance(value, str):
        try:
            raw = value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"header {name!r}: the text has no UTF-8 form") from None
    elif isinstance(value, bytes | bytearray | memoryview):
        raw = bytes(value)
    else:
        hint = "; for several values give pairs" if isinstance(value, list | tuple) else ""
        raise TypeError(f"header {name!r}: a value is text or bytes, not {value!r}{hint}")
    if not _CONTROLS.isdisjoint(raw):
        raise ValueError(f"header {name!r}: a value cannot hold control characters")
    return raw.strip(b" \t")
