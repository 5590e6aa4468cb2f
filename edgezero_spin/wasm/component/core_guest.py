"""Core modules that are guests by themselves: what they say of the components they could be.

In: a core module. Out: a ``CoreGuest``, which ``link`` takes like a component. Bindings
generators leave the world that they made bindings for in custom sections
(``component-type...``), each a component with one component type in it, and the strings'
encoding and the generator's release with it. wit-bindgen up to 0.16, and with it spin-sdk for
Rust up to 4, left a whole WIT package, with the encoding and the world's name before it.

Refused by name: sections of formats before these, and the releases of wit-bindgen that Spin
cannot adapt.

Source: wit-component, ``metadata`` (formats 3 and 4); WebAssembly tool conventions, "Producers
Section"; contract spin-host.md, GEN-8.
"""

import re
from collections.abc import Iterable, Iterator
from enum import Enum

import attrs

from edgezero_spin.wasm.binary import COMPONENT, MODULE, sections
from edgezero_spin.wasm.component.cursor import Cursor
from edgezero_spin.wasm.component.definitions import (
    Component,
    ComponentType,
    Definition,
    TypeDefinition,
)
from edgezero_spin.wasm.component.errors import MalformedError, UnsupportedError, WasmError
from edgezero_spin.wasm.component.linked import Encoding
from edgezero_spin.wasm.component.reader import read_component
from edgezero_spin.wasm.component.wit_package import exported_worlds, read_worlds
from edgezero_spin.wasm.core_module import CUSTOM, CoreModuleContent, read_core_module

__all__ = ["CoreGuest", "GuestKind", "World", "read_core_guest", "read_guest"]

_WORLD_SECTION = "component-type"
_ENCODING_SECTION = "wit-component-encoding"
_FORMAT = 4
_PACKAGE_FORMAT = 3
_ENCODINGS = (Encoding.UTF8, Encoding.UTF16, Encoding.LATIN1_UTF16)
_SPIN_1_HANDLERS = ("handle-http-request", "handle-redis-message")
_REALLOC = ("cabi_realloc", "canonical_abi_realloc")
_SAFE_CLANG = (15, 0, 7)


class GuestKind(Enum):
    """How a core module is called."""

    REACTOR = "reactor"
    COMMAND = "command"
    SPIN_1 = "Spin 1"


@attrs.frozen
class World:
    """A world that bindings were made for."""

    type: ComponentType = attrs.field(repr=False)
    encoding: Encoding


@attrs.frozen
class CoreGuest:
    """A core module that is adapted when it is linked.

    Attributes:
        data: Its bytes.
        content: Its sections.
        kind: How it is called.
        worlds: The worlds that it has bindings for.
    """

    data: bytes = attrs.field(repr=False)
    content: CoreModuleContent = attrs.field(repr=False)
    kind: GuestKind
    worlds: tuple[World, ...] = ()

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """Definitions of its worlds, imports and exports among them."""
        return tuple(each for world in self.worlds for each in world.type.declarators)


def read_guest(data: bytes) -> Component | CoreGuest:
    """Read a component, or a core module that is to be adapted; see both readers."""
    return read_core_guest(data) if data.startswith(MODULE) else read_component(data)


def read_core_guest(data: bytes) -> CoreGuest:
    """Read a core module that is to be adapted.

    Raises:
        MalformedError, InvalidError: It is damaged.
        UnsupportedError: It cannot be adapted.
    """
    content = read_core_module(data)
    worlds = []
    for name, start, end in content.customs:
        if name.startswith(_WORLD_SECTION):
            section = data[start:end]
            worlds.append(_world(section, start))
            _check_release(section, start)
    exports = {name for name, kind, _ in content.exports if kind == 0}
    if worlds:
        return CoreGuest(data, content, GuestKind.REACTOR, tuple(worlds))
    if exports.intersection(_SPIN_1_HANDLERS):
        return CoreGuest(data, content, GuestKind.SPIN_1)
    if "_start" in exports and not exports.intersection(_REALLOC):
        _check_clang(content)
        return CoreGuest(data, content, GuestKind.COMMAND)
    offer = ", ".join(name for name, _, _ in content.exports) or "nothing"
    raise UnsupportedError(
        "it has no component-type section of wit-bindgen and exports no _start, "
        f"{' or '.join(_SPIN_1_HANDLERS)} (exported: {offer})",
        0,
    )


def _world(section: bytes, at: int) -> World:
    try:
        if section.startswith(COMPONENT):
            definitions = read_component(section).definitions
            encoding = _encoding(section)
            return World(_only_world(definitions), encoding)
        if section[:1] == bytes([_PACKAGE_FORMAT]):
            return _named_world(section)
    except WasmError as error:
        raise MalformedError(f"damaged component-type section: {error.reason}", at) from error
    raise UnsupportedError(
        f"component-type section of format {section[0] if section else 0}, which only early "
        "releases of wit-bindgen wrote; build the module again with a later one",
        at,
    )


def _only_world(definitions: Iterable[Definition]) -> ComponentType:
    for outer in definitions:
        if isinstance(outer, TypeDefinition) and isinstance(outer.form, ComponentType):
            for _, world in exported_worlds(outer.form):
                return world
    raise MalformedError("no world is exported", 0)


def _named_world(section: bytes) -> World:
    cursor = Cursor(section, 1)
    encoding, wanted = cursor.byte(), cursor.name()
    if encoding >= len(_ENCODINGS):
        raise MalformedError(f"unknown encoding {encoding}", 1)
    for name, world in read_worlds(section[cursor.at :]).items():
        if name.partition("@")[0].rpartition("/")[2] == wanted:
            return World(world, _ENCODINGS[encoding])
    raise MalformedError(f"the package has no world `{wanted}`", cursor.at)


def _encoding(section: bytes) -> Encoding:
    for name, content in _customs(section):
        if name == _ENCODING_SECTION:
            if len(content) != 2 or content[0] != _FORMAT or content[1] >= len(_ENCODINGS):
                raise UnsupportedError(f"{_ENCODING_SECTION} of another format", 0)
            return _ENCODINGS[content[1]]
    raise MalformedError(f"no {_ENCODING_SECTION}", 0)


def _customs(data: bytes) -> Iterator[tuple[str, bytes]]:
    for number, start, stop in sections(data):
        if number == CUSTOM:
            cursor = Cursor(data, start, stop)
            yield cursor.name(), data[cursor.at : stop]


# Who made it


def _processed_by(content: bytes) -> dict[str, str]:
    """Return tools and their releases, as far as a producers section can be read."""
    cursor = Cursor(content)
    found: dict[str, str] = {}
    try:
        for _ in range(cursor.u32()):
            field = cursor.name()
            tools = cursor.vector(lambda c: (c.name(), c.name()))
            found |= dict(tools) if field == "processed-by" else {}
    except MalformedError:
        return {}
    return found


def _check_release(section: bytes, at: int) -> None:
    package = section[section.find(COMPONENT) :]
    for name, content in _customs(package):
        for tool, release in _processed_by(content).items() if name == "producers" else ():
            if tool.startswith("wit-bindgen") and not re.fullmatch(
                r"0\.(?:[5-9]|[1-9]\d+)(?:\.[^.]*)?", release
            ):
                raise UnsupportedError(
                    f"cannot adapt modules created with wit-bindgen version {release}", at
                )


def _check_clang(content: CoreModuleContent) -> None:
    for name, start, end in content.customs:
        if name == "producers":
            release = _processed_by(content.data[start:end]).get("clang", "")
            numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", release)
            if numbers and tuple(map(int, numbers.groups())) < _SAFE_CLANG:
                raise UnsupportedError(
                    "the module appears to have been compiled with wasi-sdk version <19, whose "
                    "allocator has a critical memory safety bug (Spin issue 2552); build it again "
                    "with a later one",
                    start,
                )
