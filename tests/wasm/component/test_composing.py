"""Composition of components, checked by ``wasm-tools`` and by our own linker.

That what is composed runs is shown in ``tests/host/load/test_dependencies.py``.
"""

import subprocess
import sysconfig
from pathlib import Path

import pytest
from wasmtime import wat2wasm

from edgezero_spin.wasm.component.composing import ComposedPart, compose
from edgezero_spin.wasm.component.definitions import ExportDefinition, ImportDefinition
from edgezero_spin.wasm.component.dependency_names import CompositionError, imports_for
from edgezero_spin.wasm.component.errors import WasmError
from edgezero_spin.wasm.component.linking import validate
from edgezero_spin.wasm.component.reader import read_component
from edgezero_spin.wasm.component.spin_dependencies import SpinDependency, compose_dependencies

TOOL = Path(sysconfig.get_path("scripts")) / "wasm-tools"

POLL = """(import "wasi:io/poll@0.2.0" (instance $poll
  (export "pollable" (type $p (sub resource)))
  {more}))
(alias export $poll "pollable" (type $pollable))
"""
READY = """(export "[method]pollable.ready" (func (param "self" (borrow $p)) (result bool)))"""
BLOCK = """(export "[method]pollable.block" (func (param "self" (borrow $p))))"""
CLOCK = """(import "wasi:clocks/monotonic-clock@0.2.0" (instance
  (alias outer 1 $pollable (type $pollable))
  (export "pollable" (type $p (eq $pollable)))
  (type $own (own $p))
  (type $code' (enum "a" "b"))
  (export "code" (type $code (eq $code')))
  (type $record' (record (field "code" $code) (field "text" string)))
  (export "kept" (type $kept (eq $record')))
  (export "now" (func (result u64)))
  (export "subscribe" (func (param "when" u64) (param "kept" $kept)
    (result (result $own (error $code)))))))
"""
RUN = """(core module $m (func (export "run")))
(core instance $i (instantiate $m))
(func $run (canon lift (core func $i "run")))
"""


def component(*parts: str) -> bytes:
    """A component of these definitions."""
    return bytes(wat2wasm("(component " + "\n".join(parts) + ")"))


def names(data: bytes) -> tuple[list[str], list[str]]:
    """Imports and exports of a component that two readers find valid."""
    done = subprocess.run(
        [TOOL, "validate", "--features", "all", "-"], input=data, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    found = read_component(data)
    validate(found)
    imports = [each.name for each in found.definitions if isinstance(each, ImportDefinition)]
    exports = [each.name for each in found.definitions if isinstance(each, ExportDefinition)]
    return imports, exports


def test_imports_of_all_parts_are_merged(tmp_path: Path) -> None:
    """One import of a name, with the functions of each that has it, and one resource."""
    first = component(POLL.format(more=READY), CLOCK)
    second = component(POLL.format(more=BLOCK), RUN, '(export "run" (func $run))')
    data = compose([ComposedPart(first), ComposedPart(second)])
    assert names(data) == (["wasi:io/poll@0.2.0", "wasi:clocks/monotonic-clock@0.2.0"], ["run"])
    path = tmp_path / "composed.wasm"
    path.write_bytes(data)
    text = subprocess.run([TOOL, "component", "wit", path], capture_output=True)
    shown = text.stdout.decode()
    assert "ready: func() -> bool" in shown
    assert "block: func()" in shown


@pytest.mark.parametrize(
    "refused",
    [
        {"wasi:clocks/monotonic-clock@0.2.0"},
        {"wasi:clocks/monotonic-clock@0.2.0", "wasi:io/poll@0.2.0"},
    ],
)
def test_refused_interfaces_are_no_imports(refused: set[str]) -> None:
    """With resources, methods, records and the types of others in them."""  # CPS-6
    user = component(POLL.format(more=READY + BLOCK), CLOCK, RUN, '(export "run" (func $run))')
    data = compose([ComposedPart(user, refused=frozenset(refused))])
    left = {"wasi:io/poll@0.2.0", "wasi:clocks/monotonic-clock@0.2.0"} - refused
    assert names(data) == (sorted(left), ["run"])


def test_an_export_satisfies_an_import() -> None:
    """Its own imports stay, and nothing else is exported than what the user exports."""  # CPS-1
    provider = component(
        POLL.format(more=""),
        RUN,
        '(instance $x (export "run" (func $run)))',
        '(export "acme:x/y@1.0.0" (instance $x))',
        '(export "acme:x/z@1.0.0" (instance $x))',
    )
    user = component(
        '(import "acme:x/y@1.0.0" (instance $y (export "run" (func))))',
        '(alias export $y "run" (func $run))',
        '(export "go" (func $run))',
    )
    dependency = SpinDependency(name="acme:x", data=provider)
    assert names(compose_dependencies("user", user, [dependency])) == (
        ["wasi:io/poll@0.2.0"],
        ["go"],
    )


def test_what_the_user_exports_stays() -> None:
    """Instances, functions and types, in their order."""
    user = component(
        POLL.format(more=READY),
        RUN,
        '(type $t (record (field "a" u8)))',
        '(export $u "named" (type $t))',
        '(export "go" (func $run))',
        '(instance $x (export "run" (func $run)))',
        '(export "acme:x/y@1.0.0" (instance $x))',
    )
    assert names(compose([ComposedPart(user)]))[1] == ["named", "go", "acme:x/y@1.0.0"]


@pytest.mark.parametrize(
    ("dependency", "fits"),
    [  # V-90, CPS-2
        ("foo:bar", ["foo:bar/baz@0.1.0", "foo:bar/other"]),
        ("foo:bar/baz", ["foo:bar/baz@0.1.0"]),
        ("foo:bar@0.1.0", ["foo:bar/baz@0.1.0"]),
        ("foo:bar/baz@0.1.0", ["foo:bar/baz@0.1.0"]),
        ("foo:bar/other@0.1.0", []),
        ("foo:ba", []),
        ("plain", ["plain"]),
        ("foo", []),
    ],
)
def test_which_imports_a_dependency_is_for(dependency: str, fits: list[str]) -> None:
    """What a name does not say matches anything; a plain one only itself."""
    assert imports_for(dependency, ["foo:bar/baz@0.1.0", "foo:bar/other", "plain"]) == fits


@pytest.mark.parametrize(
    ("user", "says"),
    [
        (b"nothing", "component 'user' is not a component that can be joined"),
        (b"\0asm\1\0\0\0", "component 'user' is not a component that can be joined"),
        (component('(import "a" (core module))'), "the import a of a core module is refused"),
        (component('(import "a" (component))'), "the import a of a component is refused"),
        (
            component('(import "a" (instance (export "b" (instance))))'),
            "a component or instance type within an interface is refused",
        ),
    ],
)
def test_what_cannot_be_composed_is_named(user: bytes, says: str) -> None:
    """In one sentence."""
    try:
        compose_dependencies("user", user, [])
    except CompositionError as error:
        assert says in str(error)
    else:
        raise AssertionError("nothing was refused")


def test_a_file_cut_anywhere_is_an_error() -> None:
    """And no other exception, wherever it ends."""
    user = component(POLL.format(more=READY), CLOCK, RUN, '(export "run" (func $run))')
    for end in range(8, len(user)):
        try:
            compose([ComposedPart(user[:end], refused=frozenset({"wasi:io/poll@0.2.0"}))])
        except WasmError:
            continue
