"""Seed ``random`` when it is used, not whenever an instance starts.

componentize-py reseeds it at the first call of every instance, because the snapshot would
otherwise give all of them the same numbers. That takes ten calls to the host and 96 000 wasm
instructions, for a module that most requests never touch.

Until it is touched, ``random`` stands in ``sys.modules`` as a module whose attributes seed it
first. An app that imports ``random`` itself, or uses it while it is built, keeps the eager
seed: then somebody may hold a function of it that no attribute look-up leads to.

Source: ``export_call`` of componentize-py 0.25; measured with ``benchmarks/instructions.py``.
"""

import sys
from types import ModuleType
from typing import Any

__all__ = ["defer_seeding"]

# What an import statement looks at in a module that is loaded already.
_ASKED_BY_IMPORTS = frozenset({"__class__", "__name__", "__path__", "__spec__", "seed"})


class _SeededAtFirstUse(ModuleType):
    """``random`` while nobody has used it in this interpreter."""

    def __getattribute__(self, name: str) -> Any:
        if name not in _ASKED_BY_IMPORTS:
            _seed_now(self)
        return ModuleType.__getattribute__(self, name)


_real_seed: Any = None


def defer_seeding() -> None:
    """Put the seeding of ``random`` off to its first use, if nobody has imported it yet."""
    global _real_seed
    if "random" in sys.modules:
        return
    # Not at the top: whether somebody else imported it before is the question.
    import random

    _real_seed = random.seed
    random.seed = _seed
    random.__class__ = _SeededAtFirstUse


def _seed(a: Any = None, version: int = 2) -> None:
    """What componentize-py calls once in every instance: the seed comes with the first use."""
    if a is not None:
        _seed_now(sys.modules["random"])
        _real_seed(a, version)


def _seed_now(module: ModuleType) -> None:
    module.__class__ = ModuleType
    module.seed = _real_seed  # type: ignore[attr-defined]
    _real_seed()
