"""Core modules become the components that their sections and exports say they are."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from edgezero_spin.host.runtime.component_loading import load_component
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from edgezero_spin.host.runtime.interface import Interface
from edgezero_spin.host.runtime.linking import ROOT, link
from edgezero_spin.host.runtime.resources import ResourceTable
from edgezero_spin.wasm.binary import COMPONENT, section_bytes, text_bytes
from edgezero_spin.wasm.component.core_guest import GuestKind, read_core_guest, read_guest
from edgezero_spin.wasm.component.errors import InvalidError, UnsupportedError, WasmError
from edgezero_spin.wasm.component.linked import LocalResource
from edgezero_spin.wasm.component.linking import ProvidedComponent
from edgezero_spin.wasm.component.linking import link as link_component
from edgezero_spin.wasm.component.reader import read_component
from edgezero_spin.wasm.fuse.fusing import fuse
from tests.wasm.component.core_guests import core, embedded, producers

WIT = """
package test:guest@0.1.0;
interface store {
  resource bucket { constructor(name: string); size: func() -> u32; }
  upper: func(text: string) -> string;
}
interface api {
  resource counter { constructor(start: u32); next: func() -> u32; }
  shout: func(text: string) -> string;
}
world guest {
  import store;
  import note: func(number: u32);
  export api;
  export plain: func() -> u32;
}
world other { import store; export extra: func(name: string) -> u32; }
"""

# What wit-bindgen compiles to: names, a realloc, and functions that follow a call.
GUEST = """(module
  (import "test:guest/store@0.1.0" "[constructor]bucket"
    (func $bucket (param i32 i32) (result i32)))
  (import "test:guest/store@0.1.0" "[method]bucket.size" (func $size (param i32) (result i32)))
  (import "test:guest/store@0.1.0" "[resource-drop]bucket" (func $drop-bucket (param i32)))
  (import "test:guest/store@0.1.0" "upper" (func $upper (param i32 i32 i32)))
  (import "$root" "note" (func $note (param i32)))
  (import "[export]test:guest/api@0.1.0" "[resource-new]counter"
    (func $new (param i32) (result i32)))
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 1024))
  (global $started (mut i32) (i32.const 0))
  (func (export "_initialize") (global.set $started (i32.const 7)))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get 3)))
    (memory.copy (local.get $at) (local.get 0) (local.get 1))
    (local.get $at))
  (func (export "test:guest/api@0.1.0#shout") (param i32 i32) (result i32)
    (call $upper (local.get 0) (local.get 1) (i32.const 16)) (i32.const 16))
  (func (export "cabi_post_test:guest/api@0.1.0#shout") (param i32)
    (global.set $next (i32.const 1024)))
  (func (export "test:guest/api@0.1.0#[constructor]counter") (param i32) (result i32)
    (i32.store (i32.const 8) (local.get 0)) (call $new (i32.const 8)))
  (func (export "test:guest/api@0.1.0#[method]counter.next") (param i32) (result i32)
    (i32.store (local.get 0) (i32.add (i32.load (local.get 0)) (i32.const 1)))
    (i32.load (local.get 0)))
  (func (export "test:guest/api@0.1.0#[dtor]counter") (param i32)
    (call $note (i32.load (local.get 0))))
  (func (export "plain") (result i32)
    (local $handle i32)
    (local.set $handle (call $bucket (i32.const 0) (i32.const 5)))
    (call $note (call $size (local.get $handle)))
    (call $drop-bucket (local.get $handle))
    (i32.add (global.get $started) (global.get $next)))
  (func (export "extra") (param i32 i32) (result i32) (local.get 1))
  (data (i32.const 0) "first"))"""


class State:
    """The state of an instance."""

    def __init__(self) -> None:
        self.table = ResourceTable()
        self.noted: list[int] = []


class Bucket:
    """A resource of the host."""

    def __init__(self, name: str) -> None:
        self.name = name

    def drop(self, state: State) -> None:
        state.noted.append(-1)


INTERFACES = {
    "test:guest/store@0.1.0": Interface(
        "test:guest/store",
        {
            "[constructor]bucket": lambda state, name: Bucket(name),
            "[method]bucket.size": lambda state, bucket: len(bucket.name),
            "upper": lambda state, text: text.upper(),
        },
        {"bucket": Bucket},
    ),
    ROOT: Interface(ROOT, {"note": lambda state, number: state.noted.append(number)}),
}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine without a pool: these components are tiny."""
    with make_engine(EngineSettings(pooling=False)) as engine:
        yield engine


def test_a_module_of_wit_bindgen_is_called_like_a_component(engine: Engine, tmp_path: Path) -> None:
    """Text, handles of both sides, what runs first and what follows a call: as in one."""
    file = tmp_path / "guest.wasm"
    file.write_bytes(embedded(GUEST, WIT, "guest", tmp_path))
    state = State()
    with link(engine, load_component(engine, file), INTERFACES).instantiate(state) as instance:
        assert instance.call("test:guest/api@0.1.0", "shout", "schön") == "SCHÖN"
        assert instance.call(None, "plain") == 7 + 1024
        assert state.noted == [5, -1]
        counter = instance.call("test:guest/api@0.1.0", "[constructor]counter", 41)
        assert instance.call("test:guest/api@0.1.0", "[method]counter.next", counter) == 42


def test_worlds_of_several_libraries_are_joined(tmp_path: Path) -> None:
    """Each linked library leaves a section; one interface is imported once."""
    first = embedded(GUEST, WIT, "guest", tmp_path)
    second = embedded(GUEST, WIT, "other", tmp_path)
    linked = link_component(read_core_guest(_with_section_of(first, second)))
    assert list(linked.exports) == ["plain", "test:guest/api@0.1.0", "extra"]
    paths = [each.path for each in linked.imports]
    assert len(paths) == len(set(paths)) == 4
    assert sum(isinstance(each, LocalResource) for each in linked.resources.values()) == 1


def _with_section_of(first: bytes, second: bytes) -> bytes:
    content = read_core_guest(second).content
    ((name, start, end),) = [
        each for each in content.customs if each[0].startswith("component-type")
    ]
    return first + section_bytes(0, text_bytes(name) + second[start:end])


def test_a_module_and_a_component_depend_on_each_other(tmp_path: Path) -> None:
    """A component takes the place of an import, and a module that of a component's."""
    module = read_core_guest(embedded(GUEST, WIT, "guest", tmp_path))
    wit = WIT + "world user { import api; export run: func() -> u32; }"
    user = read_core_guest(
        embedded('(module (func (export "run") (result i32) i32.const 3))', wit, "user", tmp_path)
    )
    name = "test:guest/api@0.1.0"
    linked = link_component(user, (ProvidedComponent(name, module, name),))
    assert len(linked.instances) == 2
    assert {each.dependency for each in linked.imports} == {name}


COMMAND = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1) (func (export "_start")){more})"""


def test_a_command_exports_run() -> None:
    """`_start` and no sections: it is run, like a program."""
    guest = read_core_guest(core(COMMAND.format(more="")))
    assert guest.kind == GuestKind.COMMAND
    assert list(link_component(guest).exports) == ["wasi:cli/run@0.2.0"]


def test_a_module_of_spin_1_is_retargeted() -> None:
    """Its imports have the names of before, its handler that of the interface."""
    guest = read_core_guest(
        core("""(module
      (import "key-value" "open" (func (param i32 i32 i32)))
      (import "wasi-outbound-http" "request"
        (func (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
      (memory (export "memory") 1)
      (func (export "_start"))
      (func (export "canonical_abi_realloc") (param i32 i32 i32 i32) (result i32) (unreachable))
      (func (export "handle-http-request")
        (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (unreachable)))""")
    )
    assert guest.kind == GuestKind.SPIN_1
    linked = link_component(guest)
    assert [each.path for each in linked.imports] == [
        ("fermyon:spin/key-value", "open"),
        ("fermyon:spin/http", "send-request"),
    ]
    assert list(linked.exports) == ["fermyon:spin/inbound-http"]


# GEN-8
@pytest.mark.parametrize("release", ["0.5", "0.13.1", "0.44.0", "0.5.0-rc"])
def test_releases_of_wit_bindgen_that_are_adapted(release: str, tmp_path: Path) -> None:
    """0.5 and later."""
    assert read_core_guest(_bound(release, tmp_path)).kind == GuestKind.REACTOR


# GEN-8
@pytest.mark.parametrize("release", ["0.4.1", "0.2", "1.0.0", "v0.4.0", "0.5.0.1", "new"])
def test_other_releases_of_wit_bindgen_are_refused(release: str, tmp_path: Path) -> None:
    """With Spin's words."""
    expected = f"cannot adapt modules created with wit-bindgen version {release}"
    with pytest.raises(UnsupportedError, match=expected):
        read_core_guest(_bound(release, tmp_path))


def _bound(release: str, folder: Path) -> bytes:
    """A module whose section says which wit-bindgen made it."""
    module = embedded(GUEST, WIT, "guest", folder)
    ((_, start, end),) = [
        each
        for each in read_core_guest(module).content.customs
        if each[0].startswith("component-type")
    ]
    section = module[start:end] + producers(("wit-bindgen-rust", release))
    return core(GUEST) + section_bytes(0, text_bytes("component-type:x") + section)


@pytest.mark.parametrize(
    ("clang", "is_taken"),
    [("14.0.0 extra", False), ("15.0.6", False), ("15.0.7", True), ("18.1.2-wasi-sdk (x)", True)],
)
def test_commands_of_an_old_allocator_are_refused(clang: str, is_taken: bool) -> None:
    """wasi-sdk before 19 corrupts memory; the compiler's release tells."""
    module = core(COMMAND.format(more="")) + producers(("clang", clang))
    if is_taken:
        assert read_core_guest(module).kind == GuestKind.COMMAND
    else:
        with pytest.raises(UnsupportedError, match="wasi-sdk version <19"):
            read_core_guest(module)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"note"', '"nota"', r"import interface `\$root` is missing function `nota`"),
        ('"$root"', '"env"', "requires an import interface named `env`"),
        ("[resource-drop]bucket", "[resource-drop]x", "is missing resource `x`"),
        ("[resource-new]counter", "[task-return]shout", "asynchronous functions are not adapted"),
        ("#shout", "#shouts", r"does not export required function `test:guest/api@0.1.0#shout`"),
        ('(func (export "plain") (result i32)', '(func (export "plain") (result i64)', "mismatch"),
        ('"upper" (func $upper (param i32', '"upper" (func $upper (param i64', "type mismatch"),
    ],
)
def test_what_does_not_fit_its_world_is_refused(
    old: str, new: str, says: str, tmp_path: Path
) -> None:
    """By what is missing or wrong."""
    text = GUEST.replace(old, new)
    assert text != GUEST
    if "i64" in new:
        text = text.replace("(i32.add (global.get $started) (global.get $next))", "(i64.const 0)")
        text = text.replace("(call $upper (local.get 0)", "(call $upper (i64.const 0)")
        text = text if "plain" in new else text.replace("(i64.const 0)))", "(i32.const 0)))")
    with pytest.raises((InvalidError, UnsupportedError), match=says):
        link_component(_guest_of(text, tmp_path))


def _guest_of(text: str, folder: Path) -> Any:
    """Read a module with the section of the world that it should fit."""
    module = embedded(GUEST, WIT, "guest", folder)
    return read_core_guest(_with_section_of(core(text), module))


@pytest.mark.parametrize(
    ("module", "says"),
    [
        pytest.param(core("(module)"), "exported: nothing", id="nothing"),
        pytest.param(
            core("(module)") + section_bytes(0, text_bytes("component-type") + b"\3\0rest"),
            "format 3",
            id="an old format",
        ),
        pytest.param(
            core("(module)") + section_bytes(0, text_bytes("component-type")),
            "format 0",
            id="empty",
        ),
        pytest.param(
            core("(module)") + section_bytes(0, text_bytes("component-type") + core("(component)")),
            "no wit-component-encoding",
            id="no encoding",
        ),
        pytest.param(
            core("(module)") + section_bytes(0, text_bytes("component-type") + COMPONENT + b"\0"),
            "damaged component-type section: unexpected end",
            id="section without a length",
        ),
        pytest.param(
            core("(module)")
            + section_bytes(0, text_bytes("component-type") + COMPONENT + b"\0\x05ab"),
            "damaged component-type section: unexpected end",
            id="section beyond the end",
        ),
    ],
)
def test_modules_that_cannot_be_adapted(module: bytes, says: str) -> None:
    """Each is told why."""
    with pytest.raises(WasmError, match=says):
        read_core_guest(module)


def test_a_component_is_no_core_guest() -> None:
    """And is read as ever."""
    assert read_component(core("(component)")).definitions == ()


@pytest.mark.parametrize("seed", range(4))
def test_damaged_modules_are_errors_of_the_reader(seed: int, tmp_path: Path) -> None:
    """Whatever bytes change, a module is linked and fused or refused, and nothing else."""
    modules = [embedded(GUEST, WIT, "guest", tmp_path), core(COMMAND.format(more=""))]
    random = Random(seed)
    refused = 0
    for _ in range(150):
        damaged = bytearray(random.choice(modules))
        for _ in range(random.choice([1, 2, 5])):
            at = random.randrange(len(damaged))
            if random.random() < 0.5:
                damaged[at] = random.randrange(256)
            else:
                del damaged[at : at + random.randrange(1, 9)]
        try:
            fuse(link_component(read_guest(bytes(damaged))))
        except WasmError:
            refused += 1
    assert refused > 50
