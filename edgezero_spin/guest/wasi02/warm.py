"""Do at build time what an instance would otherwise do once at its first request.

``weakref.finalize`` guards every resource handle in the generated bindings. Its first
use in an interpreter imports ``atexit`` and registers a hook: 250 000 wasm instructions,
more than half of what an empty handler costs. Made here, that first use is part of the
snapshot and no instance pays for it.

Source: measured with wasmtime's fuel, ``benchmarks/instructions.py``.
"""

import weakref

__all__ = ["warm_up"]


class _Anything:
    """Something that can be referred to weakly."""


def warm_up() -> None:
    """Take the paths that every request takes, without a host.

    Often enough for the interpreter to specialise their bytecode, which the snapshot
    keeps as well.
    """
    for _ in range(32):
        thing = _Anything()
        finalizer = weakref.finalize(thing, len, ())
        finalizer.detach()
        weakref.finalize(thing, len, ())
        del thing
