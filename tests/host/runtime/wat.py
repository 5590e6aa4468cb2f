"""Small components as text: one that echoes any WIT type through the host, and the parts of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.host.runtime.component_loading import CompiledComponent, load_component
from edgezero_spin.host.runtime.engine import Engine, InstanceLimits
from edgezero_spin.host.runtime.instance import Instance
from edgezero_spin.host.runtime.interface import HostFunction, Interface
from edgezero_spin.host.runtime.linking import link
from edgezero_spin.host.runtime.prepared import PreparedComponent
from edgezero_spin.host.runtime.resources import ResourceTable

__all__ = [
    "CALL",
    "HOST",
    "MEMORY",
    "State",
    "echo_text",
    "function_text",
    "instance_of",
    "linked_to",
    "loaded",
]

HOST = "test:host/api"

MEMORY = """
  (core module $memory-module
    (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 1024))
    (func (export "reset") (global.set $top (i32.const 1024)))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32) (local $missing i32)
      (local.set $at (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
      (global.set $top (i32.add (local.get $at) (local.get 3)))
      (local.set $missing (i32.sub (global.get $top)
        (i32.mul (memory.size) (i32.const 65536))))
      (if (i32.gt_s (local.get $missing) (i32.const 0))
        (then (drop (memory.grow
          (i32.add (i32.shr_u (local.get $missing) (i32.const 16)) (i32.const 1))))))
      (local.get $at)))
  (core instance $memory-instance (instantiate $memory-module))
  (alias core export $memory-instance "memory" (core memory $memory))
  (alias core export $memory-instance "realloc" (core func $realloc))
  (alias core export $memory-instance "reset" (core func $reset))
"""
"""A memory with an allocator that forgets everything when an export returns."""


def function_text(core: str, type_: str = "(result u32)", core_type: str = "(result i32)") -> str:
    """Return a component that exports ``run`` and imports ``call: func()`` of the host."""
    return f"""
(component
  (import "{HOST}" (instance $host (export "call" (func))))
  (core func $call (canon lower (func $host "call")))
  (core module $module
    (import "host" "call" (func $call))
    (memory (export "memory") 1)
    (func (export "run") {core_type} {core}))
  (core instance $core (instantiate $module
    (with "host" (instance (export "call" (func $call))))))
  (func (export "run") {type_} (canon lift (core func $core "run"))))
"""


CALL = function_text("(call $call) (i32.const 7)")
"""A component that calls the host once and returns 7."""


def echo_text(type_: str, flat: str, definitions: Mapping[str, str] | None = None) -> str:
    """Return a component whose ``echo`` passes its argument to the host's and back.

    Args:
        type_: The WIT type as component text, possibly naming a definition as ``$name``.
        flat: Its core types, ``"i32 i32"`` for a string.
        definitions: Named types that it uses, in order.
    """
    named = dict(definitions or {})
    echoed = type_
    if not type_.startswith("$"):
        named["echoed"] = type_
        echoed = "$echoed"
    exported = "\n".join(
        f'(type ${name}-shape {shape}) (export "{name}" (type ${name} (eq ${name}-shape)))'
        for name, shape in named.items()
    )
    aliases = "\n".join(f'(alias export $host "{name}" (type ${name}))' for name in named)
    count = len(flat.split())
    arguments = " ".join(f"(local.get {index})" for index in range(count))
    if count == 1:
        imported = f"(param {flat}) (result {flat})"
        body = f"(call $echo {arguments})"
        result = flat
    else:
        imported = f"(param {flat} i32)"
        body = f"(call $echo {arguments} (i32.const 16)) (i32.const 16)"
        result = "i32"
    return f"""
(component
  (import "{HOST}" (instance $host
    {exported}
    (export "echo" (func (param "value" {echoed}) (result {echoed})))))
  {aliases}
  {MEMORY}
  (core func $echo-lowered
    (canon lower (func $host "echo") (memory $memory) (realloc $realloc)))
  (core module $main-module
    (import "host" "echo" (func $echo {imported}))
    (import "memory" "reset" (func $reset))
    (func (export "echo") (param {flat}) (result {result}) {body})
    (func (export "done") (param {result}) (call $reset)))
  (core instance $main (instantiate $main-module
    (with "host" (instance (export "echo" (func $echo-lowered))))
    (with "memory" (instance $memory-instance))))
  (func (export "echo") (param "value" {echoed}) (result {echoed})
    (canon lift (core func $main "echo") (memory $memory) (realloc $realloc)
      (post-return (core func $main "done")))))
"""


@attrs.define(eq=False)
class State:
    """The least that an instance needs, and a place for host functions to leave things."""

    table: ResourceTable = attrs.field(factory=ResourceTable)
    seen: list[Any] = attrs.field(factory=list)


def loaded(engine: Engine, folder: Path, text: str) -> CompiledComponent:
    """Return the component in ``text``."""
    path = folder / "component.wat"
    path.write_text(text)
    return load_component(engine, path)


def linked_to(
    engine: Engine,
    folder: Path,
    text: str,
    functions: Mapping[str, HostFunction],
    resources: Mapping[str, type] | None = None,
) -> PreparedComponent:
    """Return the component in ``text``, joined to functions of the interface ``HOST``."""
    interface = Interface(HOST, functions, resources or {})
    return link(engine, loaded(engine, folder, text), {HOST: interface})


def instance_of(linked: PreparedComponent, limits: InstanceLimits | None = None) -> Instance:
    """Return a fresh instance with a fresh state."""
    return linked.instantiate(State(), limits)
