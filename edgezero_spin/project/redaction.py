"""Redaction: values kept out of messages and logs.

Source: our own; contract edgezero.md, PSH-8: values are never printed, only keys.
"""

import re
from collections.abc import Iterable

__all__ = ["HIDDEN", "without_password", "without_values"]

HIDDEN = "***"
"""What stands in the place of a value."""

# Shorter ones are words of any message: true, 10, info.
_SHORTEST = 5
# User and password may hold any character that a person forgot to escape; the host may not.
_USER = re.compile(r"(?<=://)(?P<user>[^:/@]*)(?P<rest>:.*)@", re.DOTALL)
_QUERY = re.compile(
    r"(?<=[?&])(?P<name>[^=&]*(?:pass|secret|token|key)[^=&]*)=[^&]*", re.IGNORECASE
)


def without_values(text: str, values: Iterable[str]) -> str:
    """Return a text, such as what another program wrote, in which values are hidden.

    Args:
        values: What must not be seen. Those of less than five characters stay: they are
            words of ordinary messages.
    """
    for value in sorted(set(values), key=len, reverse=True):
        if len(value) >= _SHORTEST:
            text = text.replace(value, HIDDEN)
    return text


def without_password(url: str) -> str:
    """Return a URL with its password hidden, in whatever way it is written."""
    shown = _USER.sub(rf"\g<user>:{HIDDEN}@", url)
    return _QUERY.sub(rf"\g<name>={HIDDEN}", shown)
