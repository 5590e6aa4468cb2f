"""The rules for keys, prefixes, values, limits and times to live, in their order.

Each function returns nothing or raises, and none asks a host. The common case, printable
ASCII of ordinary length, is settled by a few C-level tests.

Source: contract edgezero.md, KV-1 to KV-8 and SEC-2. Lengths are UTF-8 bytes.
"""

from typing import Final

from edgezero_spin.environment import has_control
from edgezero_spin.stores.errors import KeyValueValidationError, SecretValidationError

__all__ = [
    "MAX_KEY_BYTES",
    "MAX_LIST_LIMIT",
    "MAX_TTL_S",
    "MAX_VALUE_BYTES",
    "MIN_TTL_S",
    "check_key",
    "check_limit",
    "check_prefix",
    "check_secret_name",
    "check_text",
    "check_ttl",
    "check_value_size",
]

MAX_KEY_BYTES: Final = 512
MAX_VALUE_BYTES: Final = 25 * 1024 * 1024
MAX_LIST_LIMIT: Final = 1000
MIN_TTL_S: Final = 60
MAX_TTL_S: Final = 365 * 24 * 60 * 60


def check_key(key: str) -> None:
    """Refuse a key that is empty, too long, ``.``, ``..`` or holds control characters."""
    try:
        plain = key.isascii() and 0 < len(key) <= MAX_KEY_BYTES and key.isprintable()
        if plain and key not in (".", ".."):
            return
    except AttributeError:
        pass
    check_text("key", key)
    if not key:
        raise KeyValueValidationError("key cannot be empty")
    _check_length("key", key)
    if key in (".", ".."):
        raise KeyValueValidationError(f"key cannot be exactly '{key}'")
    _check_characters("key", key)


def check_text(what: str, value: object, *, shown: bool = True) -> None:
    """Refuse a name that is not text, and say how it becomes text.

    Args:
        what: What the value is to the caller: ``key``.
        value: What was given.
        shown: Whether the message may quote it.

    Raises:
        TypeError: It is not a ``str``.
    """
    if isinstance(value, str):
        return
    hint = "write str(...)"
    if isinstance(value, bytes):
        hint = "write .decode()"
    elif hasattr(value, "__await__"):
        hint = "write `await` before the call"
    shown_value = f"{type(value).__name__} {value!r}" if shown else type(value).__name__
    raise TypeError(f"{_article(what)} is text, got {shown_value}; {hint}")


def check_prefix(prefix: str) -> None:
    """Refuse a prefix that is too long or holds control characters; empty is fine."""
    check_text("prefix", prefix)
    if prefix.isascii() and len(prefix) <= MAX_KEY_BYTES and prefix.isprintable():
        return
    _check_length("prefix", prefix)
    _check_characters("prefix", prefix)


def check_value_size(size_bytes: int) -> None:
    """Refuse a value of more than 25 MiB."""
    if size_bytes > MAX_VALUE_BYTES:
        raise KeyValueValidationError(
            f"value size {size_bytes} exceeds limit of {MAX_VALUE_BYTES} bytes"
        )


def check_limit(limit: int) -> None:
    """Refuse a page size outside 1 to 1000."""
    if type(limit) is not int:
        raise TypeError(f"a list limit is a whole number, got {limit!r}")
    if limit <= 0:
        raise KeyValueValidationError("list limit must be greater than zero")
    if limit > MAX_LIST_LIMIT:
        raise KeyValueValidationError(f"list limit {limit} exceeds maximum of {MAX_LIST_LIMIT}")


def check_ttl(ttl_s: float) -> None:
    """Refuse a time to live outside one minute to one year."""
    if not isinstance(ttl_s, int | float):
        raise TypeError(f"a time to live is a number of seconds, got {ttl_s!r}")
    if not ttl_s >= MIN_TTL_S:
        raise KeyValueValidationError(
            f"TTL {ttl_s} s is less than minimum of at least {MIN_TTL_S} seconds"
        )
    if ttl_s > MAX_TTL_S:
        raise KeyValueValidationError(f"TTL {ttl_s} s exceeds maximum of 1 year")


def check_secret_name(name: str) -> None:
    """Refuse a secret's or its store's name that is empty, too long or holds controls."""
    check_text("secret name", name, shown=False)
    if name.isascii() and 0 < len(name) <= MAX_KEY_BYTES and name.isprintable():
        return
    if not name:
        raise SecretValidationError("secret name cannot be empty")
    size = _byte_length(name)
    if size > MAX_KEY_BYTES:
        raise SecretValidationError(
            f"secret name length {size} exceeds limit of {MAX_KEY_BYTES} bytes"
        )
    if has_control(name):
        raise SecretValidationError("secret name contains invalid control characters")
    if _has_surrogate(name):
        raise SecretValidationError("secret name is not valid Unicode text")


def _article(what: str) -> str:
    return f"{'an' if what[0] in 'aeiou' else 'a'} {what}"


def _byte_length(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _has_surrogate(text: str) -> bool:
    return not text.isprintable() and any("\ud800" <= c <= "\udfff" for c in text)


def _check_length(item: str, text: str) -> None:
    size = _byte_length(text)
    if size > MAX_KEY_BYTES:
        raise KeyValueValidationError(
            f"{item} length {size} exceeds limit of {MAX_KEY_BYTES} bytes"
        )


def _check_characters(item: str, text: str) -> None:
    if has_control(text):
        raise KeyValueValidationError(f"{item} contains invalid control characters")
    if _has_surrogate(text):
        raise KeyValueValidationError(f"{item} is not valid Unicode text")
