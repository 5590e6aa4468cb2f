"""Two modules that a fuzzer made, instantiated as they are and fused, and compared.

``wasm-tools smith`` turns bytes into a valid module. The second module of a pair imports from
the first. Both forms are called with the same arguments in the same order; results, traps and
memories have to be the same, and ``wasm-tools validate`` has to accept every fused module.

    python -m tests.wasm.fuse.generated 1000

compares so many pairs.
"""

import json
import math
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import attrs
import wasmtime

from edgezero_spin.wasm.binary import MODULE, number_bytes, section_bytes, text_bytes, vector_bytes
from edgezero_spin.wasm.component.definitions import CoreExternType
from edgezero_spin.wasm.component.linked import (
    ComponentExport,
    CoreExport,
    CoreImport,
    CoreInstance,
    LiftedFunction,
    LinkedComponent,
    LinkedInstance,
    Options,
)
from edgezero_spin.wasm.component.types import FunctionType
from edgezero_spin.wasm.core_module import read_core_module
from edgezero_spin.wasm.fuse.encoding import limits_bytes
from edgezero_spin.wasm.fuse.fusing import fuse

WASM_TOOLS = shutil.which("wasm-tools", path=str(Path(sys.executable).parent))

OPTIONS = {
    "export-everything": True,
    "canonicalize-nans": True,
    "gc-enabled": False,
    "threads-enabled": False,
    "shared-everything-threads-enabled": False,
    "memory64-enabled": False,
    "custom-page-sizes-enabled": False,
    "custom-descriptors-enabled": False,
    "compact-imports-enabled": False,
    "relaxed-simd-enabled": False,
    "wide-arithmetic-enabled": False,
    "exceptions-enabled": False,
    "tail-call-enabled": True,
    "multi-value-enabled": True,
    "simd-enabled": True,
    "bulk-memory-enabled": True,
    "reference-types-enabled": True,
    "extended-const-enabled": True,
    "min-funcs": 3,
    "max-funcs": 12,
    "max-memories": 3,
    "max-tables": 3,
    "max-table-elements": 1000,
    "max-memory32-bytes": 1 << 20,
    "memory-max-size-required": True,
    "table-max-size-required": True,
    "max-instructions": 200,
}


@attrs.frozen
class Outcome:
    """What a call came to.

    Attributes:
        values: The results, floats by their bits.
        trap: The engine's code of a trap.
        memories: The bytes of all memories afterwards, hashed.
    """

    values: tuple[object, ...] = ()
    trap: object = None
    memories: tuple[int, ...] = ()


def engine() -> wasmtime.Engine:
    """Return an engine that takes what the fuzzer makes."""
    config = wasmtime.Config()
    config.wasm_multi_memory = True
    config.wasm_tail_call = True
    config.wasm_simd = True
    config.wasm_exceptions = True
    return wasmtime.Engine(config)


def smith(seed: random.Random, **more: object) -> bytes:
    """Return a valid module."""
    options = [
        f"--{name.replace('_', '-')}={json.dumps(value) if not isinstance(value, str) else value}"
        for name, value in (OPTIONS | more).items()
    ]
    made = subprocess.run(
        [str(WASM_TOOLS), "smith", "--ensure-termination", *options],
        input=seed.randbytes(seed.choice([4000, 20000, 60000])),
        capture_output=True,
        check=True,
    )
    return made.stdout


def pair(number: int, folder: Path) -> LinkedComponent:
    """Return a component of two generated modules, linked."""
    seed = random.Random(number)
    padded = seed.choice([1, 1, 5])
    first = smith(seed, allow_start_export=seed.random() < 0.3, max_imports=0, min_uleb_size=padded)
    offered = folder / "offered.wasm"
    offered.write_bytes(_offering(first))
    second = smith(
        seed,
        **{
            "available-imports": str(offered),
            "allow-start-export": seed.random() < 0.3,
            "min-uleb-size": padded,
        },
    )
    imports = tuple(
        CoreImport(module, name, CoreExport(0, name))
        for module, name, _ in read_core_module(second).imports
    )
    cores = (CoreInstance(0, first, ()), CoreInstance(0, second, imports))
    exports: dict[str, ComponentExport] = {}
    for at, core in enumerate(cores):
        content = read_core_module(core.module)
        memories = [CoreExport(at, name) for name, kind, _ in content.exports if kind == 2]
        for name, kind, index in content.exports:
            # The Python interface of the engine aborts the process for vectors.
            if kind == 0 and b"\x7b" not in _values(content.spaces[0][index]):
                memory = memories[len(exports) % len(memories)] if memories else None
                options = Options(memory=memory)
                exports[f"{at}.{name}"] = LiftedFunction(
                    0, CoreExport(at, name), FunctionType((), None), options
                )
    return LinkedComponent((), {}, (LinkedInstance(),), cores, exports)


def _values(type_: CoreExternType) -> tuple[bytes, ...]:
    assert type_.function is not None
    return type_.function.parameters + type_.function.results


def _offering(module: bytes) -> bytes:
    """Return a module that imports everything that a module exports."""

    content = read_core_module(module)
    types = list(dict.fromkeys(content.types))
    items = []
    for name, kind, index in content.exports:
        type_ = content.spaces[kind][index]
        code = type_.value
        if type_.limits is not None:
            code += limits_bytes(type_.limits)
        elif type_.function is not None:
            code += number_bytes(types.index(type_.function))
        else:
            code += bytes([type_.is_mutable])
        items.append(text_bytes("first") + text_bytes(name) + bytes([kind]) + code)
    kinds = [b"\x60" + vector_bytes(t.parameters) + vector_bytes(t.results) for t in types]
    return MODULE + section_bytes(1, vector_bytes(kinds)) + section_bytes(2, vector_bytes(items))


class Running:
    """A linked component, instantiated."""

    def __init__(self, engine: wasmtime.Engine, linked: LinkedComponent) -> None:
        self.linked = linked
        self.store = wasmtime.Store(engine)
        self.instances: list[wasmtime.Instance] = []
        self.failure: object = None
        try:
            for each in linked.core_instances:
                imports = [self.export(given.source) for given in each.imports]
                module = wasmtime.Module(engine, each.module)
                instance = wasmtime.Instance(self.store, module, imports)
                self.instances.append(instance)
                if each.start is not None:
                    self.export(CoreExport(len(self.instances) - 1, each.start))(self.store)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            self.failure = _code(error)

    def export(self, source: object) -> Any:
        """Return what a core instance exports."""
        assert isinstance(source, CoreExport)
        return self.instances[source.instance].exports(self.store)[source.name]

    def call(self, name: str, arguments: list[object]) -> Outcome:
        """Call an export."""
        lifted = self.linked.exports[name]
        assert isinstance(lifted, LiftedFunction)
        try:
            found = self.export(lifted.core)(self.store, *arguments)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            return Outcome(trap=_code(error), memories=self.memories())
        values = found if isinstance(found, list) else [found]
        return Outcome(tuple(map(_comparable, values)), memories=self.memories())

    def memories(self) -> tuple[int, ...]:
        """Return a hash of each memory."""
        found = []
        for each in self.linked.exports.values():
            if isinstance(each, LiftedFunction) and each.options.memory is not None:
                memory = self.export(each.options.memory)
                found.append(hash(bytes(memory.read(self.store))))
        return tuple(found)

    def parameters(self, name: str) -> list[str]:
        """Return the types of an export's parameters."""
        lifted = self.linked.exports[name]
        assert isinstance(lifted, LiftedFunction)
        function = self.export(lifted.core)
        return [str(each) for each in function.type(self.store).params]


def _code(error: Exception) -> object:
    return error.trap_code if isinstance(error, wasmtime.Trap) else "error"


def _comparable(value: object) -> object:
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value.hex()
    return value if isinstance(value, int | None) else "reference"


def _argument(kind: str, seed: random.Random) -> object:
    if kind in ("i32", "i64"):
        return seed.choice([0, 1, -1, seed.randrange(-(1 << 31), 1 << 31), 100])
    return seed.choice([0.0, 1.5, -3.0]) if kind in ("f32", "f64") else None


def differences(linked: LinkedComponent, number: int, engine: wasmtime.Engine) -> list[str]:
    """Return where a component as it is, fused, and split do not behave alike."""
    found: list[str] = []
    for split_from in (None, 0):
        fused = fuse(linked, split_from=split_from)
        found += [invalid for core in fused.core_instances if (invalid := _invalid(core.module))]
        found += _differences(linked, fused, number, engine)
    return found


def _invalid(module: bytes) -> str:
    """Return what ``wasm-tools`` finds wrong with a module, nothing if it is valid."""
    command = [str(WASM_TOOLS), "validate", "--features", "all", "-"]
    return subprocess.run(command, input=module, capture_output=True, check=False).stderr.decode()


def _differences(
    linked: LinkedComponent, other: LinkedComponent, number: int, engine: wasmtime.Engine
) -> list[str]:
    plain, fused = Running(engine, linked), Running(engine, other)
    if plain.failure or fused.failure:
        same = plain.failure == fused.failure
        return [] if same else [f"instantiating: {plain.failure} and {fused.failure}"]
    seed = random.Random(number)
    found: list[str] = []
    for _ in range(2):
        for name in linked.exports:
            kinds = plain.parameters(name)
            arguments = [_argument(kind, seed) for kind in kinds]
            outcomes = plain.call(name, arguments), fused.call(name, arguments)
            if wasmtime.TrapCode.STACK_OVERFLOW in (outcomes[0].trap, outcomes[1].trap):
                return found
            if outcomes[0] != outcomes[1]:
                found.append(f"{name}{arguments}: {outcomes[0]} and {outcomes[1]}")
    return found


if __name__ == "__main__":
    wasm = engine()
    with tempfile.TemporaryDirectory() as made:
        for each in range(int(sys.argv[1])):
            problems = differences(pair(each, Path(made)), each, wasm)
            if problems:
                sys.exit(f"pair {each}:\n" + "\n".join(problems))
    print(f"{sys.argv[1]} pairs behave alike, and every fused module is valid")
