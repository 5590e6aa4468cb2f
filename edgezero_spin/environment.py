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

    def __init__(self, values: Mapping[str, str]) -> None:
        """Take values by path, its segments in lower case and joined by NUL characters.

        No variable can have a NUL in its name, so nothing else looks like a path.
        """
        self._values = values

    @classmethod
    def from_mapping(cls, environ: Mapping[str, str]) -> "EnvironmentLayer":
        """Read the variables that belong to this layer and skip all others.

        A name with an empty segment is none of ours. When two names differ in case only, the
        one that the mapping yields last counts.
        """
        names = [name for name in environ if name.startswith(PREFIX)]
        if not names:
            return _NOTHING_SET
        values = {}
        for name in names:
            path = ascii_lower(name[10:].replace("__", "\0"))
            if "\0\0" not in f"\0{path}\0":
                values[path] = environ[name]
        return cls(values)

    def get(self, *segments: str) -> str | None:
        """Return the value at exactly this path, in any case."""
        path = "\0".join(segments)
        if path.count("\0") >= len(segments):
            return None
        return self._values.get(ascii_lower(path))

    def adapter_host(self) -> str | None:
        """Return the address to listen on, as written."""
        return self._values.get("adapter\0host")

    def adapter_port(self) -> str | None:
        """Return the port to listen on, as written."""
        return self._values.get("adapter\0port")

    def logging_level(self) -> str | None:
        """Return the log level, as written."""
        return self._values.get("logging\0level")

    def logging_endpoint(self) -> str | None:
        """Return where logs go, as written."""
        return self._values.get("logging\0endpoint")

    def store_setting(self, kind: str, id: str, key: str) -> str | None:
        """Return one setting of one store, as written; a blank value is a value."""
        return self._values.get(ascii_lower(f"stores\0{kind}\0{id}\0{key}"))

    def store_name(self, kind: str, id: str) -> str:
        """Return the platform's name for the store with this logical id.

        The id itself when no name is set, or when the name is blank or holds a control
        character. Surrounding blanks belong to the name.
        """
        if not self._values:
            return id
        name = self.store_setting(kind, id, "name")
        return id if name is None else _usable(name) or id

    def store_key(self, kind: str, id: str) -> str:
        """Return the key under which a store keeps its one entry, or the id (ENV-16)."""
        key = self.store_setting(kind, id, "key")
        return id if key is None else _usable(key) or id

    def max_list_keys(self, id: str) -> int:
        """Return how many keys one listing of a key-value store may match; 0 is no limit.

        Anything but an unsigned decimal below 2**32, a plus sign allowed, counts as unset.
        """
        if not self._values:
            return DEFAULT_MAX_LIST_KEYS
        raw = self.store_setting("kv", id, "max_list_keys")
        if raw is None:
            return DEFAULT_MAX_LIST_KEYS
        digits = raw.removeprefix("+")
        if not (digits.isascii() and digits.isdigit()):
            return DEFAULT_MAX_LIST_KEYS
        # int() refuses very long texts, so their length is looked at first.
        digits = digits.lstrip("0") or "0"
        cap = int(digits) if len(digits) <= 10 else _LARGEST_CAP + 1
        return cap if cap <= _LARGEST_CAP else DEFAULT_MAX_LIST_KEYS


_NOTHING_SET: Final = EnvironmentLayer({})


def _usable(name: str) -> str | None:
    if not name or name.isspace() or has_control(name):
        return None
    return name
