"""Components compared with worlds; both are made by the tools of the component model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.wasm.component.core_guest import read_guest
from edgezero_spin.wasm.component.errors import WasmError
from edgezero_spin.wasm.component.names import compatible_name, version_track
from edgezero_spin.wasm.component.wit_package import read_worlds
from edgezero_spin.wasm.component.world_matching import (
    TypeMismatch,
    WorldMismatch,
    match_world,
    surface_of,
)
from tests.wasm.component.core_guests import core
from tests.wasm.component.wit_components import dummy_component, encoded

# MAN-13, MAN-44: what Spin's own tests of target checks use, and more of it.
SIMPLE = """package spin:test@1.0.0;
interface getter { get: func() -> u32; }
interface trigger { run: func(); }
interface evil { cackle: func(); }
world simple { import getter; export trigger; }
world imports-only { import getter; }
world not-so-simple { import getter; import evil; export trigger; }
"""


def mismatch(component: str, world: str, name: str, *, of: str | None = None) -> WorldMismatch:
    """Compare the component for a world of one text with a world of another text."""
    surface = surface_of(read_guest(dummy_component(component, of or name)))
    worlds = read_worlds(encoded(world))
    [found] = [each for known, each in worlds.items() if f"/{name}@" in known + "@"]
    return match_world(surface, found)


def test_a_package_has_its_worlds_by_their_full_names() -> None:
    """Interfaces of the package are not among them."""
    assert list(read_worlds(encoded(SIMPLE))) == [
        "spin:test/simple@1.0.0",
        "spin:test/imports-only@1.0.0",
        "spin:test/not-so-simple@1.0.0",
    ]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(core("(module)"), id="core module"),
        pytest.param(dummy_component(SIMPLE, "simple"), id="component"),
        pytest.param(encoded(SIMPLE)[:-9], id="cut off"),
    ],
)
def test_what_is_no_package_is_refused(data: bytes) -> None:
    """A component, a module and damage are told from a package."""
    with pytest.raises(WasmError):
        read_worlds(data)


@pytest.mark.parametrize(
    ("component", "world", "expected"),
    [
        pytest.param("simple", "simple", WorldMismatch(), id="the same"),
        pytest.param("simple", "imports-only", WorldMismatch(), id="exports more"),
        pytest.param("simple", "not-so-simple", WorldMismatch(), id="imports less"),
        pytest.param(
            "not-so-simple",
            "simple",
            WorldMismatch(imports=("spin:test/evil@1.0.0",)),
            id="imports more",
        ),
        pytest.param(
            "imports-only",
            "simple",
            WorldMismatch(exports=(("spin:test/trigger@1.0.0", "instance"),)),
            id="exports less",
        ),
    ],
)
def test_imports_are_a_part_and_exports_are_all(
    component: str, world: str, expected: WorldMismatch
) -> None:
    """A component may import less than a world has and export more, not the other way."""
    found = mismatch(SIMPLE, SIMPLE, world, of=component)
    assert found == expected
    assert bool(found) == bool(expected.imports or expected.exports)


THINGS = """package a:things@{version};
interface things {{
  resource thing {{ constructor(size: u8); name: func() -> result<string, fault>; }}
  variant fault {{ gone, other(string) }}
  record pair {{ left: list<thing>, right: option<tuple<u8, char>> }}
  flags marks {{ red, green }}
  enum shape {{ round, square }}
  {functions}
}}
world w {{ {world} }}
"""
FUNCTIONS = "swap: func(pair: pair, marks: marks) -> shape; lend: func(it: borrow<thing>);"


def things(
    version: str = "1.2.0", world: str = "import things;", functions: str = FUNCTIONS
) -> str:
    """A package with an interface in which types of many kinds are."""
    return THINGS.format(version=version, world=world, functions=functions)


def test_resources_are_the_same_by_name() -> None:
    """Handles within records, lists and results fit, and so do methods."""
    assert not mismatch(things(), things(), "w")
    exporting = things(world="export things;")
    assert not mismatch(exporting, exporting, "w")


@pytest.mark.parametrize(
    ("imported", "offered", "fits"),
    [
        ("1.2.0", "1.3.0", True),
        ("1.3.0", "1.2.0", True),
        ("1.2.0", "2.0.0", False),
        ("0.2.0", "0.2.6", True),
        ("0.2.0", "0.3.0", False),
        ("0.0.1", "0.0.2", False),
        ("0.3.0-rc-2026-03-15", "0.3.0", False),
        ("0.3.0-rc-2026-03-15", "0.3.0-rc-2026-03-15", True),
    ],
)
def test_compatible_versions_are_one_interface(imported: str, offered: str, fits: bool) -> None:
    """Releases of a major version, or of a minor one below 1.0, stand for each other."""
    found = mismatch(things(imported), things(offered), "w")
    assert found.imports == (() if fits else (f"a:things/things@{imported}",))


def test_an_interface_that_lacks_a_function_is_told() -> None:
    """A later patch of an interface has what the earlier one of the environment has not."""
    later = things("1.3.0", functions=FUNCTIONS + "more: func();")
    name = "a:things/things@1.3.0"
    assert mismatch(later, things("1.2.0"), "w").types == (
        TypeMismatch("import", name, "the environment has no func `more` in it"),
    )
    assert not mismatch(things("1.2.0"), later, "w")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("swap: func(pair", "swap: func(pear", "the parameters pear, marks, found pair, marks"),
        ("-> shape", "-> u8", "`swap`: the result: expected u8, found enum"),
        (" -> shape", "", "`swap`: the result: expected no type, found enum"),
        ("swap: func", "swap: async func", "`swap`: expected an async func, found a sync func"),
        ("red, green", "red", "parameter `marks`: expected the cases red, found red, green"),
        ("tuple<u8, char>", "tuple<u8, u8>", "`right`: payload: element 1: expected u8, found"),
        ("tuple<u8, char>", "tuple<u8>", "payload: expected tuple of 1, found tuple of 2"),
        ("left: list<thing>", "left: list<string>", "element: expected string, found resource"),
        ("left: list<thing>", "left: thing", "`left`: expected resource `thing`, found list"),
        ("other(string)", "other", "`other`: expected no type, found string"),
        ("size: u8", "size: u16", "parameter `size`: expected u16, found u8"),
        ("borrow<thing>", "thing", "expected resource `thing`, found borrow of resource `thing`"),
    ],
)
def test_each_difference_of_types_is_told_with_its_place(old: str, new: str, reason: str) -> None:
    """The name of the function leads to the parameter, the field, the case and the element."""
    text = things()
    assert old in text
    [found] = mismatch(text, text.replace(old, new), "w").types
    assert (found.kind, found.name) == ("import", "a:things/things@1.2.0")
    assert reason in found.reason


def test_exports_are_compared_like_imports() -> None:
    """An export with another type is not the one that the world asks for."""
    wanted = SIMPLE.replace("run: func()", "run: func(why: string)")
    [found] = mismatch(SIMPLE, wanted, "simple").types
    assert found == TypeMismatch(
        "export",
        "spin:test/trigger@1.0.0",
        "`run`: expected the parameters why, found (none)",
    )
    more = SIMPLE.replace("run: func();", "run: func(); stop: func();")
    [found] = mismatch(SIMPLE, more, "simple").types
    assert found.reason == "the component has no func `stop` in it"


def test_functions_without_an_interface_are_compared() -> None:
    """What a world imports and exports by itself counts by its plain name."""
    text = "package a:b; world w { import log: func(text: string); export go: func() -> u8; }"
    assert not mismatch(text, text, "w")
    other = text.replace("text: string", "text: u8").replace("go:", "start:")
    found = mismatch(text, other, "w")
    assert found.exports == (("start", "func"),)
    assert [each.name for each in found.types] == ["log"]


def test_an_interface_of_types_alone_counts() -> None:
    """What is imported for its types has to be there, functions or not."""
    text = """package a:b;
    interface i { record r { x: u8 } }
    interface j { use i.{r}; f: func(r: r); }
    world w { import j; } world v { }"""
    assert mismatch(text, text, "v", of="w").imports == ("a:b/i", "a:b/j")


def test_core_modules_count_as_what_they_become() -> None:
    """A module of Spin 1 exports what Spin's adapter makes of it (GEN-8)."""
    module = core("""(module
      (memory (export "memory") 1)
      (func (export "canonical_abi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
      (func (export "canonical_abi_free") (param i32 i32 i32))
      (func (export "handle-http-request")
        (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) i32.const 0))""")
    surface = surface_of(read_guest(module))
    [world] = read_worlds(encoded(SIMPLE.split("world not")[0].split("world imp")[0])).values()
    assert match_world(surface, world).exports == (("spin:test/trigger@1.0.0", "instance"),)
    assert surface.exports == {"fermyon:spin/inbound-http"}


@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.sampled_from(["", "-rc.1"]))
def test_every_version_means_itself(major: int, minor: int, patch: int, pre: str) -> None:
    """The exact name comes before any compatible one, whatever the order."""
    name = f"a:b/c@{major}.{minor}.{patch}{pre}"
    others = [f"a:b/c@{major}.{minor}.{each}" for each in range(5)]
    assert compatible_name(name, [*others, name, *others]) == name
    assert compatible_name("a:b/d", others) is None


def test_of_compatible_versions_the_latest_counts() -> None:
    """Numbers are compared as numbers."""
    assert compatible_name("a:b/c@1.1.0", ["a:b/c@1.9.0", "a:b/c@1.10.0"]) == "a:b/c@1.10.0"
    assert version_track("a:b/c@1.1.0+build.3") == "a:b/c@1"
    assert version_track("a:b/c@0.0.3") == "a:b/c@0.0.3"
