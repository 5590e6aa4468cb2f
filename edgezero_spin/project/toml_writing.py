"""TOML values on one line, as they are put into documents that people wrote.

In: a value. Out: its text. Strings, numbers, dates and keys are written by tomli-w; only how
tables and lists stand on one line is decided here.
"""

from collections.abc import Mapping
from typing import Any

import tomli_w

__all__ = ["inline_toml"]


def inline_toml(value: Any) -> str:
    """Return a value as TOML on one line: ``{ a = [1, "b"], "c d" = true }``."""
    if isinstance(value, Mapping):
        pairs = (f"{_key(name)} = {inline_toml(item)}" for name, item in value.items())
        return f"{{ {', '.join(pairs)} }}" if value else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(inline_toml, value))}]"
    return tomli_w.dumps({"k": value}).removeprefix("k = ").removesuffix("\n")


def _key(name: str) -> str:
    return tomli_w.dumps({name: 0}).removesuffix(" = 0\n")
