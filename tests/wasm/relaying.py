"""Components as text that pass one call on: their export calls their import, value for value."""

from collections.abc import Mapping

__all__ = ["ALLOCATOR", "PROBLEM", "relay_text"]

ALLOCATOR = """
  (core module $memory-module
    (memory (export "memory") 2)
    (global $top (mut i32) (i32.const 4096))
    (global $asked (mut i32) (i32.const 0))
    (func (export "asked") (result i32) (global.get $asked))
    (func (export "realloc") (param $old i32) (param $size i32) (param $even i32) (param $new i32)
      (result i32) (local $at i32)
      (if (local.get $old) (then (unreachable)))
      (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
      (global.set $asked (local.get $new))
      (global.set $top (i32.add (local.get $at) (local.get $new)))
      (local.get $at)))
"""
"""A memory whose allocator never takes back what it gave, as that of componentize-py."""

PROBLEM = '(variant (case "other" string) (case "gone"))'


def relay_text(
    function: str,
    flat: str,
    *,
    result: str = "",
    definitions: Mapping[str, str] | None = None,
    allocator: str = ALLOCATOR,
    realloc: str = "realloc",
    options: str = "",
    more: str = "",
) -> str:
    """Return a component that exports ``call`` and imports it from ``test:host/api``.

    Args:
        function: The type of both, as component text; it may use the definitions by name.
        flat: Core types of its parameters, ``"i32 i32"`` for a string.
        result: Core type of its result; ``"memory"`` for one that lies there, nothing for none.
        definitions: Named types, by name.
        allocator: A module with ``memory``, ``realloc`` and ``asked``.
        realloc: Which export of it is the allocator.
        options: More options of the import.
        more: More definitions at the end; the import is ``$call`` there.
    """
    named = definitions or {}
    exported = "\n".join(
        f'(type ${name}-shape {shape}) (export "{name}" (type ${name} (eq ${name}-shape)))'
        for name, shape in named.items()
    )
    aliases = "\n".join(f'(alias export $host "{name}" (type ${name}))' for name in named)
    arguments = " ".join(f"(local.get {index})" for index in range(len(flat.split())))
    if result == "memory":
        imported, returned = f"(param {flat} i32)", "(result i32)"
        body = f"(call $call {arguments} (i32.const 64)) (i32.const 64)"
    else:
        returned = f"(result {result})" if result else ""
        imported, body = f"(param {flat}) {returned}", f"(call $call {arguments})"
    return f"""
(component
  (import "test:host/api" (instance $host
    {exported}
    (export "call" (func {function}))))
  {aliases}
  {allocator}
  (core instance $memory-instance (instantiate $memory-module))
  (alias core export $memory-instance "memory" (core memory $memory))
  (alias core export $memory-instance "{realloc}" (core func $realloc))
  (alias export $host "call" (func $call))
  (core func $lowered
    (canon lower (func $call) (memory $memory) (realloc $realloc) {options}))
  (core module $main-module
    (import "host" "call" (func $call {imported}))
    (import "memory" "memory" (memory 0))
    (func (export "call") (param {flat}) {returned} {body}))
  (core instance $main (instantiate $main-module
    (with "host" (instance (export "call" (func $lowered))))
    (with "memory" (instance $memory-instance))))
  (func (export "call") {function}
    (canon lift (core func $main "call") (memory $memory) (realloc $realloc)))
  (func (export "asked") (result u32) (canon lift (core func $memory-instance "asked")))
  {more})
"""
