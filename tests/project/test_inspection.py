"""Components read section by section."""

from pathlib import Path

import pytest
import wasmtime

import edgezero_spin
from edgezero_spin.project.inspection import InspectionError, inspect_component, strangers
from edgezero_spin.testing import assert_imports
from tests.host.support import SCRIPT
from tests.wasm.component.core_guests import embedded

SMALL = """\
(component
  (import "fermyon:spin/key-value@2.0.0" (instance))
  (import "wasi:http/outgoing-handler@0.2.6" (instance))
  (import "wasi:io/poll@0.2.0" (instance (export "pollable" (type (sub resource)))))
  (import "ask" (func (param "a" u32)))
  (import "t" (type $t (sub resource)))
  (import "m" (core module))
  (core module $main (func (export "f")) (memory 1) (data (i32.const 0) "hello"))
  (component $inner (import "hidden" (func)))
  (instance $handler)
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler))
)
"""


def component(folder: Path, text: str) -> Path:
    """Write a component given as text."""
    path = folder / "app.wasm"
    path.write_bytes(wasmtime.wat2wasm(text))
    return path


def test_imports_exports_and_world(tmp_path: Path) -> None:
    """Every kind of import is listed, those of inner components are not."""
    found = inspect_component(component(tmp_path, SMALL))
    assert found.imports == (
        "ask",
        "fermyon:spin/key-value@2.0.0",
        "m",
        "t",
        "wasi:http/outgoing-handler@0.2.6",
        "wasi:io/poll@0.2.0",
    )
    assert found.exports == ("wasi:http/incoming-handler@0.2.0",)
    # `ask` is in no world of ours.
    assert found.world is None


@pytest.mark.parametrize(
    ("names", "world", "spin"),
    [
        pytest.param(
            ["wasi:http/handler@0.3.0", "wasi:http/client@0.3.0", "spin:key-value/key-value@3.0.0"],
            "http-service + key-value + outbound-http",
            "4.1",
            id="0.3",
        ),
        pytest.param(
            ["wasi:http/handler@0.3.0", "fermyon:spin/redis@2.0.0"], None, "4.1", id="another"
        ),
        pytest.param(["wasi:http/handler@0.3.0-rc-2026-03-15"], "http-service", "4.0", id="rc"),
        pytest.param(
            ["wasi:http/handler@0.3.0-rc-2026-03-15", "wasi:cli/exit@0.3.0"],
            "http-service",
            "4.1",
            id="rc and release",
        ),
        pytest.param(["wasi:http/incoming-handler@0.2.0"], "http-trigger", "2.0", id="0.2"),
        pytest.param(
            ["wasi:http/incoming-handler@0.2.0", "spin:redis/redis@3.0.0"], None, "4.0", id="both"
        ),
        pytest.param(["wasi:cli/run@0.2.0"], None, None, id="no handler"),
        pytest.param(
            ["wasi:http/incoming-handler@0.2.0", "spin:postgres/postgres@4.0.0"],
            "http-trigger + postgres",
            "3.4",
            id="an interface of a later Spin",
        ),
        pytest.param(
            [
                "wasi:http/incoming-handler@0.2.0",
                "fermyon:spin/mysql@2.0.0",
                "fermyon:spin/rdbms-types@2.0.0",
            ],
            "http-trigger + mysql",
            "2.0",
            id="an interface with the types of another",
        ),
    ],
)
def test_the_generation_tells_which_spin_is_needed(
    tmp_path: Path, names: list[str], world: str | None, spin: str | None
) -> None:
    """By the handler and by whatever else came with that Spin."""  # XP-1, XP-2, G3-4
    export, *imports = names
    lines = [f'(import "{name}" (instance))' for name in imports]
    text = f'(component {" ".join(lines)} (instance $i) (export "{export}" (instance $i)))'
    found = inspect_component(component(tmp_path, text))
    assert found.world == world
    assert found.spin == spin


@pytest.mark.parametrize(
    ("gone", "world"),
    [
        ((), "http-trigger + key-value + outbound-http"),
        (("fermyon",), "http-trigger + outbound-http"),
        (("outgoing",), "http-trigger + key-value"),
        (("fermyon", "outgoing"), "http-trigger"),
        (("export",), None),
    ],
)
def test_the_world_is_told_by_the_imports(
    tmp_path: Path, gone: tuple[str, ...], world: str | None
) -> None:
    """It says what the component answers and uses; none without a handler."""
    other = ('"ask"', '"t"', '"m"')
    text = "\n".join(
        line
        for line in SMALL.splitlines()
        if not any(f"(import {name}" in line for name in other)
        and not any(word in line.partition("@")[0] for word in gone if word != "export")
        and not ("export" in gone and line.startswith("  (export"))
    )
    assert inspect_component(component(tmp_path, text)).world == world


def test_sizes_add_up(tmp_path: Path) -> None:
    """The parts make up the file, but for the sections' own heads."""
    found = inspect_component(component(tmp_path, SMALL))
    assert sum(part.size_bytes for part in found.parts) <= found.size_bytes
    assert found.size_bytes - sum(part.size_bytes for part in found.parts) < 64
    (main,) = [part for part in found.parts if part.name == "main"]
    assert 0 < main.code_bytes < main.size_bytes
    assert 0 < main.data_bytes < main.size_bytes
    assert found.to_value()["parts"][0]["name"] == found.parts[0].name


def test_the_script_guest(tmp_path: Path) -> None:
    """A larger component, with resources, aliases and instance types."""
    found = inspect_component(component(tmp_path, SCRIPT.read_text()))
    assert "wasi:http/types@0.2.0" in found.imports
    assert "example:nowhere/thing@1.0.0" in found.imports
    assert found.exports == ("wasi:http/incoming-handler@0.2.0",)


def test_a_core_module_is_what_it_is_adapted_to(tmp_path: Path) -> None:
    """The interfaces that it uses, not all of its world, and the handler that it becomes."""
    # GEN-8
    text = """(module
      (import "wasi:http/types@0.2.0" "[resource-drop]fields" (func (param i32)))
      (import "wasi:io/streams@0.2.0" "[method]output-stream.flush" (func (param i32 i32)))
      (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
      (memory (export "memory") 1)
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
      (func (export "wasi:http/incoming-handler@0.2.0#handle") (param i32 i32)))"""
    wit = Path(edgezero_spin.__file__).parent / "wit"
    path = tmp_path / "app.wasm"
    path.write_bytes(embedded(text, wit, "http-trigger", tmp_path))
    found = inspect_component(path)
    assert found.imports == ("wasi:http/types@0.2.0", "wasi:io/streams@0.2.0")
    assert found.exports == ("wasi:http/incoming-handler@0.2.0",)
    assert found.spin == "2.0"
    assert found.parts[0].size_bytes == found.size_bytes


def nested(depth: int) -> bytes:
    """A component with so many others in each other."""
    data = b"\0asm\x0d\0\x01\0"
    for _ in range(depth):
        data = b"\0asm\x0d\0\x01\0\x04" + _leb128(len(data)) + data
    return data


def _leb128(number: int) -> bytes:
    groups = [number >> shift & 127 for shift in range(0, max(number.bit_length(), 1), 7)]
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])


def test_components_in_each_other(tmp_path: Path) -> None:
    """As many are read as wasmtime takes."""
    path = tmp_path / "app.wasm"
    path.write_bytes(nested(100))
    assert inspect_component(path).size_bytes == path.stat().st_size


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(None, "cannot be read (No such file or directory); build", id="missing"),
        pytest.param(b"", "is not a component", id="empty"),
        pytest.param(b"(component)", "is not a component", id="text"),
        pytest.param(b"\0asm\x01\0\0\0", "is a core wasm module", id="module"),
        pytest.param(b"\0asm\x0d\0\x01\0\x0a\x7f", "is damaged", id="cut short"),
        pytest.param(b"\0asm\x0d\0\x01\0\x0a\xff\xff\xff", "is damaged", id="a size without end"),
        pytest.param(b"\0asm\x0d\0\x01\0\x0a\x03\x01\x00\x05", "is damaged", id="a name too long"),
        pytest.param(nested(101), "is damaged: more than 100 components", id="nested too deeply"),
        pytest.param(nested(5000), "is damaged: more than 100 components", id="far too deeply"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: bytes | None, problem: str) -> None:
    """The message says what is wrong with the file."""
    path = tmp_path / "app.wasm"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InspectionError) as caught:
        inspect_component(path)
    assert str(caught.value).startswith(f"{path}: {problem}")


def test_every_cut_is_noticed_or_read(tmp_path: Path) -> None:
    """A file that ends early never does worse than say so."""
    whole = component(tmp_path, SMALL).read_bytes()
    path = tmp_path / "cut.wasm"
    refused = 0
    for end in range(8, len(whole)):
        path.write_bytes(whole[:end])
        try:
            inspect_component(path)
        except InspectionError:
            refused += 1
    assert refused > len(whole) // 2


def test_strangers() -> None:
    """Patterns match with and without version."""
    imports = ("a:b/c@1.0.0", "a:b/d@1.0.0", "e:f/g")
    assert strangers(imports, ("a:b/c", "e:*")) == ("a:b/d@1.0.0",)
    assert strangers(imports, ("a:b/c@2.0.0", "a:b/d@1.0.0", "e:f/g")) == ("a:b/c@1.0.0",)


def test_an_accidental_capability_fails_a_test(tmp_path: Path) -> None:
    """Imports too many and too few are named."""
    path = component(tmp_path, SMALL)
    assert_imports(path, "wasi:*", "fermyon:spin/key-value", "ask", "t", "m")
    with pytest.raises(AssertionError) as caught:
        assert_imports(path, "wasi:io/*", "fermyon:spin/*", "ask", "t", "m", "fermyon:spin/sqlite")
    assert "wasi:http/outgoing-handler@0.2.6 is imported and not allowed" in str(caught.value)
    assert "fermyon:spin/sqlite is allowed and not imported" in str(caught.value)
