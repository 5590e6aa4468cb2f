"""The environment layer: what ``EDGEZERO__*`` variables say about one process or request.

In: a mapping of variable names to values, such as ``os.environ``. Out: an ``EnvironmentLayer``
that answers by path, and accessors for the paths that have a meaning. Nothing is remembered
between two layers: whoever serves requests makes a new one for each (ENV-8).

``EDGEZERO__STORES__KV__NOTES__NAME=prod`` has the path ``stores / kv / notes / name``. Segments
are compared without regard to ASCII case, values are kept as they are.

Source: contract edgezero.md, ENV-1 to ENV-18 and GEN-3, GEN-4.
"""

from collections.abc import Mapping
from typing import Final

__all__ = ["DEFAULT_MAX_LIST_KEYS", "PREFIX", "EnvironmentLayer", "ascii_lower", "has_control"]

PREFIX: Final = "EDGEZERO__"
DEFAULT_MAX_LIST_KEYS: Final = 1000
"""Keys that one listing may match before it is refused, when nothing else is said."""

_LARGEST_CAP: Final = 0xFFFF_FFFF
_ASCII_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def ascii_lower(text: str) -> str:
    """Lower-case the letters A to Z and leave every other character alone (GEN-4)."""
    return text.lower() if text.isascii() else text.translate(_ASCII_LOWER)


def has_control(text: str) -> bool:
    """Tell whether a character is of Unicode category Cc: U+0000-001F or U+007F-009F."""
    return not text.isprintable() and any(c < " " or "\x7f" <= c <= "\x9f" for c in text)


class EnvironmentLayer:
    """The ``EDGEZERO__*`` variables of one snapshot, by path."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[tuple[str, ...], str]) -> None:
        """Take values by path; the segments of a path are already in lower case."""
        self._values = values

    @classmethod
    def from_mapping(cls, environ: Mapping[str, str]) -> "EnvironmentLayer":
        """Read the variables that belong to this layer and skip all others.

        A name with an empty segment is none of ours. When two names differ in case only, the
        one that the mapping yields last counts.
        """
        values = {}
        for name in environ:
            if name.startswith(PREFIX):
                path = tuple(ascii_lower(name[10:]).split("__"))
                if "" not in path:
                    values[path] = environ[name]
        return cls(values)

    def get(self, *segments: str) -> str | None:
        """Return the value at exactly this path, in any case."""
        return self._values.get(tuple(map(ascii_lower, segments)))

    def adapter_host(self) -> str | None:
        """Return the address to listen on, as written."""
        return self._values.get(("adapter", "host"))

    def adapter_port(self) -> str | None:
        """Return the port to listen on, as written."""
        return self._values.get(("adapter", "port"))

    def logging_level(self) -> str | None:
        """Return the log level, as written."""
        return self._values.get(("logging", "level"))

    def logging_endpoint(self) -> str | None:
        """Return where logs go, as written."""
        return self._values.get(("logging", "endpoint"))

    def store_setting(self, kind: str, id: str, key: str) -> str | None:
        """Return one setting of one store, as written; a blank value is a value."""
        return self.get("stores", kind, id, key)

    def store_name(self, kind: str, id: str) -> str:
        """Return the platform's name for the store with this logical id.

        The id itself when no name is set, or when the name is blank or holds a control
        character. Surrounding blanks belong to the name.
        """
        return self._usable(kind, id, "name") or id

    def store_key(self, kind: str, id: str) -> str:
        """Return the key under which a store keeps its one entry, or the id (ENV-16)."""
        return self._usable(kind, id, "key") or id

    def max_list_keys(self, id: str) -> int:
        """Return how many keys one listing of a key-value store may match; 0 is no limit.

        Anything but an unsigned decimal below 2**32, a plus sign allowed, counts as unset.
        """
        raw = self.store_setting("kv", id, "max_list_keys") if self._values else None
        if raw is None:
            return DEFAULT_MAX_LIST_KEYS
        digits = raw.removeprefix("+")
        if not (digits.isascii() and digits.isdigit()):
            return DEFAULT_MAX_LIST_KEYS
        # int() refuses very long texts, so their length is looked at first.
        digits = digits.lstrip("0") or "0"
        cap = int(digits) if len(digits) <= 10 else _LARGEST_CAP + 1
        return cap if cap <= _LARGEST_CAP else DEFAULT_MAX_LIST_KEYS

    def _usable(self, kind: str, id: str, key: str) -> str | None:
        value = self.store_setting(kind, id, key) if self._values else None
        if value is None or not value or value.isspace() or has_control(value):
            return None
        return value
