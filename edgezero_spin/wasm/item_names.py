"""The custom section that names a component's items, with items at new numbers.

Engines show these names in what they say of a trap; nothing else depends on them.

Source: the component model's binary format, "Name Section".
"""

from collections.abc import Mapping

from edgezero_spin.wasm.binary import number_at, number_bytes, text_at, vector_bytes

__all__ = ["CORE_FUNCTIONS", "CORE_INSTANCES", "renumbered_names"]

# What a list of names is about.
CORE_FUNCTIONS = b"\0\0"
CORE_INSTANCES = b"\0\x12"

_LABEL = "component-name"
_OF_ITEMS = 1


def renumbered_names(content: bytes, numbers: Mapping[bytes, Mapping[int, int]]) -> bytes:
    """Return a custom section in which names stand at their items' new numbers.

    Args:
        content: Any custom section; others than that of names come back as they are.
        numbers: For what names are about, old number to new.
    """
    label, at = text_at(content, 0)
    if label != _LABEL:
        return content
    out = content[:at]
    while at < len(content):
        start = at
        size, body = number_at(content, at + 1)
        at = body + size
        kind = content[body : body + 2]
        if content[start] != _OF_ITEMS or kind not in numbers:
            out += content[start:at]
            continue
        inner = kind + _names(content, body + len(kind), numbers[kind])
        out += bytes([_OF_ITEMS]) + number_bytes(len(inner)) + inner
    return out


def _names(content: bytes, at: int, numbers: Mapping[int, int]) -> bytes:
    named: dict[int, bytes] = {}
    count, at = number_at(content, at)
    for _ in range(count):
        index, at = number_at(content, at)
        _, end = text_at(content, at)
        if index in numbers:
            named[numbers[index]] = content[at:end]
        at = end
    return vector_bytes(number_bytes(index) + name for index, name in sorted(named.items()))
