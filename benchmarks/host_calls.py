"""Costs of one host call, by signature: this host against ``wasmtime.component``'s linker.

    python -m benchmarks.host_calls [--calls 2000]

Both sides run the same guest on the same engine, in turns; the guest calls the function
in a loop. Figures are microseconds of the thread's CPU time per call, the best of several turns,
with the cost of an empty loop taken off. "ratio" is what to compare between machines.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import wasmtime
from wasmtime import component as wit

from edgezero_spin.host.runtime.component_loading import CompiledComponent, load_component
from edgezero_spin.host.runtime.engine import EngineSettings, make_engine
from edgezero_spin.host.runtime.interface import Interface
from edgezero_spin.host.runtime.linking import link
from edgezero_spin.host.runtime.resources import ResourceTable

HOST = "bench:host/api"
TURNS = 5
HEADERS = [(f"header-{index}", b"some value, not long") for index in range(10)]
KEYS = [f"user:{index}" for index in range(1000)]
PAIRS = [(f"user:{index}", b"some value, not long") for index in range(1000)]
ROWS = [
    [
        ("integer", index),
        ("text", f"some text for row {index}"),
        ("real", index / 3),
        ("null", None),
    ]
    for index in range(1000)
]


class Thing:
    """A host resource."""


@attrs.frozen
class Case:
    """One signature.

    Attributes:
        type_: The function's type as component text.
        core: Its core type after lowering.
        call: Core instructions of one call; they leave nothing on the stack.
        ours: The host function here.
        stock: The host function for ``wasmtime.component``.
    """

    type_: str
    core: str
    call: str
    ours: Callable[..., Any]
    stock: Callable[..., Any]


def _stock(result: Any) -> Callable[..., Any]:
    """Return a function for the stock linker that settles its handles and answers."""

    def answer(store: Any, *values: Any) -> Any:
        for value in values:
            if isinstance(value, wit.ResourceAny):
                value.to_host(store)
        return result

    return answer


def _cases() -> dict[str, Case]:
    error = "(error $problem)"
    small, large = b"x" * 4096, b"x" * 65536
    self_ = '(param "self" (borrow $thing))'

    def read(data: bytes) -> Case:
        return Case(
            f'{self_} (param "n" u64) (result (result (list u8) {error}))',
            "(param i32 i64 i32)",
            "(call $f (local.get $thing) (i64.const 1) (i32.const 16))",
            lambda state, thing, count: data,
            _stock(data),
        )

    def write(size: int) -> Case:
        return Case(
            f'{self_} (param "data" (list u8)) (result (result {error}))',
            "(param i32 i32 i32 i32)",
            f"(call $f (local.get $thing) (i32.const 4096) (i32.const {size}) (i32.const 16))",
            lambda state, thing, data: None,
            _stock(wit.Variant("ok")),
        )

    return {
        "func()": Case("", "", "(call $f)", lambda state: None, _stock(None)),
        "func(u64) -> u64": Case(
            '(param "n" u64) (result u64)',
            "(param i64) (result i64)",
            "(drop (call $f (i64.const 5)))",
            lambda state, number: number,
            _stock(5),
        ),
        "method() -> option<string>": Case(
            f"{self_} (result (option string))",
            "(param i32 i32)",
            "(call $f (local.get $thing) (i32.const 16))",
            lambda state, thing: "/some/path",
            _stock("/some/path"),
        ),
        "method() -> result<u64, error>": Case(
            f"{self_} (result (result u64 {error}))",
            "(param i32 i32)",
            "(call $f (local.get $thing) (i32.const 16))",
            lambda state, thing: 1 << 20,
            _stock(1 << 20),
        ),
        "method() -> own<thing>": Case(
            f"{self_} (result (own $thing))",
            "(param i32) (result i32)",
            "(call $drop (call $f (local.get $thing)))",
            lambda state, thing: Thing(),
            lambda store, thing: (thing.to_host(store), wit.ResourceHost.own(1, 1))[1],
        ),
        "method() -> list of 10 headers": Case(
            f"{self_} (result (list (tuple string (list u8))))",
            "(param i32 i32)",
            "(call $f (local.get $thing) (i32.const 16))",
            lambda state, thing: HEADERS,
            _stock(HEADERS),
        ),
        "method() -> list of 1000 keys": Case(
            f"{self_} (result (list string))",
            "(param i32 i32)",
            "(call $f (local.get $thing) (i32.const 16))",
            lambda state, thing: KEYS,
            _stock(KEYS),
        ),
        "method() -> list of 1000 pairs": Case(
            f"{self_} (result (list (tuple string (list u8))))",
            "(param i32 i32)",
            "(call $f (local.get $thing) (i32.const 16))",
            lambda state, thing: PAIRS,
            _stock(PAIRS),
        ),
        "method() -> 1000 rows of 4 values": Case(
            f"{self_} (result (list (list $value)))",
            "(param i32 i32)",
            "(call $f (local.get $thing) (i32.const 16))",
            lambda state, thing: ROWS,
            _stock([[payload for _, payload in row] for row in ROWS]),
        ),
        "read() -> 4 KiB": read(small),
        "read() -> 64 KiB": read(large),
        "write(4 KiB)": write(len(small)),
        "write(64 KiB)": write(len(large)),
    }


def _text(case: Case) -> str:
    return f"""
(component
  (import "{HOST}" (instance $host
    (export "thing" (type $thing (sub resource)))
    (type $problem-shape (variant (case "failed" (own $thing)) (case "closed")))
    (export "problem" (type $problem (eq $problem-shape)))
    (type $value-shape (variant
      (case "null") (case "integer" s64) (case "real" f64) (case "text" string)))
    (export "value" (type $value (eq $value-shape)))
    (export "make" (func (result (own $thing))))
    (export "f" (func {case.type_}))))
  (alias export $host "thing" (type $thing))
  (core module $memory-module
    (memory (export "memory") 40)
    (global $top (mut i32) (i32.const 131072))
    (func (export "reset") (global.set $top (i32.const 131072)))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
      (global.set $top (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $memory-instance (instantiate $memory-module))
  (alias core export $memory-instance "memory" (core memory $memory))
  (alias core export $memory-instance "realloc" (core func $realloc))
  (core func $make (canon lower (func $host "make")))
  (core func $f (canon lower (func $host "f") (memory $memory) (realloc $realloc)))
  (core func $drop (canon resource.drop $thing))
  (core module $module
    (import "" "make" (func $make (result i32)))
    (import "" "f" (func $f {case.core}))
    (import "" "drop" (func $drop (param i32)))
    (import "memory" "reset" (func $reset))
    (func (export "run") (param $count i32) (local $thing i32)
      (local.set $thing (call $make))
      (block $end (loop $again
        (br_if $end (i32.eqz (local.get $count)))
        (call $reset)
        {case.call}
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $again)))
      (call $drop (local.get $thing))))
  (core instance $core (instantiate $module
    (with "" (instance (export "make" (func $make)) (export "f" (func $f))
      (export "drop" (func $drop))))
    (with "memory" (instance $memory-instance))))
  (func (export "run") (param "count" u32) (canon lift (core func $core "run"))))
"""


class _State:
    def __init__(self) -> None:
        self.table = ResourceTable()


def _our_side(component: CompiledComponent, case: Case) -> Callable[[int], None]:
    functions = {"make": lambda state: Thing(), "f": case.ours}
    interface = Interface(HOST, functions, {"thing": Thing})
    instance = link(component.engine, component, {HOST: interface}).instantiate(_State())
    return lambda count: instance.call(None, "run", count)


def _stock_side(component: CompiledComponent, case: Case) -> Callable[[int], None]:
    native = component.engine.native
    linker = wit.Linker(native)
    with linker.root() as root, root.add_instance(HOST) as place:
        place.add_resource("thing", wit.ResourceType.host(1), lambda store, rep: None)
        place.add_func("make", lambda store: wit.ResourceHost.own(1, 1))
        place.add_func("f", case.stock)
    store = wasmtime.Store(native)
    instance = linker.instantiate(store, wit.Component(native, component.wasm()))
    run = instance.get_func(store, "run")
    if run is None:
        raise RuntimeError("the guest has no function run")

    def loop(count: int) -> None:
        run(store, count)

    return loop


def _seconds(run: Callable[[int], None], count: int) -> float:
    start = time.thread_time()
    run(count)
    return time.thread_time() - start


def measure(calls: int) -> Mapping[str, tuple[float, float]]:
    """Return microseconds per call, ours and stock, by signature."""
    found = {}
    settings = EngineSettings(pooling=False, epoch=False)
    with TemporaryDirectory() as folder, make_engine(settings) as engine:
        for name, case in _cases().items():
            path = Path(folder) / "guest.wat"
            path.write_text(_text(case))
            sides = (
                _our_side(load_component(engine, path), case),
                _stock_side(load_component(engine, path, joined=True), case),
            )
            counts = (calls, max(calls // 20, 1) if "KiB" in name else max(calls // 4, 1))
            if "1000" in name:
                counts = (max(calls // 20, 1), 1)
            best = [float("inf"), float("inf")]
            for _ in range(TURNS):
                for side, (run, count) in enumerate(zip(sides, counts, strict=True)):
                    spent = _seconds(run, count) - _seconds(run, 0)
                    best[side] = min(best[side], spent / count * 1e6)
            found[name] = (best[0], best[1])
    return found


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000, help="calls per turn")
    figures = measure(parser.parse_args().calls)
    print(f"{'signature':34} {'here us':>9} {'stock us':>10} {'ratio':>7}")
    for name, (ours, stock) in figures.items():
        print(f"{name:34} {ours:9.2f} {stock:10.2f} {stock / ours:6.1f}x")


if __name__ == "__main__":
    main()
