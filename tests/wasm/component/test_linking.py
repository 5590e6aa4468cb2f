"""Components are linked to the ordered plan that instantiating them follows."""

import random

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

from edgezero_spin.wasm.component.errors import InvalidError, UnsupportedError, WasmError
from edgezero_spin.wasm.component.linked import (
    Builtin,
    CoreExport,
    Encoding,
    ExportedInstance,
    HostResource,
    ImportedFunction,
    LiftedFunction,
    LinkedComponent,
    LinkedInstance,
    LocalResource,
    LoweredFunction,
    ResourceFunction,
)
from edgezero_spin.wasm.component.linking import ProvidedComponent, link, validate
from edgezero_spin.wasm.component.reader import read_component
from edgezero_spin.wasm.component.types import (
    FunctionType,
    ListType,
    OwnType,
    Primitive,
    ResourceType,
)

HOST = """
  (import "test:host/api" (instance $api
    (export "thing" (type $thing (sub resource)))
    (export "[constructor]thing" (func (result (own $thing))))
    (export "send" (func (param "data" (list u8)) (result u32)))))"""

MEMORY = """
  (core module $memory
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0))
  (core instance $mem (instantiate $memory))
  (alias core export $mem "memory" (core memory $mem-memory))
  (alias core export $mem "realloc" (core func $mem-realloc))"""

USER = f"""(component {HOST} {MEMORY}
  (core func $send (canon lower (func $api "send") (memory $mem-memory) string-encoding=utf16))
  (core func $make (canon lower (func $api "[constructor]thing")))
  (alias export $api "thing" (type $thing))
  (core func $drop (canon resource.drop $thing))
  (core module $user
    (import "api" "send" (func (param i32 i32) (result i32)))
    (import "api" "make" (func (result i32)))
    (import "api" "drop" (func (param i32)))
    (func (export "run") (param i32 i32) (result i32) unreachable))
  (core instance $u (instantiate $user (with "api" (instance
    (export "send" (func $send)) (export "make" (func $make)) (export "drop" (func $drop))))))
  (func (export "run") (param "data" (list u8)) (result u32)
    (canon lift (core func $u "run") (memory $mem-memory) (realloc $mem-realloc))))"""


def compiled(text: str) -> bytes:
    """A component as text, in binary form."""
    return bytes(wasmtime.wat2wasm(text))


def linked(text: str) -> LinkedComponent:
    """A component as text, linked."""
    return link(read_component(compiled(text)))


def test_core_instances_come_in_order_with_their_imports() -> None:
    """Every import of a core module is resolved to a canonical function."""
    plan = linked(USER)
    assert plan.instances == (LinkedInstance(),)
    memory, user = plan.core_instances
    assert memory.imports == ()
    send, make, drop = (each.source for each in user.imports)
    assert isinstance(send, LoweredFunction)
    assert send.options.memory == CoreExport(0, "memory")
    assert send.options.encoding == Encoding.UTF16
    assert send.callee == ImportedFunction(
        ("test:host/api", "send"),
        FunctionType((("data", ListType(Primitive.U8)),), Primitive.U32),
    )
    assert isinstance(make, LoweredFunction)
    assert isinstance(drop, ResourceFunction)
    assert make.callee.type.result == OwnType(drop.resource)
    assert plan.resources == {drop.resource: HostResource(("test:host/api", "thing"))}
    assert plan.imports == (make.callee, send.callee)


def test_exports_are_lifted_functions() -> None:
    """An export names its core function, memory and realloc."""
    run = linked(USER).exports["run"]
    assert isinstance(run, LiftedFunction)
    assert run.core == CoreExport(1, "run")
    assert run.options.realloc == CoreExport(0, "realloc")


NESTED = """(component
  (component $inner
    (import "double" (func $double (param "x" u32) (result u32)))
    (core func $double-core (canon lower (func $double)))
    (core module $m
      (import "" "double" (func (param i32) (result i32)))
      (export "run" (func 0)))
    (core instance $i (instantiate $m (with "" (instance (export "double" (func $double-core))))))
    (func (export "run") (param "x" u32) (result u32) (canon lift (core func $i "run"))))
  (core module $m
    (func (export "double") (param i32) (result i32)
      (i32.mul (local.get 0) (i32.const 2))))
  (core instance $i (instantiate $m))
  (func $double (param "x" u32) (result u32) (canon lift (core func $i "double")))
  (instance $a (instantiate $inner (with "double" (func $double))))
  (instance $b (instantiate $inner (with "double" (func $a "run"))))
  (export "b" (instance $b)))"""


def test_each_instantiation_is_a_component_instance_of_its_own() -> None:
    """Two instances of one component have two handle tables and share the module's bytes."""
    plan = linked(NESTED)
    assert [each.parent for each in plan.instances] == [None, 0, 0]
    outer, first, second = plan.core_instances
    assert [each.instance for each in plan.core_instances] == [0, 1, 2]
    assert first.module is second.module
    assert first.module != outer.module
    callee = second.imports[0].source
    assert isinstance(callee, LoweredFunction)
    assert callee.callee == LiftedFunction(
        1, CoreExport(1, "run"), callee.callee.type, callee.options
    )
    exported = plan.exports["b"]
    assert isinstance(exported, ExportedInstance)
    assert isinstance(exported.exports["run"], LiftedFunction)


def test_local_resources_are_one_per_instance() -> None:
    """A component instantiated twice defines two resource types with a destructor each."""
    plan = linked("""(component
      (component $c
        (core module $m (func (export "drop") (param i32)))
        (core instance $i (instantiate $m))
        (type $r (resource (rep i32) (dtor (core func $i "drop"))))
        (export "r" (type $r)))
      (instance $a (instantiate $c))
      (instance $b (instantiate $c))
      (export "a" (instance $a)) (export "b" (instance $b)))""")
    assert list(plan.resources.values()) == [
        LocalResource(1, CoreExport(0, "drop")),
        LocalResource(2, CoreExport(1, "drop")),
    ]
    resources = [
        each.exports["r"] for each in plan.exports.values() if isinstance(each, ExportedInstance)
    ]
    assert all(isinstance(each, ResourceType) for each in resources)
    assert resources == list(plan.resources)


def test_outer_aliases_reach_the_components_around() -> None:
    """A module of the outermost component is instantiated two levels inside."""
    plan = linked("""(component
      (core module $m (func (export "f")))
      (component $c
        (component $d (core instance (instantiate $m)))
        (instance (instantiate $d)))
      (instance (instantiate $c)))""")
    assert [each.instance for each in plan.core_instances] == [2]
    assert [each.parent for each in plan.instances] == [None, 0, 1]


MODULE_TYPES = """
  (core type $f (func (param i32) (result i32)))
  (component $c
    (core type $m (module
      (alias outer 2 $f (type $a))
      (import "a" "b" (func (type $a)))
      (export "c" (func (type $a)))))
    (import "m" (core module (type $m))))
  (core module $given
    (import "a" "b" (func (param i32) (result i32)))
    (func (export "c") (param %s) (result i32) unreachable))
  (instance (instantiate $c (with "m" (core module $given))))"""


def test_outer_aliases_reach_the_types_around_a_core_module_type() -> None:
    """A module has to match the function type of a scope further out."""
    assert linked(f"(component {MODULE_TYPES % 'i32'})").instances[1].parent == 0


def test_an_imported_resource_declared_equal_is_the_same() -> None:
    """``(eq ..)`` of another import makes no second resource type."""
    plan = linked("""(component
      (import "a" (instance $a (export "r" (type (sub resource)))))
      (alias export $a "r" (type $r))
      (import "b" (instance
        (export "q" (type $q (eq $r)))
        (export "f" (func (param "x" (borrow $q)))))))""")
    assert list(plan.resources.values()) == [HostResource(("a", "r"))]


def test_a_lift_of_a_canonical_function_gets_a_module() -> None:
    """A runtime calls exports of core instances only, so one is made that exports it."""
    plan = linked("""(component
      (core func $f (canon backpressure.inc))
      (func (export "f") (canon lift (core func $f))))""")
    (core,) = plan.core_instances
    assert core.imports[0].source == Builtin("backpressure.inc", 0)
    function = plan.exports["f"]
    assert isinstance(function, LiftedFunction)
    assert function.core == CoreExport(0, "")
    wasmtime.Module(wasmtime.Engine(), core.module)


def test_dependencies_provide_imports() -> None:
    """An import is met by another component, whose own imports the host tells apart."""
    provider = read_component(
        compiled("""(component
      (import "log" (func $log))
      (core func $log-core (canon lower (func $log)))
      (core module $m (import "" "log" (func)) (export "send" (func 0)))
      (core instance $i (instantiate $m (with "" (instance (export "log" (func $log-core))))))
      (func $send (canon lift (core func $i "send")))
      (instance $api (export "send" (func $send)))
      (export "test:dep/api" (instance $api)))""")
    )
    root = read_component(
        compiled("""(component
      (import "test:dep/api" (instance $dep (export "send" (func))))
      (export "send" (func $dep "send")))""")
    )
    plan = link(root, (ProvidedComponent("test:dep/api", provider, "test:dep/api"),))
    assert plan.instances == (LinkedInstance(), LinkedInstance(None, "test:dep/api"))
    assert [(each.path, each.dependency) for each in plan.imports] == [(("log",), "test:dep/api")]
    send = plan.exports["send"]
    assert isinstance(send, LiftedFunction)
    assert send.instance == 1
    with pytest.raises(InvalidError, match="does not export `other`"):
        link(root, (ProvidedComponent("test:dep/api", provider, "other"),))


INVALID = [
    ("(core instance (instantiate 0))", "core module index out of bounds"),
    (
        '(core module $m (import "a" "b" (func))) (core instance (instantiate $m))',
        "missing module instantiation argument `a`",
    ),
    (
        '(core module $m (memory (export "m") 1)) (core instance $i (instantiate $m))'
        '(core module $n (import "a" "m" (memory 2)))'
        '(core instance (instantiate $n (with "a" (instance $i))))',
        "mismatch in memory limits",
    ),
    (
        '(component $c (import "f" (func (param "x" u32))))'
        '(import "f" (func $f (param "x" string)))'
        '(instance (instantiate $c (with "f" (func $f))))',
        "not the same",
    ),
    ('(component $c (import "f" (func))) (instance (instantiate $c))', "missing import named `f`"),
    ('(import "A-b" (func)) (import "a-B" (func))', "conflicts with a previous name"),
    ('(import "a:b/c@1.2" (func))', "not a valid extern name"),
    ('(type (record (field "a-B-1c" u8) (field "A-b-1C" u8)))', "conflicts"),
    (
        '(core module $m (func (export "f") (param i64))) (core instance $i (instantiate $m))'
        '(func (param "x" u32) (canon lift (core func $i "f")))',
        "do not match the core function",
    ),
    ('(import "f" (func $f (param "x" string))) (core func (canon lower (func $f)))', "`memory`"),
    ("(type $r (resource (rep i32))) (component (alias outer 1 $r (type $t)))", "resources"),
    ("(type (func (result (borrow 0))))", "unknown type 0"),
    (MODULE_TYPES % "i64", "mismatch"),
    ('(import "r" (type $r (sub resource))) (core func (canon resource.new $r))', "local resource"),
]


@pytest.mark.parametrize(("text", "message"), INVALID)
def test_invalid_components_are_refused(text: str, message: str) -> None:
    """Indices, names and types are checked; the error says which rule is broken."""
    component = read_component(compiled(f"(component {text})"))
    for check in (validate, link):
        with pytest.raises(WasmError, match=message):
            check(component)


@pytest.mark.parametrize(
    ("alias", "message"),
    [(b"\1\1", "unknown core type 1"), (b"\1\0", "not a function type"), (b"\2\0", "outer alias")],
)
def test_outer_aliases_in_core_module_types_are_checked(alias: bytes, message: str) -> None:
    """Also those that nothing in the module type refers to."""
    types = b"\2\x50\0\x50\1\2\x10\1" + alias
    component = read_component(b"\0asm\x0d\0\1\0" + bytes([3, len(types)]) + types)
    with pytest.raises(InvalidError, match=message):
        validate(component)


def test_a_component_that_multiplies_is_refused() -> None:
    """Forty nested doublings, a few hundred bytes, do not become a plan of 2**40 instances."""
    levels = "".join(
        f"(component $c{at} (instance (instantiate $c{at - 1}))"
        f" (instance (instantiate $c{at - 1})))"
        for at in range(1, 40)
    )
    with pytest.raises(UnsupportedError):
        linked(f"(component (component $c0) {levels} (instance (instantiate $c39)))")


def test_types_that_grow_are_refused() -> None:
    """A tuple of tuples of .. is counted as a tree, and comparing equal ones is quick."""
    tuples = "".join(
        f"(type $t{at} (tuple $t{at - 1} $t{at - 1} $t{at - 1} $t{at - 1}))" for at in range(1, 30)
    )
    with pytest.raises(WasmError, match=r"too large|maximum byte size"):
        linked(f"(component (type $t0 (tuple u8)) {tuples})")
    options = "".join(f"(type $o{at} (option $o{at - 1}))" for at in range(1, 200))
    with pytest.raises(UnsupportedError, match="too deep"):
        linked(f"(component (type $o0 (option u8)) {options})")


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([USER, NESTED]), st.integers(0, 2**32))
def test_damaged_components_raise_component_errors(text: str, seed: int) -> None:
    """A changed byte, wherever it is, gives a plan or a ``WasmError``."""
    chance = random.Random(seed)
    data = bytearray(compiled(text))
    for _ in range(chance.choice([1, 1, 2, 3])):
        at = chance.randrange(8, len(data))
        data[at] = chance.choice([0, 1, 2, 0x7F, 0x80, 0xFF, data[at] ^ 1, chance.randrange(256)])
    try:
        link(read_component(bytes(data)))
    except WasmError as error:
        assert 0 <= error.offset <= len(data)
