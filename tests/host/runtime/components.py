"""Small asynchronous components, written as text."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import wasmtime

from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.host.runtime.instance import Instance
from edgezero_spin.host.runtime.prepared import Imports, PreparedComponent
from edgezero_spin.host.runtime.resources import ResourceTable
from edgezero_spin.wasm.component.linked import ImportedFunction
from edgezero_spin.wasm.component.linking import link, validate
from edgezero_spin.wasm.component.reader import read_component

__all__ = ["Functions", "builtins_of", "component", "instance_of"]

_BUILTINS = {
    "task.return": ("(canon task.return (core func $task.return))", ""),
    "task.return-u32": (
        "(canon task.return (result u32) (core func $task.return-u32))",
        "(param i32)",
    ),
    "task.cancel": ("(canon task.cancel (core func $task.cancel))", ""),
    "context.get": ("(canon context.get i32 0 (core func $context.get))", "(result i32)"),
    "context.set": ("(canon context.set i32 0 (core func $context.set))", "(param i32)"),
    "backpressure.inc": ("(canon backpressure.inc (core func $backpressure.inc))", ""),
    "backpressure.dec": ("(canon backpressure.dec (core func $backpressure.dec))", ""),
    "set.new": ("(canon waitable-set.new (core func $set.new))", "(result i32)"),
    "set.drop": ("(canon waitable-set.drop (core func $set.drop))", "(param i32)"),
    "set.wait": (
        '(canon waitable-set.wait (memory (core memory $m "mem")) (core func $set.wait))',
        "(param i32 i32) (result i32)",
    ),
    "set.poll": (
        '(canon waitable-set.poll (memory (core memory $m "mem")) (core func $set.poll))',
        "(param i32 i32) (result i32)",
    ),
    "join": ("(canon waitable.join (core func $join))", "(param i32 i32)"),
    "subtask.drop": ("(canon subtask.drop (core func $subtask.drop))", "(param i32)"),
    "subtask.cancel": (
        "(canon subtask.cancel async (core func $subtask.cancel))",
        "(param i32) (result i32)",
    ),
    "stream.new": ("(canon stream.new $S (core func $stream.new))", "(result i64)"),
    "stream.read": (
        '(canon stream.read $S async (memory (core memory $m "mem")) (core func $stream.read))',
        "(param i32 i32 i32) (result i32)",
    ),
    "stream.read-sync": (
        '(canon stream.read $S (memory (core memory $m "mem")) (core func $stream.read-sync))',
        "(param i32 i32 i32) (result i32)",
    ),
    "stream.write": (
        '(canon stream.write $S async (memory (core memory $m "mem")) (core func $stream.write))',
        "(param i32 i32 i32) (result i32)",
    ),
    "stream.write-sync": (
        '(canon stream.write $S (memory (core memory $m "mem")) (core func $stream.write-sync))',
        "(param i32 i32 i32) (result i32)",
    ),
    "stream.cancel-read": (
        "(canon stream.cancel-read $S (core func $stream.cancel-read))",
        "(param i32) (result i32)",
    ),
    "stream.drop-readable": (
        "(canon stream.drop-readable $S (core func $stream.drop-readable))",
        "(param i32)",
    ),
    "stream.drop-writable": (
        "(canon stream.drop-writable $S (core func $stream.drop-writable))",
        "(param i32)",
    ),
    "texts.new": ("(canon stream.new $T (core func $texts.new))", "(result i64)"),
    "texts.read": (
        '(canon stream.read $T async (memory (core memory $m "mem")) '
        '(realloc (core func $m "realloc")) (core func $texts.read))',
        "(param i32 i32 i32) (result i32)",
    ),
    "texts.write": (
        '(canon stream.write $T async (memory (core memory $m "mem")) (core func $texts.write))',
        "(param i32 i32 i32) (result i32)",
    ),
    "words.new": ("(canon stream.new $W (core func $words.new))", "(result i64)"),
    "words.read": (
        '(canon stream.read $W async (memory (core memory $m "mem")) (core func $words.read))',
        "(param i32 i32 i32) (result i32)",
    ),
    "future.new": ("(canon future.new $F (core func $future.new))", "(result i64)"),
    "future.read": (
        '(canon future.read $F async (memory (core memory $m "mem")) (core func $future.read))',
        "(param i32 i32) (result i32)",
    ),
    "future.write": (
        '(canon future.write $F async (memory (core memory $m "mem")) (core func $future.write))',
        "(param i32 i32) (result i32)",
    ),
    "future.drop-readable": (
        "(canon future.drop-readable $F (core func $future.drop-readable))",
        "(param i32)",
    ),
    "future.drop-writable": (
        "(canon future.drop-writable $F (core func $future.drop-writable))",
        "(param i32)",
    ),
}

_MEMORY = """
  (core module $M
    (memory (export "mem") 1)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $m (instantiate $M))
  (type $S (stream u8))
  (type $T (stream string))
  (type $W (stream u32))
  (type $F (future u8))
"""


def builtins_of(code: str) -> list[str]:
    """Return the built-ins that a piece of code calls."""
    return [name for name in _BUILTINS if re.search(rf"\(call \${re.escape(name)}[\s)]", code)]


def component(
    code: str, lifts: str, *, imports: str = "", lowers: Mapping[str, tuple[str, str]] | None = None
) -> str:
    """Return a component with one core module.

    Args:
        code: Fields of the core module; it has the memory and every built-in that it calls.
        lifts: Component functions, whose core functions are exports of ``$i``.
        imports: What the component imports.
        lowers: Core functions that are not built-ins: definition and core type, by name.
    """
    used = {name: _BUILTINS[name] for name in builtins_of(code)} | dict(lowers or {})
    core = "\n".join(
        f'(import "" "{name}" (func ${name} {type_}))' for name, (_, type_) in used.items()
    )
    given = "\n".join(f'(export "{name}" (func ${name}))' for name in used)
    return f"""(component
  {imports}
  {_MEMORY}
  {"".join(definition for definition, _ in used.values())}
  (core module $C
    (import "" "mem" (memory 1))
    {core}
    {code})
  (core instance $i (instantiate $C (with "" (instance
    (export "mem" (memory $m "mem"))
    {given}))))
  {lifts})"""


class Functions(Imports):
    """Functions of the host, by the last part of their path."""

    def __init__(self, functions: Mapping[str, Callable[..., Any]]) -> None:
        self._functions = functions

    def function(self, imported: ImportedFunction) -> Callable[..., Any] | None:
        """Return the function of that name."""
        return self._functions.get(imported.path[-1])


class _State:
    def __init__(self) -> None:
        self.table = ResourceTable()


@contextmanager
def instance_of(
    engine: Engine, source: str | bytes, functions: Mapping[str, Callable[..., Any]] | None = None
) -> Iterator[Instance]:
    """Yield an instance of a component, given as text or in binary form."""
    read = read_component(source if isinstance(source, bytes) else bytes(wasmtime.wat2wasm(source)))
    validate(read)
    prepared = PreparedComponent(
        engine,
        link(read),
        Functions(functions or {}),
        lambda wasm: wasmtime.Module(engine.native, wasm),
    )
    with prepared, prepared.instantiate(_State()) as instance:
        yield instance
