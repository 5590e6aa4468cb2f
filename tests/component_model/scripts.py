"""Test scripts of the component model: ``.wast`` files, run on this host's runtime.

In: a script that ``wasm-tools json-from-wast`` has split into commands and binaries. Out: an
``Outcome`` for each assertion in it.

Source: ``test/README.md`` in WebAssembly/component-model.
"""

import json
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import wasmtime

from edgezero_spin.errors import EdgeZeroError
from edgezero_spin.host.errors import GuestTrapped, InstanceError, LinkError, WitError
from edgezero_spin.host.runtime.engine import Engine
from edgezero_spin.host.runtime.instance import Instance
from edgezero_spin.host.runtime.interface import Err, Ok, Some
from edgezero_spin.host.runtime.prepared import Imports, PreparedComponent
from edgezero_spin.host.runtime.resources import ResourceTable
from edgezero_spin.wasm.component.linked import LiftedFunction
from edgezero_spin.wasm.component.linking import link, unused_modules, validate
from edgezero_spin.wasm.component.reader import read_component
from edgezero_spin.wasm.component.types import (
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    ValueType,
    VariantType,
)

__all__ = ["Outcome", "run_script", "split_script"]


SAME_TRAPS = {
    "unaligned pointer": "result not aligned",
    "list content out-of-bounds": "realloc return: beyond end of memory",
    "string pointer/length out of bounds of memory": "string content out-of-bounds",
    "incomplete utf-8 byte sequence": "invalid utf-8",
    "handle index 1 used with the wrong type, expected guest-defined resource but found a "
    "different guest-defined resource": "handle index 1 used with the wrong type",
}
"""What the scripts call a trap, and what this host calls the same one.

Scripts quote wasmtime, which has two texts for some: between components and from the host.
"""


@attrs.frozen
class Outcome:
    """What came of one command.

    Attributes:
        command: Its type, ``assert_return``.
        line: Where it stands.
        problem: What was not as the script says; empty if all was.
    """

    command: str
    line: int
    problem: str = ""


class _State:
    def __init__(self) -> None:
        self.table = ResourceTable()


def split_script(tool: Path, script: Path, folder: Path) -> list[dict[str, Any]]:
    """Return the commands of a script; the binaries lie in the folder afterwards."""
    target = folder / "script.json"
    subprocess.run(
        [tool, "json-from-wast", script, "-o", target, "--wasm-dir", folder],
        check=True,
        capture_output=True,
    )
    commands: list[dict[str, Any]] = json.loads(target.read_text())["commands"]
    return commands


def run_script(engine: Engine, commands: list[dict[str, Any]], folder: Path) -> Iterator[Outcome]:
    """Run the commands in order and yield what came of each."""
    run = _Run(engine, folder)
    for command in commands:
        try:
            problem = run.command(command)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        yield Outcome(command["type"], command["line"], problem)


class _Run:
    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder
        self._definitions: dict[str | None, PreparedComponent] = {}
        self._instances: dict[str | None, tuple[PreparedComponent, Instance]] = {}

    def command(self, command: dict[str, Any]) -> str:
        """Run a command and return what went wrong, or nothing."""
        match command["type"]:
            case "module":
                self._instantiate(command.get("name"), self._read(command))
            case "module_definition":
                self._definitions[command.get("name")] = self._read(command)
            case "module_instance":
                definition = self._definitions[command["module"]]
                self._instantiate(command.get("instance"), definition)
            case "action":
                self._invoke(command["action"])
            case "assert_return":
                return self._assert_return(command)
            case "assert_trap":
                return self._assert_trap(command["text"], lambda: self._invoke(command["action"]))
            case "assert_uninstantiable":
                component = self._read(command)
                return self._assert_trap(command["text"], lambda: component.instantiate(_State()))
            case "assert_invalid" | "assert_malformed":
                return self._assert_invalid(command)
            case other:
                return f"unknown command {other}"
        return ""

    def _read(self, command: dict[str, Any]) -> PreparedComponent:
        wasm = (self._folder / command["filename"]).read_bytes()
        component = read_component(wasm)
        validate(component)
        linked = link(component)
        for module in unused_modules(component, linked):
            wasmtime.Module.validate(self._engine.native, module)
        return PreparedComponent(
            self._engine,
            linked,
            Imports(),
            lambda wasm: wasmtime.Module(self._engine.native, wasm),
        )

    def _instantiate(self, name: str | None, component: PreparedComponent) -> None:
        # A later instance takes the name, and is what actions without a name mean.
        found = component, component.instantiate(_State())
        self._instances[name] = self._instances[None] = found

    def _invoke(self, action: dict[str, Any]) -> Any:
        component, instance = self._instances[action.get("module")]
        lifted = component.linked.exports[action["field"]]
        if not isinstance(lifted, LiftedFunction):
            raise KeyError(action["field"])
        types = [part for _, part in lifted.type.parameters]
        values = [
            _value(part, given["value"])
            for part, given in zip(types, action.get("args", []), strict=True)
        ]
        try:
            result = instance.call(None, action["field"], *values)
        except WitError as error:
            return Err(error.payload)
        except InstanceError as error:
            if "earlier call" in str(error):
                raise GuestTrapped("wasm trap: cannot enter component instance") from error
            raise
        return Ok(result) if isinstance(lifted.type.result, ResultType) else result

    def _assert_return(self, command: dict[str, Any]) -> str:
        component, _ = self._instances[command["action"].get("module")]
        lifted = component.linked.exports[command["action"]["field"]]
        result = lifted.type.result if isinstance(lifted, LiftedFunction) else None
        found = self._invoke(command["action"])
        given = command.get("expected", [])
        expected = None if result is None else _value(result, given[0]["value"])
        return "" if _equal(found, expected) else f"returned {found!r}, not {expected!r}"

    def _assert_trap(self, text: str, act: Any) -> str:
        try:
            found = act()
        except GuestTrapped as error:
            said = f"{error} {error.backtrace}"
            wanted = text.removeprefix("wasm trap: ")
            names = [name for name in (wanted, SAME_TRAPS.get(wanted)) if name is not None]
            return (
                ""
                if any(name in said for name in names)
                else f"trapped with {str(error)!r}, not {text!r}"
            )
        return f"returned {found!r}, and did not trap with {text!r}"

    def _assert_invalid(self, command: dict[str, Any]) -> str:
        if command["module_type"] == "text":
            return ""
        try:
            self._read(command)
        except LinkError as error:
            return f"refused while it was prepared: {error}"
        except (EdgeZeroError, ValueError, wasmtime.WasmtimeError):
            return ""
        return f"was accepted: {command['text']}"


def _equal(found: Any, expected: Any) -> bool:
    if isinstance(expected, float) and expected != expected:
        return isinstance(found, float) and found != found
    return bool(found == expected)


def _value(type_: ValueType, given: Any) -> Any:
    """Return the Python form of a value in a script."""
    match type_:
        case Primitive.BOOL | Primitive.STRING | Primitive.CHAR:
            return given
        case Primitive.F32:
            return struct.unpack("<f", struct.pack("<I", int(given)))[0]
        case Primitive.F64:
            return struct.unpack("<d", struct.pack("<Q", int(given)))[0]
        case Primitive():
            return int(given)
        case ListType(Primitive.U8):
            return bytes(int(part["value"]) for part in given)
        case ListType(element):
            return [_value(element, part["value"]) for part in given]
        case TupleType(elements):
            parts = zip(elements, given, strict=True)
            return tuple(_value(element, part["value"]) for element, part in parts)
        case RecordType(fields):
            values = dict(given)
            return {name: _value(part, values[name]["value"]) for name, part in fields}
        case VariantType(cases):
            payload = dict(cases)[given["case"]]
            return given["case"], _payload(payload, given.get("payload"))
        case OptionType(payload):
            if given is None:
                return None
            value = _value(payload, given["value"])
            return Some(value) if isinstance(payload, OptionType) else value
        case ResultType(ok, error):
            if "Ok" in given:
                return Ok(_payload(ok, given["Ok"]))
            return Err(_payload(error, given["Err"]))
    return frozenset(given) if isinstance(given, list) else given


def _payload(type_: ValueType | None, given: Any) -> Any:
    return None if type_ is None else _value(type_, given["value"])
