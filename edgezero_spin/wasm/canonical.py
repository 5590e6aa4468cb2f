"""Canonical definitions: where functions of a component and of its core modules meet.

In: the content of a canonical section. Out: values that can be renumbered, and the content
again. ``lower`` makes a core function of a component's, ``lift`` the reverse; the functions
that make and drop handles count among the core functions too.

Source: the component model's binary format, "Canonical Definitions".
"""

from collections.abc import Iterator

import attrs

from edgezero_spin.wasm.binary import number_at, number_bytes, vector_bytes
from edgezero_spin.wasm.module import UnknownFormError

__all__ = [
    "CANONICAL",
    "IN_MEMORY",
    "LATIN1",
    "POST_RETURN",
    "UTF8",
    "UTF16",
    "WITH_REALLOC",
    "Canonical",
    "Lift",
    "Lower",
    "Option",
    "ResourceFunction",
    "canonical_bytes",
    "canonicals",
]

CANONICAL = 8
"""Number of the section."""

# Options; the first three say how strings lie in memory, and UTF-8 is meant without one.
UTF8 = 0
UTF16 = 1
LATIN1 = 2
IN_MEMORY = 3
WITH_REALLOC = 4
POST_RETURN = 5

_LIFT, _LOWER = 0, 1
_OF_RESOURCES = (2, 3, 4)

Option = tuple[int, int | None]
"""An option and the index that it has, ``None`` for none."""


@attrs.frozen
class Lift:
    """A function of the component, made of a core function.

    Attributes:
        core: Index of the core function.
        options: How values cross.
        type: Index of the type.
    """

    core: int
    options: tuple[Option, ...]
    type: int


@attrs.frozen
class Lower:
    """A core function, made of a function of the component.

    Attributes:
        function: Index of the function.
        options: How values cross.
    """

    function: int
    options: tuple[Option, ...]

    def option(self, code: int) -> int | None:
        """Return the index that an option has, ``None`` where it is not given."""
        return dict(self.options).get(code)

    @property
    def encoding(self) -> int:
        """How strings lie in memory."""
        return next((code for code, _ in self.options if code <= LATIN1), UTF8)


@attrs.frozen
class ResourceFunction:
    """A core function that makes, drops or looks up a handle."""

    code: int
    resource: int


Canonical = Lift | Lower | ResourceFunction


def canonicals(content: bytes) -> Iterator[Canonical]:
    """Yield what a canonical section defines.

    Raises:
        UnknownFormError: Something that is not known here, as all that is asynchronous.
    """
    count, at = number_at(content, 0)
    for _ in range(count):
        code = content[at]
        if code in _OF_RESOURCES:
            resource, at = number_at(content, at + 1)
            yield ResourceFunction(code, resource)
        elif code in (_LIFT, _LOWER):
            index, at = number_at(content, at + 2)
            options, at = _options(content, at)
            if code == _LOWER:
                yield Lower(index, options)
            else:
                type_, at = number_at(content, at)
                yield Lift(index, options, type_)
        else:
            raise UnknownFormError(f"canonical definitions of form {code} are not known here")


def _options(content: bytes, at: int) -> tuple[tuple[Option, ...], int]:
    count, at = number_at(content, at)
    options: list[Option] = []
    for _ in range(count):
        code = content[at]
        at += 1
        if code > POST_RETURN:
            raise UnknownFormError(f"canonical options of form {code} are not known here")
        index: int | None = None
        if code >= IN_MEMORY:
            index, at = number_at(content, at)
        options.append((code, index))
    return tuple(options), at


def canonical_bytes(canonical: Canonical) -> bytes:
    """Return one definition in binary form."""
    if isinstance(canonical, ResourceFunction):
        return bytes([canonical.code]) + number_bytes(canonical.resource)
    options = vector_bytes(
        bytes([code]) + (b"" if index is None else number_bytes(index))
        for code, index in canonical.options
    )
    if isinstance(canonical, Lower):
        return bytes([_LOWER, 0]) + number_bytes(canonical.function) + options
    return bytes([_LIFT, 0]) + number_bytes(canonical.core) + options + number_bytes(canonical.type)
