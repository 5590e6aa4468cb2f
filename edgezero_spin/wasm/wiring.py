"""How a component joins its core modules, as values that can be renumbered.

In: a component's bytes. Out: a ``Wiring``: its sections in order, in which core instances and
aliases of their exports are values and everything else stays bytes.

Source: the component model's binary format (``design/mvp/Binary.md`` of
WebAssembly/component-model), "Instance Definitions" and "Alias Definitions".
"""

from collections.abc import Callable, Iterator

import attrs

from edgezero_spin.wasm.binary import (
    COMPONENT,
    number_at,
    number_bytes,
    section_bytes,
    sections,
    text_at,
    text_bytes,
    vector_bytes,
)
from edgezero_spin.wasm.module import UnknownFormError

__all__ = [
    "CoreAlias",
    "CoreInstance",
    "CoreModule",
    "Exports",
    "Instantiation",
    "Other",
    "Part",
    "component_bytes",
    "read_component",
    "rewritten_component",
]

CUSTOM, CORE_MODULE, CORE_INSTANCE, ALIAS = 0, 1, 2, 6
_CORE_SORT, _INSTANCE_SORT = 0, 0x12
_FROM_EXPORT, _FROM_CORE_EXPORT, _FROM_OUTER = 0, 1, 2


@attrs.frozen
class CoreModule:
    """A core module, whole."""

    data: bytes


@attrs.frozen
class Instantiation:
    """A module, made an instance.

    Attributes:
        module: Index of the module.
        arguments: Import module names and the core instances that serve them.
    """

    module: int
    arguments: tuple[tuple[str, int], ...]


@attrs.frozen
class Exports:
    """An instance that is put together from single items.

    Attributes:
        items: Name, kind and index of each.
    """

    items: tuple[tuple[str, int, int], ...]


@attrs.frozen
class CoreInstance:
    """A core instance, of either form."""

    form: Instantiation | Exports


@attrs.frozen
class CoreAlias:
    """An export of a core instance under an index of its own.

    Attributes:
        kind: What it is.
        instance: The core instance.
        name: The export.
    """

    kind: int
    instance: int
    name: str


@attrs.frozen
class Other:
    """A section, or one alias (``section`` is ``ALIAS``), that does not mention core instances."""

    section: int
    content: bytes


Part = CoreModule | CoreInstance | CoreAlias | Other


def read_component(data: bytes) -> list[Part]:
    """Read a component.

    Raises:
        UnknownFormError: It is no component, or has something that is not known here.
        ValueError, IndexError: It is damaged.
    """
    if not data.startswith(COMPONENT):
        raise UnknownFormError("this is no component")
    parts: list[Part] = []
    for number, start, stop in sections(data):
        content = data[start:stop]
        if number == CORE_MODULE:
            parts.append(CoreModule(content))
        elif number == CORE_INSTANCE:
            parts += _instances(content)
        elif number == ALIAS:
            parts += _aliases(content)
        else:
            parts.append(Other(number, content))
    return parts


def component_bytes(parts: list[Part]) -> bytes:
    """Return a component in binary form."""
    out = [COMPONENT]
    for section, content in _runs(parts):
        out.append(section_bytes(section, content))
    return b"".join(out)


def rewritten_component(
    component: bytes, rewrite: Callable[[list[Part]], list[Part] | None]
) -> bytes:
    """Return a component with its parts rewritten.

    A component of another shape, and whatever is no whole component, comes back unchanged:
    whoever compiles it can say what is wrong.

    Args:
        component: Its bytes.
        rewrite: Returns the new parts, ``None`` where there is nothing to do, and raises
            ``UnknownFormError`` where the parts are not what it knows.
    """
    try:
        parts = rewrite(read_component(component))
        return component if parts is None else component_bytes(parts)
    except (ValueError, LookupError):
        return component


def _runs(parts: list[Part]) -> Iterator[tuple[int, bytes]]:
    """Yield sections, neighbours of one kind in one."""
    pending: list[bytes] = []
    kind = -1
    for part in parts:
        section, content, joined = _encoded(part)
        if pending and (section != kind or not joined):
            yield kind, vector_bytes(pending)
            pending = []
        if joined:
            kind = section
            pending.append(content)
        else:
            yield section, content
    if pending:
        yield kind, vector_bytes(pending)


def _encoded(part: Part) -> tuple[int, bytes, bool]:
    """Return a part's section, its bytes, and whether it shares the section with neighbours."""
    match part:
        case CoreModule(data):
            return CORE_MODULE, data, False
        case CoreInstance(Instantiation(module, arguments)):
            given = vector_bytes(
                text_bytes(name) + bytes([_INSTANCE_SORT]) + number_bytes(instance)
                for name, instance in arguments
            )
            return CORE_INSTANCE, b"\0" + number_bytes(module) + given, True
        case CoreInstance(Exports(items)):
            offered = vector_bytes(
                text_bytes(name) + bytes([kind]) + number_bytes(index)
                for name, kind, index in items
            )
            return CORE_INSTANCE, b"\1" + offered, True
        case CoreAlias(kind, instance, name):
            place = bytes([_CORE_SORT, kind, _FROM_CORE_EXPORT]) + number_bytes(instance)
            return ALIAS, place + text_bytes(name), True
        case Other(section, content):
            return section, content, section == ALIAS
    raise TypeError(part)


def _instances(content: bytes) -> Iterator[CoreInstance]:
    count, at = number_at(content, 0)
    for _ in range(count):
        form = content[at]
        at += 1
        if form == 0:
            module, at = number_at(content, at)
            size, at = number_at(content, at)
            arguments = []
            for _ in range(size):
                name, at = text_at(content, at)
                instance, at = number_at(content, at + 1)
                arguments.append((name, instance))
            yield CoreInstance(Instantiation(module, tuple(arguments)))
        elif form == 1:
            size, at = number_at(content, at)
            items = []
            for _ in range(size):
                name, at = text_at(content, at)
                kind = content[at]
                index, at = number_at(content, at + 1)
                items.append((name, kind, index))
            yield CoreInstance(Exports(tuple(items)))
        else:
            raise UnknownFormError(f"core instances of form {form} are not known here")


def _aliases(content: bytes) -> Iterator[CoreAlias | Other]:
    count, at = number_at(content, 0)
    for _ in range(count):
        start = at
        core = content[at] == _CORE_SORT
        kind = content[at + core]
        at += 1 + core
        target = content[at]
        owner, at = number_at(content, at + 1)
        if target == _FROM_OUTER:
            _, at = number_at(content, at)
        elif target in (_FROM_EXPORT, _FROM_CORE_EXPORT):
            name, at = text_at(content, at)
            if target == _FROM_CORE_EXPORT:
                yield CoreAlias(kind, owner, name)
                continue
        else:
            raise UnknownFormError(f"aliases of form {target} are not known here")
        yield Other(ALIAS, content[start:at])
