"""Core modules become the components that their sections and exports say they are."""

import subprocess
from collections.abc import Iterator, Mapping
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
from edgezero_spin.wasm.component.linked import (
    Builtin,
    Encoding,
    ExportedInstance,
    ImportedFunction,
    LiftedFunction,
    LinkedComponent,
    LocalResource,
    LoweredFunction,
    ResourceFunction,
)
from edgezero_spin.wasm.component.linking import ProvidedComponent
from edgezero_spin.wasm.component.linking import link as link_component
from edgezero_spin.wasm.component.reader import read_component
from edgezero_spin.wasm.fuse.fusing import fuse
from tests.wasm.component.core_guests import TOOL, core, embedded, producers

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


def test_memory_for_imports_and_exports_may_come_of_two_functions(tmp_path: Path) -> None:
    """A module that has no general function has one for each."""
    text = GUEST.replace('"cabi_realloc"', '"cabi_export_realloc"').replace(
        '(func (export "plain")',
        """(func (export "cabi_import_realloc") (param i32 i32 i32 i32) (result i32) (unreachable))
        (func (export "plain")""",
    )
    linked = link_component(_guest_of(text, tmp_path))
    upper = next(
        part.source
        for each in linked.core_instances
        for part in each.imports
        if part.name == "upper"
    )
    shout = linked.exports["test:guest/api@0.1.0"].exports["shout"]  # type: ignore[union-attr]
    assert isinstance(upper, LoweredFunction)
    assert isinstance(shout, LiftedFunction)
    assert [each.options.realloc.name for each in (upper, shout) if each.options.realloc] == [
        "cabi_import_realloc",
        "cabi_export_realloc",
    ]


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


SMALL = """(module
  (import "test:small/store@0.1.0" "upper" (func (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (unreachable))
  (func (export "plain") (result i32) (i32.const 3)))"""

STORE = """(type (instance
  (type (func (param "text" string) (result string))) (export "upper" (func (type 0)))))"""
SMALL_WORLD = f"""(type (component {STORE}
  (import "test:small/store@0.1.0" (instance (type 0)))
  (type (func (result u32))) (export "plain" (func (type 1)))))"""
OTHER_WORLD = '(type (component (type (func)) (export "extra" (func (type 0)))))'
EACH_BY_ITSELF = f"""(component
  (type (component {STORE} (export "test:small/store@0.1.0" (instance (type 0)))))
  (export "store" (type 0))
  (type (component {OTHER_WORLD} (export "test:small/other@0.1.0" (component (type 0)))))
  (export "other" (type 2))
  (type (component {SMALL_WORLD} (export "test:small/small@0.1.0" (component (type 0)))))
  (export "small" (type 4)))"""
ALL_IN_ONE = f"""(component (type (component
    (type (instance (type (list u8)) (export "payload" (type (eq 0)))))
    (export "test:small/types@0.1.0" (instance (type 0)))
    (alias export 0 "payload" (type))
    {OTHER_WORLD} (export "test:small/other@0.1.0" (component (type 2)))
    {SMALL_WORLD} (export "test:small/small@0.1.0" (component (type 3)))))
  (export "test:small/wit" (type 0)))"""


@pytest.mark.parametrize("package", [EACH_BY_ITSELF, ALL_IN_ONE])
def test_a_section_may_have_a_package(package: str) -> None:
    """As wit-bindgen up to 0.16 left it: the encoding, a world's name and the world's package."""
    # GEN-8
    section = b"\3\1" + text_bytes("small") + core(package)
    guest = read_core_guest(
        core(SMALL) + section_bytes(0, text_bytes("component-type:x") + section)
    )
    linked = link_component(guest)
    assert list(linked.exports) == ["plain"]
    assert [each.path for each in linked.imports] == [("test:small/store@0.1.0", "upper")]
    assert guest.worlds[0].encoding is Encoding.UTF16


@pytest.mark.parametrize("head", [b"\3\3\5small", b"\3\0\3big"])
def test_a_section_that_names_no_world_is_refused(head: bytes) -> None:
    """Or an encoding that is none."""
    section = section_bytes(0, text_bytes("component-type") + head + core(ALL_IN_ONE))
    with pytest.raises(WasmError, match="damaged component-type section"):
        read_core_guest(core(SMALL) + section)


ASYNC_WIT = """
package test:later@0.1.0;
interface source {
  resource feed { next: async func() -> option<string>; }
  record part { values: stream<u16>, more: future<result<_, string>> }
  open: async func(names: stream<string>) -> tuple<future<stream<u32>>, list<part>>;
  plain: func(number: u32) -> future;
}
interface api {
  give: async func(text: string) -> stream<u8>;
  wait: async func() -> result<u64, string>;
}
world later { import source; import note: async func(); export api; export top: async func(); }
"""
SOURCE, API = "test:later/source@0.1.0", "[export]test:later/api@0.1.0"
# What a module may import, with the core types of each; the judge is wasm-tools.
ASYNC_IMPORTS = {
    (SOURCE, "[async-lower]open"): "(param i32 i32) (result i32)",
    (SOURCE, "open"): "(param i32 i32)",
    (SOURCE, "[async-lower][method]feed.next"): "(param i32 i32) (result i32)",
    (SOURCE, "[resource-drop]feed"): "(param i32)",
    (SOURCE, "plain"): "(param i32) (result i32)",
    ("$root", "[async-lower]note"): "(result i32)",
    ("$root", "note"): "",
    (API, "[task-return]give"): "(param i32)",
    (API, "[task-return]wait"): "(param i32 i64 i32)",
    ("[export]$root", "[task-return]top"): "",
    ("[export]$root", "[task-cancel]"): "",
    (API, "[stream-new-0]give"): "(result i64)",
    (API, "[async-lower][stream-write-0]give"): "(param i32 i32 i32) (result i32)",
    ("$root", "[waitable-set-new]"): "(result i32)",
    ("$root", "[waitable-set-wait]"): "(param i32 i32) (result i32)",
    ("$root", "[waitable-set-poll]"): "(param i32 i32) (result i32)",
    ("$root", "[waitable-set-drop]"): "(param i32)",
    ("$root", "[waitable-join]"): "(param i32 i32)",
    ("$root", "[subtask-drop]"): "(param i32)",
    ("$root", "[subtask-cancel]"): "(param i32) (result i32)",
    ("$root", "[async-lower][subtask-cancel]"): "(param i32) (result i32)",
    ("$root", "[thread-yield]"): "(result i32)",
    ("$root", "[context-get-0]"): "(result i32)",
    ("$root", "[context-set-1]"): "(param i32)",
    ("$root", "[backpressure-inc]"): "",
    ("$root", "[backpressure-dec]"): "",
    ("$root", "[error-context-new-utf16]"): "(param i32 i32) (result i32)",
    ("$root", "[error-context-debug-message-utf8]"): "(param i32 i32)",
    ("$root", "[error-context-drop]"): "(param i32)",
    (SOURCE, "[stream-new-unit]"): "(result i64)",
    (SOURCE, "[future-drop-readable-0]plain"): "(param i32)",
} | {
    (SOURCE, f"{prefix if can_be_async else ''}[{kind}-{operation}-{number}]open"): types
    # Streams and futures stand before those that they are in.
    for number, kind, values, prefix in (
        (0, "stream", "i32 i32", "[async-lower]"),
        (1, "stream", "i32 i32", ""),
        (2, "future", "i32", "[async-lower]"),
        (3, "stream", "i32 i32", "[async-lower]"),
        (4, "future", "i32", ""),
    )
    for operation, can_be_async, types in (
        ("new", False, "(result i64)"),
        ("read", True, f"(param i32 {values}) (result i32)"),
        ("write", True, f"(param i32 {values}) (result i32)"),
        ("cancel-read", True, "(param i32) (result i32)"),
        ("cancel-write", True, "(param i32) (result i32)"),
        ("drop-readable", False, "(param i32)"),
        ("drop-writable", False, "(param i32)"),
    )
}
ASYNC_EXPORTS = """
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (unreachable))
  (func (export "[async-lift]test:later/api@0.1.0#give") (param i32 i32) (result i32) (i32.const 0))
  (func (export "[callback][async-lift]test:later/api@0.1.0#give")
    (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "[async-lift-stackful]test:later/api@0.1.0#wait"))
  (func (export "top"))"""


def _asynchronous(imports: Mapping[tuple[str, str], str], folder: Path) -> bytes:
    lines = [
        f'(import "{module}" "{name}" (func {types}))' for (module, name), types in imports.items()
    ]
    text = "\n".join(["(module", *lines, ASYNC_EXPORTS, ")"])
    return embedded(text, ASYNC_WIT, "later", folder)


def _functions(component: LinkedComponent) -> set[tuple[object, ...]]:
    """What core modules are given and what is lifted from them, as far as it can be compared."""
    sources = [part.source for each in component.core_instances for part in each.imports]
    lifted = [
        part
        for each in component.exports.values()
        for part in (each.exports.values() if isinstance(each, ExportedInstance) else [each])
    ]
    told: set[tuple[object, ...]] = set()
    for each in (*sources, *lifted):
        match each:
            case Builtin(name, _, type_, options):
                flags = each.is_async, each.cancellable, each.slot, each.core_type
                told.add((name, repr(type_), options.encoding, options.is_async, *flags))
            case LoweredFunction(_, ImportedFunction(path, type_), options):
                told.add((*path, repr(type_), options.encoding, options.is_async))
            case ResourceFunction(name, _, resource):
                told.add((name, resource.name))
            case LiftedFunction(_, _, type_, options):
                told.add((repr(type_), options.is_async, options.callback is not None))
    return told


def test_asynchronous_functions_are_linked_as_wasm_tools_does(tmp_path: Path) -> None:
    """Each built-in has the type, text encoding and options that it has in the component."""
    module = _asynchronous(ASYNC_IMPORTS, tmp_path)
    (tmp_path / "async.wasm").write_bytes(module)
    argv: list[str | Path] = [TOOL, "component", "new", tmp_path / "async.wasm"]
    subprocess.run([*argv, "-o", tmp_path / "component.wasm"], check=True)
    judge = link_component(read_component((tmp_path / "component.wasm").read_bytes()))
    adapted = link_component(read_core_guest(module))
    assert _functions(adapted) == _functions(judge)
    # What is lifted comes on top.
    assert len(_functions(adapted)) == len(ASYNC_IMPORTS) + 3


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
        ("[resource-new]counter", "[task-return]shout", "mismatch for function `.task-return"),
        ("[resource-new]counter", "[task-return]gone", "a function that is not there"),
        ("[resource-new]counter", "[stream-new-0]shout", "a stream or future that is not there"),
        ("[resource-new]counter", "[waitable-set-new]", "missing function `.waitable-set-new.`"),
        ('"upper"', '"[async-lower]upper"', "`.async-lower.upper` of .* is not asynchronous"),
        ('"$root" "note"', '"$root" "[task-return]plain"', "missing function `.task-return.plain`"),
        ('"plain"', '"[async-lift]plain"', "function `plain` is not asynchronous"),
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
            core("(module)") + section_bytes(0, text_bytes("component-type") + b"\2\0rest"),
            "format 2",
            id="an old format",
        ),
        pytest.param(
            core("(module)") + section_bytes(0, text_bytes("component-type") + b"\3\0\1xrest"),
            "damaged component-type section",
            id="no package",
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
    modules = [
        embedded(GUEST, WIT, "guest", tmp_path),
        core(COMMAND.format(more="")),
        _asynchronous(ASYNC_IMPORTS, tmp_path),
    ]
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
