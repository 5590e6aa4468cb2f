"""Cases that are measured in a process of one checkout: ``PYTHONPATH`` says which.

    python checkout_cases.py instantiate|fuse COMPONENT

It prints seconds of CPU time of the thread. Run by ``benchmarks.checkouts``, also against checkouts
whose modules have other names; so each import says where else to look.
"""

import statistics
import sys
from importlib import import_module
from pathlib import Path
from time import thread_time
from typing import Any

from edgezero_spin.host import Host

BATCH = 50
BATCHES = 20


def first_of(name: str, *modules: str) -> Any:
    """Return a name from the first module that there is."""
    for module in modules:
        try:
            return getattr(import_module(f"edgezero_spin.host.{module}"), name)
        except ModuleNotFoundError:
            continue
    raise RuntimeError(f"no {name} in {', '.join(modules)}")


def instantiate(component: Path) -> float:
    """Make and end an instance: the median of batches."""
    make_state = first_of("InstanceState", "factors.instance", "instance")
    spent = []
    with Host.from_manifest(component) as host:
        served: Any = next(iter(host.application.components.values()))
        for _ in range(BATCHES + 2):
            begun = thread_time()
            for _ in range(BATCH):
                state = make_state(served.grants)
                served.linked.instantiate(state, served.limits).close()
                state.close()
            spent.append((thread_time() - begun) / BATCH)
    return statistics.median(spent[2:])


def fuse(component: Path) -> float:
    """Make one core module of a component: the best of three."""
    program = import_module("edgezero_spin.wasm.component.linking")
    reader = import_module("edgezero_spin.wasm.component.reader")
    fusing = import_module("edgezero_spin.wasm.fuse.fusing")
    content = component.read_bytes()
    spent = []
    for _ in range(3):
        begun = thread_time()
        fusing.fuse(program.link(reader.read_component(content)))
        spent.append(thread_time() - begun)
    return min(spent)


if __name__ == "__main__":
    print({"instantiate": instantiate, "fuse": fuse}[sys.argv[1]](Path(sys.argv[2])))
