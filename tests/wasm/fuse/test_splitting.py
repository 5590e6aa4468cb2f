"""A fused module with a snapshot is split, and its code is made once for all snapshots."""

import pytest
import wasmtime

from edgezero_spin.wasm.component.linked import CoreExport, LiftedFunction, LinkedComponent
from edgezero_spin.wasm.component.linking import link
from edgezero_spin.wasm.component.reader import read_component
from edgezero_spin.wasm.core_module import CODE, DATA, read_core_module
from edgezero_spin.wasm.fuse.code_cache import CodeEntry
from edgezero_spin.wasm.fuse.fusing import fuse
from edgezero_spin.wasm.fuse.packing import packed_component
from tests.wasm.fuse.generated import Running, engine


class Cache(dict[str, bytes]):
    """Entries in a dictionary."""

    def load_bytes(self, key: str) -> bytes | None:
        """Return an entry."""
        return self.get(key)

    def store_bytes(self, key: str, content: bytes) -> None:
        """Keep an entry."""
        self[key] = content


def snapshot(**changed: object) -> LinkedComponent:
    """A component as componentize-py makes it, linked."""
    return link(read_component(binary(**changed)))  # type: ignore[arg-type]


def binary(
    text: str = "first", stack: int = 1000, constant: int = 5, pages: int = 1, more: str = ""
) -> bytes:
    """A component as componentize-py makes it: memory and globals in one module, code beside."""
    component = f"""(component
      (import "host" (func $host (param "x" u32) (result u32)))
      (core func $host-core (canon lower (func $host)))
      (core module $data
        (memory (export "memory") {pages})
        (global (export "stack") (mut i32) (i32.const {stack}))
        (global (export "got") (mut i32) (i32.const {constant}))
        (data (i32.const 16) "{text}"))
      (core instance $d (instantiate $data))
      (core module $code
        (import "env" "memory" (memory 1))
        (import "env" "stack" (global $stack (mut i32)))
        (import "env" "got" (global $got (mut i32)))
        (import "host" "host" (func $host (param i32) (result i32)))
        (func $ask (export "ask") (param i32) (result i32) (call $host (local.get 0)))
        (func (export "run") (result i32)
          (global.set $stack (i32.sub (global.get $stack) (i32.const 1)))
          (i32.add (global.get $stack)
            (i32.add (global.get $got) (i32.load8_u (i32.const 16)))) {more}))
      (core instance $c (instantiate $code (with "env" (instance $d))
        (with "host" (instance (export "host" (func $host-core))))))
      (func (export "ask") (param "x" u32) (result u32) (canon lift (core func $c "ask")))
      (func (export "run") (result u32) (canon lift (core func $c "run"))))"""
    return bytes(wasmtime.wat2wasm(component))


def test_data_and_code_are_two_modules() -> None:
    """The one has the segments, the other the functions and two imports from the first."""
    data, code = fuse(snapshot(), split_from=1).core_instances
    assert DATA in read_core_module(data.module).sections
    assert len(read_core_module(data.module).functions) == 1
    assert DATA not in read_core_module(code.module).sections
    assert CODE in read_core_module(code.module).sections
    assert [each.source for each in code.imports] == [
        CoreExport(0, "memory.0"),
        CoreExport(0, "functions"),
    ]


def test_small_components_are_not_split() -> None:
    """Five bytes of data are not a snapshot."""
    assert len(fuse(snapshot()).core_instances) == 1


@pytest.mark.parametrize("split_from", [1, None])
def test_initial_values_and_host_calls_arrive(split_from: int | None) -> None:
    """Code finds the snapshot's globals and memory, and the host's functions."""
    plan = fuse(snapshot(stack=70, constant=9), split_from=split_from)
    wasm = engine()
    store = wasmtime.Store(wasm)
    kind = wasmtime.FuncType([wasmtime.ValType.i32()], [wasmtime.ValType.i32()])
    host = wasmtime.Func(store, kind, lambda number: number + 1)
    instances: list[wasmtime.Instance] = []
    for core in plan.core_instances:
        given = [
            instances[each.source.instance].exports(store)[each.source.name]
            if isinstance(each.source, CoreExport)
            else host
            for each in core.imports
        ]
        module = wasmtime.Module(wasm, core.module)
        instances.append(wasmtime.Instance(store, module, given))
    found = []
    for name, arguments in (("run", []), ("run", []), ("ask", [4])):
        lifted = plan.exports[name]
        assert isinstance(lifted, LiftedFunction)
        function = instances[lifted.core.instance].exports(store)[lifted.core.name]
        assert isinstance(function, wasmtime.Func)
        found.append(function(store, *arguments))
    assert found == [69 + 9 + ord("f"), 68 + 9 + ord("f"), 5]


def test_an_edit_changes_data_only() -> None:
    """Another snapshot, of another size, has the same code to the byte."""
    first = fuse(snapshot(), split_from=1)
    second = fuse(snapshot(text="another one", stack=77, pages=3), split_from=1)
    assert first.core_instances[1].module == second.core_instances[1].module
    assert first.core_instances[0].module != second.core_instances[0].module


def test_an_edit_of_an_app_that_ships_packed_changes_data_only() -> None:
    """So does a module that holds code and data, of more segments than before."""
    apps = binary(), binary(text='x") (data (i32.const 90) "y', stack=77, pages=3)
    codes = []
    for app in apps:
        packed = packed_component(app)
        assert packed != app
        codes.append(fuse(link(read_component(packed)), split_from=1).core_instances[1].module)
    assert codes[0] == codes[1]


@pytest.mark.parametrize(
    ("changed", "is_hit"),
    [
        pytest.param({"text": "second"}, True, id="contents of memory"),
        pytest.param({"stack": 5}, True, id="a global that code sets"),
        pytest.param({"pages": 2}, True, id="size of the memory"),
        pytest.param({"constant": 6}, False, id="a global that is folded into code"),
        pytest.param({"more": "(i32.const 1) (i32.add)"}, False, id="code"),
    ],
)
def test_code_is_kept_by_what_it_is_made_from(
    changed: dict[str, object], is_hit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hit gives what fusing anew gives, without walking a function body."""
    cache = Cache()
    fuse(snapshot(), split_from=1, cache=cache)
    plan = snapshot(**changed)
    expected = fuse(plan, split_from=1)

    def walk(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("edgezero_spin.wasm.fuse.program.walk", walk)
    if is_hit:
        assert fuse(plan, split_from=1, cache=cache) == expected
    else:
        with pytest.raises(ZeroDivisionError):
            fuse(plan, split_from=1, cache=cache)


def test_damaged_entries_are_made_anew() -> None:
    """An entry that is cut, or of another program, costs time and nothing else."""
    cache = Cache()
    expected = fuse(snapshot(), split_from=1, cache=cache)
    (key,) = cache
    good = CodeEntry.from_bytes(cache[key])
    assert good is not None
    head, _, code = cache[key].partition(b"\n")
    for damaged in (
        b"",
        b"{}",
        head[:-4],
        b"[]\n" + code,
        head.replace(b'"imports": [0', b'"imports": [9') + b"\n" + code,
    ):
        cache[key] = damaged
        assert fuse(snapshot(), split_from=1, cache=cache) == expected
        assert CodeEntry.from_bytes(cache[key]) == good


def test_code_that_names_data_segments_keeps_them() -> None:
    """An active segment is empty once it is applied; another number of them is other code."""
    text = """(component
      (core module $m (memory (export "memory") 1)
        (data (i32.const 4) "active") MORE (data $p "passive")
        (func (export "run") (param i32) (result i32)
          (memory.init 0 (i32.const 0) (i32.const 0) (local.get 0)) (data.drop 0)
          (memory.init $p (i32.const 0) (i32.const 0) (i32.const 4))
          (i32.load (i32.const 0))))
      (core instance $b (instantiate $m))
      (func (export "run") (param "x" u32) (result u32) (canon lift (core func $b "run"))))"""
    wasm, cache = engine(), Cache()
    for more in ("", '(data (i32.const 0) "more")'):
        plain = link(read_component(bytes(wasmtime.wat2wasm(text.replace("MORE", more)))))
        fused = fuse(plain, split_from=1, cache=cache)
        whole, split = Running(wasm, plain), Running(wasm, fused)
        for argument in (0, 1, 0):
            assert whole.call("run", [argument]) == split.call("run", [argument])
    assert len(cache) == 2


def test_traps_and_results_are_those_of_one_module() -> None:
    """A component without host functions runs split as it does whole."""
    text = """(component
      (core module $m (memory (export "memory") 1) (data (i32.const 4) "data")
        (global $g (mut f64) (f64.const 1.5))
        (func (export "run") (param i32) (result i32)
          (global.set $g (f64.add (global.get $g) (f64.const 1)))
          (i32.add (i32.trunc_f64_s (global.get $g)) (i32.load (local.get 0)))))
      (core instance $b (instantiate $m))
      (func (export "run") (param "x" u32) (result u32) (canon lift (core func $b "run"))))"""
    plain = link(read_component(bytes(wasmtime.wat2wasm(text))))
    wasm = engine()
    whole, split = Running(wasm, plain), Running(wasm, fuse(plain, split_from=1))
    for argument in (0, 2, 4, 70_000, -1):
        assert whole.call("run", [argument]) == split.call("run", [argument])
