"""``wasi:random@0.3``: the functions of 0.2, of which one has another name.

Source: contract wasi03.md, WE-14.
"""

from edgezero_spin.host.factors.wasi import random as wasi_random
from edgezero_spin.host.runtime.interface import Interface

__all__ = ["INTERFACES_03"]

_NAMES = {"insecure-seed": "get-insecure-seed"}

INTERFACES_03 = tuple(
    Interface(
        f"{interface.name}@0.3",
        {_NAMES.get(name, name): function for name, function in interface.functions.items()},
    )
    for interface in wasi_random.INTERFACES
)
"""All of ``wasi:random@0.3``."""
