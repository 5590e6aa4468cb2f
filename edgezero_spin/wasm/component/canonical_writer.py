"""Writer of canonical definitions.

In: a ``CanonicalDefinition``. Out: its bytes, as ``canonical_reader`` reads them.

Source: WebAssembly/component-model, ``design/mvp/Binary.md``, "Canonical Definitions".
"""

from collections.abc import Iterable, Mapping

from edgezero_spin.wasm.binary import number_bytes, signed_bytes, vector_bytes
from edgezero_spin.wasm.component import canonical_reader as form
from edgezero_spin.wasm.component.definitions import CanonicalDefinition
from edgezero_spin.wasm.component.type_reader import PRIMITIVES

__all__ = ["canonical_bytes"]


def _inverse(numbers: Mapping[int, str]) -> dict[str, int]:
    return {name: number for number, name in numbers.items()}


_PRIMITIVES = {primitive: number for number, primitive in PRIMITIVES.items()}
_OPTIONS = _inverse(form.OPTIONS)
_PLAIN = _inverse(form.PLAIN)
_OF_TYPE = _inverse(form.OF_TYPE | form.OF_TYPE_WITH_OPTIONS | form.OF_TYPE_WITH_FLAG)
_WITH_OPTIONS = _inverse(form.WITH_OPTIONS)
_WITH_FLAG = _inverse(form.WITH_FLAG)
_WITH_FLAG_AND_MEMORY = _inverse(form.WITH_FLAG_AND_MEMORY)
_CONTEXT = _inverse(form.CONTEXT)


def canonical_bytes(definition: CanonicalDefinition) -> bytes:
    """Return a canonical definition in binary form.

    Raises:
        ValueError: It is ``thread.new-indirect``, which is refused when it runs.
    """
    name = definition.name
    index = number_bytes(definition.index or 0)
    flag = bytes([definition.flag])
    options = _option_bytes(definition.options)
    if name == "lift":
        return b"\0\0" + index + options + _type_index(definition)
    if name == "lower":
        return b"\1\0" + index + options
    if name == "task.return":
        return b"\x09" + _result_bytes(definition) + options
    if name in _PLAIN:
        return bytes([_PLAIN[name]])
    if name in _OF_TYPE:
        number = _OF_TYPE[name]
        tail = options if number in form.OF_TYPE_WITH_OPTIONS else b""
        return bytes([number]) + index + tail + (flag if number in form.OF_TYPE_WITH_FLAG else b"")
    if name in _WITH_OPTIONS:
        return bytes([_WITH_OPTIONS[name]]) + options
    if name in _WITH_FLAG:
        return bytes([_WITH_FLAG[name]]) + flag
    if name in _WITH_FLAG_AND_MEMORY:
        ((_, memory),) = definition.options
        return bytes([_WITH_FLAG_AND_MEMORY[name]]) + flag + number_bytes(memory)
    if name in _CONTEXT:
        kind = 0x7F if definition.core_type == "i32" else 0x7E
        return bytes([_CONTEXT[name], kind]) + number_bytes(definition.slot)
    raise ValueError(f"{name} is never written")


def _option_bytes(options: Iterable[tuple[str, int]]) -> bytes:
    return vector_bytes(
        bytes([_OPTIONS[name]]) + (number_bytes(index) if _OPTIONS[name] in (3, 4, 5, 7) else b"")
        for name, index in options
    )


def _type_index(definition: CanonicalDefinition) -> bytes:
    if not isinstance(definition.type, int):
        raise ValueError("a lifted function has a type by its index")
    return number_bytes(definition.type)


def _result_bytes(definition: CanonicalDefinition) -> bytes:
    match definition.type:
        case None:
            return b"\1\0"
        case int() as index:
            return b"\0" + signed_bytes(index)
        case primitive:
            return b"\0" + bytes([_PRIMITIVES[primitive]])
