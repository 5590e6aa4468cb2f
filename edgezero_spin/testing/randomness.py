"""Randomness of this process, decided by a seed while a request runs.

A component asks its host for every random byte, so a seed decides all of them. Natively
``os.urandom`` is replaced wherever a module has it, which covers ``secrets``, ``uuid`` and
``random.SystemRandom``; generators of ``random`` that are not seeded get a seed from it.

Source: contract spin-host.md, TEST-26, TEST-31.
"""

import os
import random
import sys
from types import MethodType
from typing import Any

__all__ = ["NativeRandomness"]

# Under which names modules keep ``os.urandom``.
NAMES = ("urandom", "_urandom")


class NativeRandomness:
    """``set`` it before a request, ``release`` it after."""

    def __init__(self, dice: random.Random) -> None:
        """Draw every random byte from a generator."""
        self._dice = dice
        self._originals: list[tuple[Any, str, Any]] = []
        self._state: Any = None

    def set(self) -> None:
        """Make it so."""
        real = os.urandom
        for module in list(sys.modules.values()):
            names = getattr(module, "__dict__", {})
            for name in NAMES:
                if names.get(name) is real:
                    self._put(module, name, self._dice.randbytes)
        plain, dice = random.Random.seed, self._dice

        def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
            plain(self, dice.getrandbits(64) if a is None else a, version)

        self._put(random.Random, "seed", seed)
        # The module's own is bound to the method that was just replaced.
        shared: Any = random.seed
        self._put(random, "seed", MethodType(seed, shared.__self__))
        self._state = random.getstate()
        random.seed()

    def release(self) -> None:
        """Put everything back, the state of ``random`` included."""
        for place, name, value in reversed(self._originals):
            setattr(place, name, value)
        self._originals.clear()
        if self._state is not None:
            random.setstate(self._state)
            self._state = None

    def _put(self, place: Any, name: str, value: Any) -> None:
        self._originals.append((place, name, getattr(place, name)))
        setattr(place, name, value)
