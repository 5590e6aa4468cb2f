"""``wasi:random``: the host's secure randomness, also where less would do (ENV-16)."""

import os

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.runtime.interface import Interface

__all__ = ["INTERFACES", "MAX_RANDOM_BYTES"]

MAX_RANDOM_BYTES = 64 * 1024 * 1024
"""Bytes that one call returns; whoever asks for more gets this many, as of Spin (WE-14)."""


def _bytes(state: InstanceState, length: int) -> bytes:
    return os.urandom(min(length, MAX_RANDOM_BYTES))


def _u64(state: InstanceState) -> int:
    return int.from_bytes(os.urandom(8), "little")


INTERFACES = (
    Interface("wasi:random/random", {"get-random-bytes": _bytes, "get-random-u64": _u64}),
    Interface(
        "wasi:random/insecure",
        {"get-insecure-random-bytes": _bytes, "get-insecure-random-u64": _u64},
    ),
    Interface(
        "wasi:random/insecure-seed", {"insecure-seed": lambda state: (_u64(state), _u64(state))}
    ),
)
"""All of ``wasi:random``."""
