"""Damaged components, loaded, instantiated and called as the host does it.

In: the number of a mutant. Out: the stage that it reached. Whatever a damaged component does is
answered with an error of this library; any other exception is a fault of the host, and so are a
crash and a call that does not come back.

    python -m tests.host.runtime.mutants 100000 [--first N] [folder of components ...]

runs many in child processes, with what fuel and memory a mutant may use bounded, and ends with a
table of stages. Components in the folders, as files ``*.wasm``, ``*.wat`` and ``*.wast``, are
damaged beside those of the tests.
"""

import argparse
import faulthandler
import json
import random
import re
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import wasmtime

from edgezero_spin.errors import EdgeZeroError
from edgezero_spin.host.errors import WitError
from edgezero_spin.host.runtime.component_loading import load_component
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, InstanceLimits, make_engine
from edgezero_spin.host.runtime.instance import Instance
from edgezero_spin.host.runtime.interface import Err, HostFunction, Ok, Some
from edgezero_spin.host.runtime.prepared import Imports, PreparedComponent
from edgezero_spin.host.runtime.resources import ResourceTable
from edgezero_spin.wasm.component.linked import (
    ComponentExport,
    ExportedInstance,
    ImportedFunction,
    LiftedFunction,
)
from edgezero_spin.wasm.component.types import (
    BorrowType,
    EnumType,
    FlagsType,
    ListType,
    OptionType,
    OwnType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    ValueType,
    VariantType,
)
from tests.host.load.dependency_texts import counting_provider, identity_provider
from tests.host.runtime.test_async_calls import BLOCKING_WRITER, CALLER, READER, WRITER
from tests.host.runtime.test_handles import GUEST_RESOURCE, things_text
from tests.host.runtime.test_values import SHAPES
from tests.host.runtime.wat import CALL, echo_text
from tests.wasm.component.test_linking import NESTED, USER

__all__ = ["Stage", "mutant_engine", "own_seeds", "run_mutant"]

LIMITS = InstanceLimits(memory_bytes=4 << 20, fuel=200_000, deadline_s=20)
LONGEST_S = 120
"""Seconds after which a mutant counts as hanging: the process tells where, and ends."""

_ODD_BYTES = (0, 1, 2, 3, 4, 0x10, 0x40, 0x7F, 0x80, 0xFE, 0xFF)
_NUMBER = re.compile(rb"(?<![a-z-])[\x20\x41\x42](?![a-z-])(?=.)", re.DOTALL)
"""Opcodes with a number behind them: ``local.get``, ``i32.const``, ``i64.const``."""
_ODD_NUMBERS = (0, 1, -1, 7, 8, 127, 255, 1023, 65535, 65536, 1 << 31, (1 << 32) - 1)


class Stage(Enum):
    """How far a mutant came."""

    REFUSED = "refused while it was loaded"
    LINKED = "refused while it was linked to the host"
    INSTANTIATED = "stopped while it was instantiated"
    CALLED = "called, every call failed"
    RETURNED = "called, some calls returned"


def mutant_engine() -> Engine:
    """Return an engine that counts fuel."""
    return make_engine(EngineSettings(pooling=False, fuel=True))


def own_seeds() -> list[bytes]:
    """Return the components of the tests: each value type, resources, nesting, streams."""
    texts = [echo_text(shape.type_, shape.flat, shape.named) for shape in SHAPES.values()]
    texts += [USER, NESTED, CALL, CALLER, READER, WRITER, BLOCKING_WRITER, GUEST_RESOURCE]
    texts += [things_text("test:first/api", "test:second/api"), counting_provider()]
    texts += [identity_provider("(list (tuple string u64))", "i32 i32")]
    return [bytes(wasmtime.wat2wasm(text)) for text in texts]


def run_mutant(engine: Engine, seeds: Sequence[bytes], number: int, file: Path) -> Stage:
    """Damage a component, and load, instantiate and call what comes of it.

    Args:
        number: Decides which component is damaged, and how.
        file: Where to put it.

    Raises:
        BaseException: What no component may cause.
    """
    chance = random.Random(number)
    file.write_bytes(damaged(chance, seeds))
    try:
        form = load_component(engine, file).code
        assert form is not None
    except EdgeZeroError:
        return Stage.REFUSED
    try:
        prepared = PreparedComponent(
            engine, form.linked, _RandomHost(chance), form.modules.__getitem__
        )
    except EdgeZeroError:
        return Stage.LINKED
    with prepared:
        return _run(prepared, chance)


def damaged(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return one of the components, changed in one to four places."""
    content = bytearray(chance.choice(seeds))
    numbers = [found.end() for found in _NUMBER.finditer(content)]
    if chance.random() < 0.6:
        # What is likely to stay valid, so that it is called.
        for at in chance.sample(numbers, min(chance.choice([1, 2, 4]), len(numbers))):
            most = 4 if content[at - 1] == 0x20 else 128
            content[at] = chance.randrange(most) | (content[at] & 0x80)
        return bytes(content)
    for _ in range(chance.choice([1, 1, 1, 2, 3, 4])):
        at = chance.randrange(8, len(content))
        match chance.randrange(8):
            case 0:
                del content[at : at + chance.choice([1, 1, 2, 8])]
            case 1:
                content[at:at] = bytes(chance.choices(_ODD_BYTES, k=chance.choice([1, 2, 5])))
            case 2:
                other = chance.choice(seeds)
                start = chance.randrange(len(other))
                piece = other[start : start + chance.choice([1, 4, 16, 64])]
                content[at : at + len(piece)] = piece
            case 3 | 4:
                content[at] = (content[at] + chance.choice([-1, 1])) % 256
            case 5:
                content[at] ^= 1 << chance.randrange(8)
            case _:
                content[at] = chance.choice([*_ODD_BYTES, chance.randrange(256)])
        if len(content) <= 8:
            break
    return bytes(content)


def _run(prepared: PreparedComponent, chance: random.Random) -> Stage:
    """Call every export three times, on an instance that is new after each failure."""
    exports = list(_functions(prepared.linked.exports)) * 3
    stage, left = Stage.INSTANTIATED, exports
    for _ in range(len(exports) + 1):
        try:
            with prepared.instantiate(_State(), LIMITS) as instance:
                if stage is Stage.INSTANTIATED:
                    stage = Stage.CALLED
                while left:
                    (interface, name, lifted), *left = left
                    if _call(instance, interface, name, lifted, chance):
                        stage = Stage.RETURNED
        except EdgeZeroError:
            pass
        if not left or stage is Stage.INSTANTIATED:
            break
    return stage


def _functions(
    exports: Mapping[str, ComponentExport], interface: str | None = None
) -> Iterator[tuple[str | None, str, LiftedFunction]]:
    for name, export in exports.items():
        if isinstance(export, LiftedFunction):
            yield interface, name, export
        elif isinstance(export, ExportedInstance) and interface is None:
            yield from _functions(export.exports, name)


def _call(
    instance: Instance,
    interface: str | None,
    name: str,
    lifted: LiftedFunction,
    chance: random.Random,
) -> bool:
    """Call an export; tell whether it returned, raise what ended the instance."""
    arguments = [value(part, chance) for _, part in lifted.type.parameters]
    try:
        instance.call(interface, name, *arguments)
    except WitError:
        return True
    except EdgeZeroError:
        if instance.trapped:
            raise
        return False
    return True


class _State:
    def __init__(self) -> None:
        self.table = ResourceTable()


class _Thing:
    """What the host gives a guest as a resource."""


class _RandomHost(Imports):
    """Answers every call with a value of its type, and now and then with another."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def function(self, imported: ImportedFunction) -> HostFunction | None:
        chance, result = self._chance, imported.type.result
        if chance.random() < 0.02:
            return None

        def answer(state: object, *arguments: object) -> Any:
            if result is None:
                return None
            if arguments and chance.random() < 0.3:
                return chance.choice(arguments)
            if isinstance(result, ResultType):
                if chance.random() < 0.2:
                    raise WitError(_optional(result.error, chance))
                return _optional(result.ok, chance)
            return value(result, chance)

        return answer


def value(type_: ValueType, chance: random.Random) -> Any:
    """Return a value of a type, and now and then one of none."""
    if chance.random() < 0.01:
        return chance.choice([None, -1, 1 << 80, "\ud800", [], (), ("x", 1), object()])
    match type_:
        case Primitive.BOOL:
            return chance.random() < 0.5
        case Primitive.STRING:
            return "".join(chance.choices("aé€😀\0", k=chance.choice([0, 1, 9, 2000])))
        case Primitive.CHAR:
            return chance.choice("aé€😀\0")
        case Primitive.F32 | Primitive.F64:
            return chance.choice([0.0, -1.5, float("nan"), float("inf")])
        case Primitive():
            return chance.choice(_ODD_NUMBERS)
        case ListType(Primitive.U8, length):
            return chance.randbytes(min(_length(length, chance), 1 << 20))
        case ListType(element, length):
            return [value(element, chance) for _ in range(min(_length(length, chance), 1000))]
        case TupleType(elements):
            return tuple(value(element, chance) for element in elements)
        case RecordType(fields):
            return {name: value(part, chance) for name, part in fields}
        case EnumType(labels):
            return chance.choice(labels)
        case FlagsType(labels):
            return frozenset(chance.sample(labels, chance.randint(0, len(labels))))
        case OptionType(payload):
            found = None if chance.random() < 0.5 else value(payload, chance)
            return Some(found) if isinstance(payload, OptionType) and found is not None else found
        case ResultType(ok, error):
            good = chance.random() < 0.5
            return Ok(_optional(ok, chance)) if good else Err(_optional(error, chance))
        case VariantType(cases):
            label, payload_type = chance.choice(cases)
            return label, _optional(payload_type, chance)
        case OwnType() | BorrowType():
            return _Thing()
    return None


def _optional(type_: ValueType | None, chance: random.Random) -> Any:
    return None if type_ is None else value(type_, chance)


def _length(length: int | None, chance: random.Random) -> int:
    return chance.choice([0, 1, 3, 40]) if length is None else length


# The command


def main(arguments: list[str]) -> int:
    """Run many mutants; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.host.runtime.mutants")
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("folders", nargs="*", type=Path)
    given = parser.parse_intermixed_args(arguments)
    if given.child:
        _child(given.first, given.count, given.folders)
        return 0
    return _watch(given.first, given.count, given.folders)


def _child(first: int, count: int, folders: Sequence[Path]) -> None:
    """Run mutants and write a line before and after each."""
    seeds = own_seeds() + list(_seeds_in(folders))
    with mutant_engine() as engine, tempfile.TemporaryDirectory() as folder:
        for number in range(first, first + count):
            print(json.dumps({"begins": number}), flush=True)
            faulthandler.dump_traceback_later(LONGEST_S, exit=True)
            fault, stage = "", None
            try:
                stage = run_mutant(engine, seeds, number, Path(folder) / "mutant.wasm").name
            except BaseException:
                fault = traceback.format_exc()
            print(json.dumps({"ends": number, "stage": stage, "fault": fault}), flush=True)


def _seeds_in(folders: Sequence[Path]) -> Iterator[bytes]:
    tool = Path(sys.executable).parent / "wasm-tools"
    for file in sorted(part for folder in folders for part in folder.rglob("*.wa*")):
        if file.suffix == ".wasm":
            yield file.read_bytes()
        elif file.suffix == ".wat":
            yield bytes(wasmtime.wat2wasm(file.read_text()))
        elif file.suffix == ".wast":
            with tempfile.TemporaryDirectory() as folder:
                split = [
                    str(tool),
                    "json-from-wast",
                    str(file),
                    "-o",
                    f"{folder}/s",
                    "--wasm-dir",
                    folder,
                ]
                subprocess.run(split, check=False, capture_output=True)
                for part in sorted(Path(folder).glob("*.wasm")):
                    content = part.read_bytes()
                    if content[6:8] == b"\x01\0" and len(content) > 8:
                        yield content


def _watch(first: int, count: int, folders: Sequence[Path]) -> int:
    """Run mutants in child processes, a new one after each crash; print what came of them."""
    stages: Counter[str] = Counter()
    faults: dict[str, list[int]] = {}
    at, end = first, first + count
    while at < end:
        for number, stage, fault in _children(at, min(end - at, 2000), folders):
            at = number + 1
            if stage is not None:
                stages[stage] += 1
                continue
            where = [line for line in fault.splitlines() if line.strip()][-3:]
            known = faults.setdefault("\n".join(where), [])
            known.append(number)
            if len(known) == 1:
                print(f"mutant {number}:\n{fault}", flush=True)
    print("\n| mutants | |\n|---|---|")
    for kind in Stage:
        print(f"| {kind.value} | {stages[kind.name]} |")
    print(f"| faults of the host | {sum(map(len, faults.values()))} |")
    for text, numbers in faults.items():
        print(f"\n{len(numbers)} times, {numbers[:5]}:\n{text}")
    return 1 if faults else 0


def _children(
    first: int, count: int, folders: Sequence[Path]
) -> Iterator[tuple[int, str | None, str]]:
    """Yield number, stage and fault of the mutants of one process, to its end or a crash."""
    command = [sys.executable, "-m", "tests.host.runtime.mutants", str(count), "--child"]
    command += ["--first", str(first), *map(str, folders)]
    begun: int | None = None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said = json.loads(line)
            if "begins" in said:
                begun = said["begins"]
            else:
                begun = None
                yield said["ends"], said["stage"], said["fault"]
        status = process.wait()
    if begun is not None:
        yield begun, None, f"the process ended with {status}"
    elif status:
        raise RuntimeError(f"the child process ended with {status}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
